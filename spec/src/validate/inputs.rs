//! What tests or saves the input has asked for it.

use std::collections::HashSet;

use serde_json::Value;

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::step::Step;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    // A flow that others jump into may have been asked for elsewhere.
    let targets: HashSet<&str> = draft
        .steps()
        .filter_map(|(flow, _, _, step)| match step {
            Step::Goto(goto) => goto.flow.as_deref().filter(|target| Some(*target) != flow.id),
            _ => None,
        })
        .collect();
    for flow in draft.flows.iter().flatten() {
        if flow.id.is_some_and(|id| targets.contains(id)) {
            continue;
        }
        for draft in &flow.steps {
            let (at, code) = match &draft.step {
                // A step of an unknown kind may be an `ask`.
                None | Some(Step::Ask(_)) => break,
                Some(Step::Validate(_)) => (&draft.pointer, Code::ValidateWithoutAsk),
                Some(Step::Save(save)) if is_input(&save.value) => (&draft.pointer, Code::SaveWithoutAsk),
                Some(_) => continue,
            };
            findings.add_hinted(code, at, || {
                let message =
                    "No `ask` stands before this step in its flow: the input is whatever message came last.";
                (
                    message.to_owned(),
                    Some("Put an `ask` before it, unless that is meant.".to_owned()),
                )
            });
        }
    }
}

fn is_input(value: &Value) -> bool {
    value == "{{context.input}}"
}
