//! The three layers in order: syntax, shape, meaning.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::{Finding, Findings};
use crate::json;
use crate::model::BotSpec;
use crate::validate;

/// The outcome of a check.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Everything found, in document order; at most [`crate::limits::FINDINGS`].
    pub findings: Vec<Finding>,
    /// The spec, when no finding is an error.
    pub spec: Option<Accepted>,
}

/// A spec that has been judged good.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The spec, every default filled in.
    pub spec: BotSpec,
    /// Its canonical JSON (RFC 8785).
    pub canonical: String,
    /// `sha256:<hex>` of the canonical JSON.
    pub hash: String,
}

/// Judges a document. Every finding of every layer is reported, as far as it can be told.
pub fn check(bytes: &[u8]) -> Checked {
    let mut findings = Findings::default();
    let Some(document) = json::read(bytes, &mut findings) else {
        return Checked {
            findings: findings.finish(),
            spec: None,
        };
    };
    validate::shape(&document, &mut findings);
    let draft = Draft::read(&document, &mut findings);
    validate::meaning(&draft, &mut findings);
    if findings.refused() {
        return Checked {
            findings: findings.finish(),
            spec: None,
        };
    }
    let spec = draft.into_spec();
    if spec.is_none() {
        findings.add(Code::InvalidValue, "", || {
            "The document cannot be read as a whole.".to_owned()
        });
    }
    Checked {
        findings: findings.finish(),
        spec: spec.map(accept),
    }
}

/// The canonical form and the hash of a spec that is known to be good, such as a stored one.
pub fn accept(spec: BotSpec) -> Accepted {
    let value = serde_json::to_value(&spec).expect("maps of the types have text keys and numbers are finite");
    let canonical = json::canonical(&value);
    let mut hash = "sha256:".to_owned();
    for byte in Sha256::digest(canonical.as_bytes()) {
        write!(hash, "{byte:02x}").expect("writing to a String cannot fail");
    }
    Accepted {
        spec,
        canonical,
        hash,
    }
}
