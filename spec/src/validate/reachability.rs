//! Something leads to every flow and every step.

use super::graph::Graph;
use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;

pub(super) fn check(draft: &Draft<'_>, graph: &Graph<'_>, findings: &mut Findings) {
    let Some(flows) = &draft.flows else { return };
    let mut flow_seen = vec![false; flows.len()];
    let mut seen = vec![false; graph.nodes.len()];
    let mut todo: Vec<usize> = Vec::new();
    for id in &draft.entries {
        if let Some(flow) = graph.flow(id) {
            flow_seen[flow] = true;
            todo.extend(graph.first(flow));
        }
    }
    while let Some(at) = todo.pop() {
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        let node = &graph.nodes[at];
        for flow in &node.flows {
            flow_seen[*flow] = true;
        }
        todo.extend(
            node.edges
                .iter()
                .map(|edge| edge.to)
                .chain(node.later.iter().copied())
                .filter(|to| !seen[*to]),
        );
    }
    for (index, flow) in flows.iter().enumerate() {
        let steps = graph.starts[index]..graph.starts[index + 1];
        if !flow_seen[index] {
            // Nothing can lead to a flow that cannot be named; that has been reported.
            let Some(id) = flow.id else { continue };
            findings.add_hinted(Code::UnreachableFlow, &flow.pointer, || {
                let message = format!("Nothing leads to the flow `{id}`.");
                (
                    message,
                    Some("Start it by a command, an intent, a quick reply or a `goto`.".to_owned()),
                )
            });
            continue;
        }
        if graph.nodes[steps.clone()].iter().any(|node| node.vague) {
            continue;
        }
        let mut before = true;
        for step in steps {
            // The first of several in a row says it.
            if !seen[step] && before {
                findings.add(Code::UnreachableStep, graph.nodes[step].pointer, || {
                    "No step leads here; the step before always goes elsewhere.".to_owned()
                });
            }
            before = seen[step];
        }
    }
}
