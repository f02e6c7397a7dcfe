//! The program between BotSpec and JavaScript: tables of data, nothing else.
//!
//! Every reference is resolved (a step names its next step, a `validate` its `ask`), every default is filled in, and
//! what the author wrote is still data: only `emit` turns it into JavaScript.

use serde_json::Value;

/// A whole bot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Program {
    /// `meta.botId`.
    pub(crate) id: String,
    /// `meta.name`.
    pub(crate) name: String,
    /// `meta.locales`.
    pub(crate) locales: Vec<String>,
    /// `meta.defaultLocale`.
    pub(crate) default_locale: String,
    /// Most bytes of a chat's values.
    pub(crate) max_bytes: u32,
    /// Events to be recorded.
    pub(crate) events: Vec<String>,
    /// Localized texts that a step refers to.
    pub(crate) texts: Data,
    /// Declared state keys.
    pub(crate) keys: Data,
    /// Command without slash → flow.
    pub(crate) commands: Data,
    /// Intents, by falling priority.
    pub(crate) intents: Vec<Data>,
    /// Flows in the order of the document.
    pub(crate) flows: Vec<Flow>,
}

/// A flow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flow {
    /// Id.
    pub(crate) id: String,
    /// Its steps in the order of the document.
    pub(crate) steps: Vec<Node>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Id.
    pub(crate) id: String,
    /// Name of the step kind.
    pub(crate) kind: &'static str,
    /// What the kind needs.
    pub(crate) fields: Fields,
    /// The step after it.
    pub(crate) next: Option<String>,
}

/// Fields of a table whose names are ours.
pub(crate) type Fields = Vec<(&'static str, Data)>;

/// Data of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// Anything of JSON, as the author wrote it.
    Json(Value),
    /// A list.
    List(Vec<Data>),
    /// A table whose names are ours.
    Fields(Fields),
    /// A table whose names are the author's.
    Named(Vec<(String, Data)>),
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::Json(text.into())
    }
}

impl From<u32> for Data {
    fn from(number: u32) -> Self {
        Self::Json(number.into())
    }
}

impl From<&[String]> for Data {
    fn from(texts: &[String]) -> Self {
        Self::List(texts.iter().map(|text| text.as_str().into()).collect())
    }
}
