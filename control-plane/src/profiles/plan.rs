//! Which calls make Telegram show what a spec says, given what was published before.

use std::collections::BTreeMap;

use botloom_core::hash::Sha256Hash;
use botloom_spec::profile::{ByLanguage, Profile};
use botloom_telegram::BotCommand;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Name of the item in what was published, such as `commands:de`.
    pub(super) item: String,
    /// Two letters; empty: everybody without a dedicated value.
    pub(super) language: String,
    pub(super) value: Value,
    /// Digest of the value; `None`: it is taken back.
    pub(super) digest: Option<String>,
}

impl Step {
    /// The item in words.
    pub(super) fn item_words(&self) -> String {
        let what = match self.value {
            Value::Commands(_) => "the commands",
            Value::Description(_) => "the description",
            Value::ShortDescription(_) => "the short description",
        };
        if self.language.is_empty() {
            what.to_owned()
        } else {
            format!("{what} in `{}`", self.language)
        }
    }
}

/// What an item is set to; empty: nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Commands(Vec<BotCommand>),
    Description(String),
    ShortDescription(String),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Commands(_) => "commands",
            Self::Description(_) => "description",
            Self::ShortDescription(_) => "shortDescription",
        }
    }

    fn nothing(kind: &str) -> Option<Self> {
        match kind {
            "commands" => Some(Self::Commands(Vec::new())),
            "description" => Some(Self::Description(String::new())),
            "shortDescription" => Some(Self::ShortDescription(String::new())),
            _ => None,
        }
    }

    fn digest(&self) -> String {
        let hash = match self {
            Self::Commands(commands) => {
                let texts = commands
                    .iter()
                    .flat_map(|entry| [entry.command.as_str(), &entry.description]);
                Sha256Hash::of(texts.collect::<Vec<_>>().join("\0"))
            }
            Self::Description(text) | Self::ShortDescription(text) => Sha256Hash::of(text),
        };
        hash.to_string()
    }
}

/// Calls in order: what is new or differs, then what is taken back. What was never published is not touched.
pub(super) fn steps(profile: &Profile, published: &BTreeMap<String, String>) -> Vec<Step> {
    let wanted: BTreeMap<String, (String, Value)> = values(profile)
        .map(|(language, value)| (format!("{}:{language}", value.kind()), (language, value)))
        .collect();
    let back: Vec<Step> = published
        .keys()
        .filter(|item| !wanted.contains_key(*item))
        .filter_map(|item| {
            let (kind, language) = item.split_once(':')?;
            Some(Step {
                item: item.clone(),
                language: language.to_owned(),
                value: Value::nothing(kind)?,
                digest: None,
            })
        })
        .collect();
    wanted
        .into_iter()
        .filter_map(|(item, (language, value))| {
            let digest = value.digest();
            (published.get(&item) != Some(&digest)).then_some(Step {
                item,
                language,
                value,
                digest: Some(digest),
            })
        })
        .chain(back)
        .collect()
}

fn values(profile: &Profile) -> impl Iterator<Item = (String, Value)> {
    fn each<T>(values: &ByLanguage<T>, value: impl Fn(&T) -> Value) -> impl Iterator<Item = (String, Value)> {
        values
            .iter()
            .map(move |(language, item)| (language.clone(), value(item)))
    }
    let commands = each(&profile.commands, |menu| {
        let entries = menu.iter().map(|entry| BotCommand {
            command: entry.command.clone(),
            description: entry.description.clone(),
        });
        Value::Commands(entries.collect())
    });
    let description = each(&profile.description, |text| Value::Description(text.clone()));
    let short = each(&profile.short_description, |text| {
        Value::ShortDescription(text.clone())
    });
    commands.chain(description).chain(short)
}
