//! Ids are unique, and no name means something to JavaScript objects.

use std::collections::HashSet;

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::limits::RESERVED_NAMES;
use crate::pointer;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    let flows = draft.flows.iter().flatten();
    unique(
        "flow",
        flows
            .clone()
            .filter_map(|flow| Some((flow.pointer.as_str(), flow.id?))),
        findings,
    );
    for flow in flows {
        let steps = flow
            .steps
            .iter()
            .filter_map(|step| Some((step.pointer.as_str(), step.id?)));
        unique("step of this flow", steps, findings);
    }
    let intents = draft.intents.iter().flatten();
    unique(
        "intent",
        intents.map(|intent| (intent.pointer.as_str(), intent.value.id.as_str())),
        findings,
    );
    for name in draft.state_keys.iter().flatten().map(|(name, _)| *name) {
        reserved(name, &pointer::join("/state/keys", name), findings);
    }
    for (locale, texts) in draft.localization.iter().flatten() {
        let base = pointer::join("/localization", locale);
        for key in texts.keys() {
            reserved(key, &pointer::join(&base, key), findings);
        }
    }
}

fn unique<'a>(what: &str, ids: impl Iterator<Item = (&'a str, &'a str)>, findings: &mut Findings) {
    let mut seen = HashSet::new();
    for (owner, id) in ids {
        let pointer = pointer::join(owner, "id");
        reserved(id, &pointer, findings);
        if !seen.insert(id) {
            findings.add(Code::DuplicateId, &pointer, || {
                format!("Another {what} is called `{id}`.")
            });
        }
    }
}

fn reserved(name: &str, pointer: &str, findings: &mut Findings) {
    if RESERVED_NAMES.contains(&name) {
        findings.add(Code::ReservedName, pointer, || {
            format!("`{name}` cannot be used as a name.")
        });
    }
}
