//! Entity tags: strong ones out, `If-None-Match` and `If-Match` in.

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::code;
use crate::problem::Problem;

/// More tags than any honest client sends.
const MAX_TAGS: usize = 16;

/// A condition that a caller states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `*`: anything that exists.
    Any,
    /// One of these.
    Tags(Vec<Tag>),
}

/// One entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    weak: bool,
    text: String,
}

impl Tag {
    /// The text of a strong tag. `If-Match` compares strongly, so weak ones never match (RFC 9110, 13.1.1).
    pub(crate) fn strong(&self) -> Option<&str> {
        (!self.weak).then_some(self.text.as_str())
    }
}

/// Reads `If-Match` or `If-None-Match`.
pub(crate) fn condition(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Condition>, Problem> {
    let malformed = || {
        Problem::new(
            code::MALFORMED_HEADER,
            format!("{name} must be * or a list of quoted tags."),
        )
    };
    let mut tags = Vec::new();
    let mut any = false;
    for value in headers.get_all(name) {
        let mut rest = value.to_str().map_err(|_| malformed())?.trim();
        if rest == "*" {
            any = true;
            continue;
        }
        loop {
            let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |rest| (true, rest));
            let (text, after) = quoted
                .strip_prefix('"')
                .and_then(|rest| rest.split_once('"'))
                .ok_or_else(malformed)?;
            tags.push(Tag {
                weak,
                text: text.to_owned(),
            });
            let after = after.trim_start();
            if tags.len() > MAX_TAGS {
                return Err(malformed());
            }
            if after.is_empty() {
                break;
            }
            rest = after.strip_prefix(',').ok_or_else(malformed)?.trim_start();
        }
    }
    match (any, tags.is_empty()) {
        (true, true) => Ok(Some(Condition::Any)),
        (true, false) => Err(malformed()),
        (false, false) => Ok(Some(Condition::Tags(tags))),
        (false, true) => Ok(None),
    }
}

/// An answer with its tag, or 304 without a body if the caller has it already.
pub(crate) fn tagged(headers: &HeaderMap, tag: &str, answer: impl IntoResponse) -> Result<Response, Problem> {
    // Weak comparison: `W/"x"` in If-None-Match matches "x" (RFC 9110, 13.1.2).
    let known = match condition(headers, &header::IF_NONE_MATCH)? {
        Some(Condition::Any) => true,
        Some(Condition::Tags(tags)) => tags.iter().any(|known| known.text == tag),
        None => false,
    };
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        answer.into_response()
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&str]) -> Result<Option<Condition>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, value.parse().unwrap());
        }
        condition(&headers, &header::IF_MATCH)
    }

    #[test]
    fn lists_of_quoted_tags_are_read() {
        assert_eq!(parse(&[]).unwrap(), None);
        assert_eq!(parse(&["*"]).unwrap(), Some(Condition::Any));
        let Some(Condition::Tags(tags)) = parse(&["\"a\", W/\"b\"", "\"c,d\""]).unwrap() else {
            panic!()
        };
        let texts: Vec<_> = tags.iter().map(|tag| (tag.weak, tag.text.as_str())).collect();
        assert_eq!(texts, [(false, "a"), (true, "b"), (false, "c,d")]);
        assert_eq!(tags[1].strong(), None);
    }

    #[test]
    fn anything_else_is_refused() {
        let many = vec!["\"x\""; 1000].join(",");
        for bad in [
            "specVersion-1",
            "\"a",
            "a\"",
            "\"a\" \"b\"",
            "\"a\",",
            "W/a",
            "",
            many.as_str(),
        ] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
        assert!(parse(&["*", "\"a\""]).is_err());
    }
}
