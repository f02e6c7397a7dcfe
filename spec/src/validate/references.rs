//! What refers to a flow or a step finds it.

use std::collections::{HashMap, HashSet};

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::pointer;
use crate::step::{QuickReply, Step};

/// The step ids of each flow by the flow's id. Of flows with the same id all steps count: that they share it is
/// reported elsewhere.
struct Names<'d>(HashMap<&'d str, HashSet<&'d str>>);

impl Names<'_> {
    fn flow(&self, at: &str, id: &str, findings: &mut Findings) -> bool {
        if self.0.contains_key(id) {
            return true;
        }
        let hint = findings.suggest(id, self.0.keys().copied());
        findings.add_hinted(Code::UnknownFlow, at, || {
            (format!("There is no flow `{id}`."), hint)
        });
        false
    }

    fn step(&self, at: &str, flow: Option<&str>, id: &str, findings: &mut Findings) {
        let Some(flow) = flow else { return };
        let Some(steps) = self.0.get(flow) else { return };
        if !steps.contains(id) {
            let hint = findings.suggest(id, steps.iter().copied());
            findings.add_hinted(Code::UnknownStep, at, || {
                (format!("The flow `{flow}` has no step `{id}`."), hint)
            });
        }
    }
}

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    let Some(flows) = &draft.flows else { return };
    let mut names = Names(HashMap::new());
    for flow in flows {
        if let Some(id) = flow.id {
            names
                .0
                .entry(id)
                .or_default()
                .extend(flow.steps.iter().filter_map(|step| step.id));
        }
    }
    for part in draft.commands.iter().flatten() {
        names.flow(&pointer::join(&part.pointer, "flow"), &part.value.flow, findings);
    }
    for part in draft.intents.iter().flatten() {
        names.flow(&pointer::join(&part.pointer, "flow"), &part.value.flow, findings);
    }
    for (flow, _, at, step) in draft.steps() {
        match step {
            Step::Reply(reply) => buttons(&names, at, &reply.quick_replies, findings),
            Step::Ask(ask) => buttons(&names, at, &ask.quick_replies, findings),
            Step::Validate(validate) => {
                if let Some(id) = &validate.on_fail.goto {
                    names.step(&format!("{at}/onFail/goto"), flow.id, id, findings);
                }
            }
            Step::ApiCall(call) => {
                if let Some(id) = &call.on_error.goto {
                    names.step(&format!("{at}/onError/goto"), flow.id, id, findings);
                }
            }
            Step::Goto(goto) => {
                let target = goto.flow.as_deref();
                let place = format!("{at}/flow");
                let known = !findings.is_silent(&place);
                let found = target.is_none_or(|id| names.flow(&place, id, findings)) && known;
                if let Some(id) = &goto.step
                    && found
                {
                    names.step(&format!("{at}/step"), target.or(flow.id), id, findings);
                }
                if let Some(id) = &goto.else_next {
                    names.step(&format!("{at}/elseNext"), flow.id, id, findings);
                }
            }
            Step::Save(_) => {}
        }
    }
}

fn buttons(names: &Names<'_>, at: &str, buttons: &[QuickReply], findings: &mut Findings) {
    for (index, button) in buttons.iter().enumerate() {
        if let Some(id) = &button.flow {
            names.flow(&format!("{at}/quickReplies/{index}/flow"), id, findings);
        }
    }
}
