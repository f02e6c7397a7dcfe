//! Paths of placeholders and conditions: what a bot can read.

/// Everything `context.` offers, in document order of its description.
pub const CONTEXT_PATHS: [&str; 16] = [
    "context.user.id",
    "context.user.firstName",
    "context.user.lastName",
    "context.user.username",
    "context.user.languageCode",
    "context.chat.id",
    "context.chat.type",
    "context.chat.title",
    "context.message.id",
    "context.message.date",
    "context.input",
    "context.args",
    "context.locale",
    "context.now",
    "context.bot.id",
    "context.bot.name",
];

/// A path that reads a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path<'a> {
    /// `state.<key>`, then members of an object or indexes of an array.
    State {
        /// The state key.
        key: &'a str,
        /// Further names; a name of digits alone is an index when it meets an array.
        rest: Vec<&'a str>,
    },
    /// One of [`CONTEXT_PATHS`].
    Context(&'a str),
}

/// Why a path is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It starts with neither `state.` nor `context.`, or a name in it is empty.
    #[error("a path is `state.<key>` or one of `context.…`")]
    Shape,
    /// There is no such value in `context`.
    #[error("there is no such value in `context`")]
    UnknownContext,
}

impl<'a> Path<'a> {
    /// Reads a path as it stands in a placeholder or in `when.path`.
    pub fn parse(text: &'a str) -> Result<Self, PathError> {
        if let Some(names) = text.strip_prefix("state.") {
            let mut names = names.split('.');
            let key = names.next().unwrap_or_default();
            let rest: Vec<_> = names.collect();
            if key.is_empty() || rest.iter().any(|name| name.is_empty()) {
                return Err(PathError::Shape);
            }
            return Ok(Self::State { key, rest });
        }
        if text.starts_with("context.") {
            let known = CONTEXT_PATHS.contains(&text);
            return if known {
                Ok(Self::Context(text))
            } else {
                Err(PathError::UnknownContext)
            };
        }
        Err(PathError::Shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths() {
        assert_eq!(
            Path::parse("state.a.b.0"),
            Ok(Path::State {
                key: "a",
                rest: vec!["b", "0"]
            })
        );
        assert_eq!(Path::parse("context.input"), Ok(Path::Context("context.input")));
        assert_eq!(Path::parse("context.inputs"), Err(PathError::UnknownContext));
        for text in ["", "state", "state.", "state..a", "state.a.", "name", " state.a"] {
            assert_eq!(Path::parse(text), Err(PathError::Shape), "{text:?}");
        }
    }
}
