//! Loops that do not wait for the user, and chains that are too long for one update.

use super::graph::Graph;
use crate::code::Code;
use crate::finding::Findings;
use crate::limits::{API_CALLS_PER_UPDATE, TRANSITIONS_PER_UPDATE};

pub(super) fn check(graph: &Graph<'_>, findings: &mut Findings) {
    let components = components(graph);
    let mut component_of = vec![0; graph.nodes.len()];
    for (index, component) in components.iter().enumerate() {
        for node in component {
            component_of[*node] = index;
        }
    }
    let inside = |from: usize, to: usize| component_of[from] == component_of[to];
    let mut looping = vec![false; components.len()];
    for (index, component) in components.iter().enumerate() {
        // Falling through leads forward only, so every loop has a jump to the same or an earlier step.
        let back = component
            .iter()
            .flat_map(|from| graph.nodes[*from].edges.iter().map(move |edge| (*from, edge)))
            .filter_map(|(from, edge)| {
                edge.field
                    .filter(|_| edge.to <= from && inside(from, edge.to))
                    .map(|field| (from, field))
            })
            .min();
        let Some((from, field)) = back else { continue };
        looping[index] = true;
        let ends = component.iter().any(|from| {
            let node = &graph.nodes[*from];
            node.leaves || node.edges.iter().any(|edge| !inside(*from, edge.to))
        });
        let at = format!("{}{field}", graph.nodes[from].pointer);
        if ends {
            findings.add_hinted(Code::PossibleEndlessLoop, &at, || {
                let message = "This closes a loop that does not wait for the user.".to_owned();
                (
                    message,
                    Some(format!(
                        "It fails when it runs more than {TRANSITIONS_PER_UPDATE} steps."
                    )),
                )
            });
        } else {
            findings.add_hinted(Code::EndlessLoop, &at, || {
                let message = "This closes a loop that never waits for the user and never ends.".to_owned();
                (
                    message,
                    Some("Put an `ask` into the loop, or a condition that leaves it.".to_owned()),
                )
            });
        }
    }
    chains(graph, &components, &component_of, &looping, findings);
}

fn chains(
    graph: &Graph<'_>,
    components: &[Vec<usize>],
    component_of: &[usize],
    looping: &[bool],
    findings: &mut Findings,
) {
    // Steps and calls on the longest way that ends at each step; loops have been reported and count as nothing.
    let mut steps = vec![0_u32; graph.nodes.len()];
    let mut calls = vec![0_u32; graph.nodes.len()];
    let mut first_too_far: Option<usize> = None;
    for component in components.iter().rev() {
        for at in component {
            let node = &graph.nodes[*at];
            if looping[component_of[*at]] {
                continue;
            }
            steps[*at] += 1;
            calls[*at] += u32::from(node.calls);
            if steps[*at] == TRANSITIONS_PER_UPDATE + 1 {
                first_too_far = Some(first_too_far.map_or(*at, |found| found.min(*at)));
            }
            if node.calls && calls[*at] == API_CALLS_PER_UPDATE + 1 {
                findings.add(Code::TooManyApiCalls, node.pointer, || {
                    format!(
                        "This can be call number {} of one update; only {API_CALLS_PER_UPDATE} are made.",
                        calls[*at]
                    )
                });
            }
            for edge in &node.edges {
                steps[edge.to] = steps[edge.to].max(steps[*at]);
                calls[edge.to] = calls[edge.to].max(calls[*at]);
            }
        }
    }
    if let Some(at) = first_too_far {
        findings.add_hinted(Code::LongChain, graph.nodes[at].pointer, || {
            let message = format!(
                "This can be step number {} of one update.",
                TRANSITIONS_PER_UPDATE + 1
            );
            (message, Some("Put an `ask` on the way.".to_owned()))
        });
    }
}

/// Strongly connected components (Tarjan), the last ones of the graph first. Written as a loop: a chain of steps may be
/// longer than a stack is deep.
fn components(graph: &Graph<'_>) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let count = graph.nodes.len();
    let mut order = vec![UNSEEN; count];
    let mut low = vec![0; count];
    let mut on_stack = vec![false; count];
    let mut stack = Vec::new();
    let mut found = Vec::new();
    let mut next = 0;
    let mut calls: Vec<(usize, usize)> = Vec::new();
    for root in 0..count {
        if order[root] != UNSEEN {
            continue;
        }
        calls.push((root, 0));
        while let Some((at, edge)) = calls.pop() {
            if edge == 0 {
                order[at] = next;
                low[at] = next;
                next += 1;
                stack.push(at);
                on_stack[at] = true;
            }
            if let Some(target) = graph.nodes[at].edges.get(edge) {
                calls.push((at, edge + 1));
                if order[target.to] == UNSEEN {
                    calls.push((target.to, 0));
                } else if on_stack[target.to] {
                    low[at] = low[at].min(order[target.to]);
                }
                continue;
            }
            if low[at] == order[at] {
                let mut component = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    component.push(member);
                    if member == at {
                        break;
                    }
                }
                found.push(component);
            }
            if let Some((caller, _)) = calls.last() {
                low[*caller] = low[*caller].min(low[at]);
            }
        }
    }
    found
}
