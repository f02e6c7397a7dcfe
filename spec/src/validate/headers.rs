//! Headers are headers, and leave to the client what is the client's.

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::pointer;
use crate::step::Step;

/// Headers that decide how a request is framed, where it goes, or what the host adds itself.
const FORBIDDEN: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    for (_, _, at, step) in draft.steps() {
        let Step::ApiCall(call) = step else { continue };
        for (name, value) in &call.headers {
            let problem = if !is_token(name) {
                "This is no header name."
            } else if FORBIDDEN.contains(&name.to_ascii_lowercase().as_str()) {
                "This header is set by the platform."
            } else if value
                .chars()
                .any(|character| character.is_control() && character != '\t')
            {
                "A header's value cannot hold line breaks or other control characters."
            } else {
                continue;
            };
            let at = pointer::join(&format!("{at}/headers"), name);
            findings.add(Code::InvalidHeader, &at, || problem.to_owned());
        }
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
