//! Where a piece of work belongs in a distributed trace: carried with it through queues.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::ids::InvalidId;

/// Target of spans that are exported as traces. They are no log lines: nothing is formatted for them, and where no
/// collector is set they are not made.
pub const TARGET: &str = "botloom::trace";

/// Value of a `traceparent` header, version 00 (W3C Trace Context, section 3.2):
/// `00-<trace id, 32 hex>-<parent id, 16 hex>-<flags, 2 hex>`, 55 characters, never with an id of zeros only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceParent(Arc<str>);

impl TraceParent {
    /// Checks the form.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
        let text = text.as_ref();
        if is_traceparent(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId { what: "traceparent" })
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TraceParent {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let given = |part: &str| part.bytes().any(|b| b != b'0');
    let mut parts = text.split('-');
    let (Some("00"), Some(trace), Some(parent), Some(flags), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return false;
    };
    hex(trace, 32) && given(trace) && hex(parent, 16) && given(parent) && hex(flags, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_the_standard_is_taken() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(TraceParent::new(good).unwrap().as_str(), good);
        for bad in [
            "",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            assert!(TraceParent::new(bad).is_err(), "{bad}");
        }
    }
}
