//! Declared keys, their defaults, and what writes to them.

use super::templates::known_key;
use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::step::Step;
use crate::{json, pointer};

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    for (name, key) in draft.state_keys.iter().flatten() {
        let Some(key) = key else { continue };
        let Some(default) = &key.default else { continue };
        let base = pointer::join("/state/keys", name);
        let at = format!("{base}/default");
        if !key.kind.admits(default) && !findings.is_silent(&format!("{base}/type")) {
            findings.add(Code::WrongDefault, &at, || {
                format!("The default is no {}.", key.kind.as_str())
            });
            continue;
        }
        let size = default
            .as_str()
            .map_or_else(|| json::canonical(default).len(), str::len);
        if let Some(most) = key.max_bytes
            && size > most as usize
            && !findings.is_silent(&format!("{base}/maxBytes"))
        {
            findings.add(Code::WrongDefault, &at, || {
                format!("The default has {size} bytes; `maxBytes` is {most}.")
            });
        }
    }
    for (_, _, at, step) in draft.steps() {
        match step {
            Step::Save(save) => {
                known_key(draft, &format!("{at}/key"), &save.key, findings);
            }
            Step::ApiCall(call) => {
                for (key, source) in &call.map {
                    let at = pointer::join(&format!("{at}/map"), key);
                    known_key(draft, &at, key, findings);
                    if !pointer::is_valid(source) {
                        findings.add_hinted(Code::InvalidPointer, &at, || {
                            (
                                format!("`{source}` is no JSON Pointer."),
                                Some("Write `/total/amount`, or `` for the whole answer.".to_owned()),
                            )
                        });
                    }
                }
            }
            Step::Reply(_) | Step::Ask(_) | Step::Validate(_) | Step::Goto(_) => {}
        }
    }
}
