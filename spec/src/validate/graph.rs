//! The steps of all flows as one graph: which may follow which, at once or after waiting.

use std::collections::HashMap;

use serde_json::Value;

use crate::draft::{Draft, FlowDraft, StepDraft};
use crate::finding::Findings;
use crate::step::{Goto, QuickReply, Step};

/// A step.
#[derive(Debug)]
pub(super) struct Node<'d> {
    /// Pointer to the step.
    pub(super) pointer: &'d str,
    /// What may run next within the same update.
    pub(super) edges: Vec<Edge>,
    /// Steps that may run in a later update because of this one.
    pub(super) later: Vec<usize>,
    /// Flows this step names.
    pub(super) flows: Vec<usize>,
    /// Whether the update may end at this step.
    pub(super) leaves: bool,
    /// Whether it calls an API.
    pub(super) calls: bool,
    /// Whether it names a step in a way that cannot be read: any step of the flow may be meant.
    pub(super) vague: bool,
}

/// A way from one step to another.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) to: usize,
    /// The field that names the target, below the step; `None`: the step after.
    pub(super) field: Option<&'static str>,
}

/// All steps, in document order.
#[derive(Debug)]
pub(super) struct Graph<'d> {
    pub(super) nodes: Vec<Node<'d>>,
    /// The first node of each flow; one more at the end.
    pub(super) starts: Vec<usize>,
    flow_by_id: HashMap<&'d str, usize>,
}

impl<'d> Graph<'d> {
    pub(super) fn new(draft: &'d Draft<'_>, findings: &Findings) -> Self {
        let flows = draft.flows.as_deref().unwrap_or_default();
        let mut graph = Self {
            nodes: Vec::new(),
            starts: vec![0],
            flow_by_id: HashMap::new(),
        };
        for (index, flow) in flows.iter().enumerate() {
            graph.starts.push(graph.starts[index] + flow.steps.len());
            if let Some(id) = flow.id {
                graph.flow_by_id.entry(id).or_insert(index);
            }
        }
        let steps: Vec<HashMap<&str, usize>> = flows.iter().map(step_ids).collect();
        for (index, flow) in flows.iter().enumerate() {
            for (position, step) in flow.steps.iter().enumerate() {
                let place = Place {
                    graph: &graph,
                    steps: &steps,
                    flow: index,
                    position,
                    findings,
                };
                let node = place.node(step);
                graph.nodes.push(node);
            }
        }
        graph
    }

    /// The flow with this id.
    pub(super) fn flow(&self, id: &str) -> Option<usize> {
        self.flow_by_id.get(id).copied()
    }

    /// The first step of a flow, if it has any.
    pub(super) fn first(&self, flow: usize) -> Option<usize> {
        (self.starts[flow] < self.starts[flow + 1]).then_some(self.starts[flow])
    }
}

fn step_ids<'d>(flow: &'d FlowDraft<'_>) -> HashMap<&'d str, usize> {
    let mut ids = HashMap::new();
    for (position, step) in flow.steps.iter().enumerate() {
        if let Some(id) = step.id {
            ids.entry(id).or_insert(position);
        }
    }
    ids
}

/// A target that does not exist ends the update as far as the graph is concerned.
fn jump(to: Option<usize>, field: &'static str, node: &mut Node<'_>) {
    match to {
        Some(to) => node.edges.push(Edge {
            to,
            field: Some(field),
        }),
        None => node.leaves = true,
    }
}

struct Place<'g, 'd> {
    graph: &'g Graph<'d>,
    steps: &'g [HashMap<&'d str, usize>],
    flow: usize,
    position: usize,
    findings: &'g Findings,
}

impl<'d> Place<'_, 'd> {
    fn node(&self, draft: &'d StepDraft<'_>) -> Node<'d> {
        let mut node = Node {
            pointer: &draft.pointer,
            edges: Vec::new(),
            later: Vec::new(),
            flows: Vec::new(),
            leaves: false,
            calls: false,
            vague: ["step", "elseNext", "onFail/goto", "onError/goto"]
                .iter()
                .any(|field| self.is_wrong(draft, field)),
        };
        match &draft.step {
            None => self.unknown(draft.raw, &mut node),
            Some(Step::Goto(goto)) if !self.leads_somewhere(goto, draft) => {
                self.unknown(draft.raw, &mut node);
            }
            Some(Step::Reply(reply)) => {
                self.next(&mut node);
                self.buttons(&reply.quick_replies, &mut node);
            }
            Some(Step::Ask(ask)) => {
                node.leaves = true;
                node.later.extend(self.after());
                self.buttons(&ask.quick_replies, &mut node);
            }
            Some(Step::Validate(validate)) => {
                self.next(&mut node);
                node.leaves = true;
                if let Some(id) = &validate.on_fail.goto {
                    jump(self.step(self.flow, id), "/onFail/goto", &mut node);
                }
            }
            Some(Step::Save(_)) => self.next(&mut node),
            Some(Step::ApiCall(call)) => {
                node.calls = true;
                self.next(&mut node);
                match &call.on_error.goto {
                    Some(id) => jump(self.step(self.flow, id), "/onError/goto", &mut node),
                    None => node.leaves = true,
                }
            }
            Some(Step::Goto(goto)) => {
                self.target(goto.flow.as_deref(), goto.step.as_deref(), &mut node);
                match (&goto.when, &goto.else_next) {
                    (None, _) => {}
                    (Some(_), Some(id)) => jump(self.step(self.flow, id), "/elseNext", &mut node),
                    (Some(_), None) => self.next(&mut node),
                }
            }
        }
        node
    }

    /// Whether it can be told where a jump leads.
    fn leads_somewhere(&self, goto: &Goto, draft: &StepDraft<'_>) -> bool {
        (goto.flow.is_some() || goto.step.is_some())
            && !self.is_wrong(draft, "flow")
            && !self.is_wrong(draft, "step")
    }

    fn is_wrong(&self, draft: &StepDraft<'_>, field: &str) -> bool {
        self.findings.is_silent(&format!("{}/{field}", draft.pointer))
    }

    fn after(&self) -> Option<usize> {
        let next = self.graph.starts[self.flow] + self.position + 1;
        (next < self.graph.starts[self.flow + 1]).then_some(next)
    }

    fn next(&self, node: &mut Node<'_>) {
        match self.after() {
            Some(to) => node.edges.push(Edge { to, field: None }),
            None => node.leaves = true,
        }
    }

    fn step(&self, flow: usize, id: &str) -> Option<usize> {
        Some(self.graph.starts[flow] + self.steps[flow].get(id)?)
    }

    fn target(&self, flow: Option<&str>, step: Option<&str>, node: &mut Node<'_>) {
        let owner = match flow {
            None => Some(self.flow),
            Some(id) => self.graph.flow(id),
        };
        if let (Some(owner), Some(_)) = (owner, flow) {
            node.flows.push(owner);
        }
        let to = owner.and_then(|owner| match step {
            Some(id) => self.step(owner, id),
            None => self.graph.first(owner),
        });
        jump(to, if step.is_some() { "/step" } else { "/flow" }, node);
    }

    fn buttons(&self, buttons: &[QuickReply], node: &mut Node<'_>) {
        for button in buttons {
            if let Some(flow) = button.flow.as_deref().and_then(|id| self.graph.flow(id)) {
                node.flows.push(flow);
                node.later.extend(self.graph.first(flow));
            }
        }
    }

    /// A step that cannot be read may do anything its names suggest, and is never part of a loop.
    fn unknown(&self, raw: &Value, node: &mut Node<'_>) {
        node.leaves = true;
        node.later.extend(self.after());
        let flow = raw["flow"].as_str();
        let buttons = raw["quickReplies"].as_array().into_iter().flatten();
        for id in flow
            .into_iter()
            .chain(buttons.filter_map(|button| button["flow"].as_str()))
        {
            if let Some(flow) = self.graph.flow(id) {
                node.flows.push(flow);
                node.later.extend(self.graph.first(flow));
            }
        }
        let owner = flow.and_then(|id| self.graph.flow(id)).unwrap_or(self.flow);
        node.later
            .extend(raw["step"].as_str().and_then(|id| self.step(owner, id)));
        for id in [&raw["elseNext"], &raw["onFail"]["goto"], &raw["onError"]["goto"]] {
            node.later
                .extend(id.as_str().and_then(|id| self.step(self.flow, id)));
        }
    }
}
