//! Placeholders in texts: `{{state.name}}`, `{{context.user.firstName}}`. Substitution only, no computation.

use std::ops::Range;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Goes out as it stands.
    Literal(&'a str),
    /// The path between `{{` and `}}`, without surrounding spaces.
    Placeholder {
        /// The path; [`crate::path::Path::parse`] reads it.
        path: &'a str,
        /// Where the placeholder stands in the text with its braces, in bytes.
        span: Range<usize>,
    },
}

/// A `{{` without its `}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{{{{` at byte {0} has no `}}}}`")]
pub struct Unclosed(pub usize);

/// Splits a text into literals and placeholders. No literal is empty; the empty text has no segments.
pub fn parse(text: &str) -> Result<Vec<Segment<'_>>, Unclosed> {
    let mut segments = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|found| at + found) {
        let Some(close) = text[open + 2..].find("}}").map(|found| open + 2 + found) else {
            return Err(Unclosed(open));
        };
        if open > at {
            segments.push(Segment::Literal(&text[at..open]));
        }
        let span = open..close + 2;
        segments.push(Segment::Placeholder {
            path: text[open + 2..close].trim(),
            span,
        });
        at = close + 2;
    }
    if at < text.len() {
        segments.push(Segment::Literal(&text[at..]));
    }
    Ok(segments)
}

/// The path when the whole text is one placeholder: such a string yields the value with its type, not as text.
pub fn single(text: &str) -> Option<&str> {
    match parse(text).ok()?.as_slice() {
        [Segment::Placeholder { path, .. }] => Some(path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_texts() {
        let parsed = parse("Hi {{ context.user.firstName }}{{state.a}}!").unwrap();
        assert_eq!(
            parsed,
            [
                Segment::Literal("Hi "),
                Segment::Placeholder {
                    path: "context.user.firstName",
                    span: 3..31
                },
                Segment::Placeholder {
                    path: "state.a",
                    span: 31..42
                },
                Segment::Literal("!"),
            ]
        );
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse("}} {").unwrap(), [Segment::Literal("}} {")]);
        assert_eq!(parse("a {{b"), Err(Unclosed(2)));
    }

    #[test]
    fn a_single_placeholder_keeps_its_type() {
        assert_eq!(single("{{state.a}}"), Some("state.a"));
        for text in [" {{state.a}}", "{{state.a}}{{state.b}}", "state.a", "{{state.a"] {
            assert_eq!(single(text), None);
        }
    }
}
