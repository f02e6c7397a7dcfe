//! Shape and meaning. One rule per file; a rule reads the draft and adds findings, and knows no other rule.

mod budget;
mod commands;
mod conditions;
mod descriptions;
mod domains;
mod graph;
mod headers;
mod ids;
mod inputs;
mod intents;
mod jumps;
mod locales;
mod loops;
mod reachability;
mod references;
mod regexes;
mod schemas;
mod shape;
mod state;
mod strings;
mod telemetry;
mod templates;
mod texts;
mod urls;

pub(crate) use shape::check as shape;

use crate::draft::Draft;
use crate::finding::Findings;

/// Runs every meaning check on everything that has the right shape.
pub(crate) fn meaning(draft: &Draft<'_>, findings: &mut Findings) {
    let rules: [fn(&Draft<'_>, &mut Findings); 18] = [
        ids::check,
        commands::check,
        descriptions::check,
        intents::check,
        locales::check,
        texts::check,
        templates::check,
        references::check,
        jumps::check,
        inputs::check,
        state::check,
        conditions::check,
        regexes::check,
        schemas::check,
        domains::check,
        urls::check,
        headers::check,
        telemetry::check,
    ];
    for rule in rules {
        rule(draft, findings);
    }
    let graph = graph::Graph::new(draft, findings);
    reachability::check(draft, &graph, findings);
    loops::check(&graph, findings);
}
