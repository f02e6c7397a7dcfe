//! Patterns compile, in linear-time syntax.

use std::collections::HashMap;

use serde_json::Value;

use super::budget::{Budget, Refusal};
use super::schemas;
use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::model::Op;
use crate::step::Step;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    let mut patterns = Patterns {
        budget: Budget::new(),
        seen: HashMap::new(),
    };
    for (_, _, at, step) in draft.steps() {
        match step {
            Step::Validate(validate) => {
                if let Some(pattern) = &validate.regex {
                    patterns.check(&format!("{at}/regex"), pattern, findings);
                }
                if let Some(schema) = &validate.schema {
                    schemas::patterns(&format!("{at}/schema"), schema, &mut |at, pattern| {
                        patterns.check(at, pattern, findings);
                    });
                }
            }
            Step::Goto(goto) => {
                let Some(when) = &goto.when else { continue };
                when.walk(&mut |below, test| {
                    if test.op == Op::Matches
                        && let Some(Value::String(pattern)) = &test.value
                    {
                        patterns.check(&format!("{at}/when{below}/value"), pattern, findings);
                    }
                });
            }
            Step::Reply(_) | Step::Ask(_) | Step::Save(_) | Step::ApiCall(_) => {}
        }
    }
}

struct Patterns {
    budget: Budget,
    /// The same pattern is compiled once.
    seen: HashMap<String, Option<Refusal>>,
}

impl Patterns {
    fn check(&mut self, at: &str, pattern: &str, findings: &mut Findings) {
        if !self.seen.contains_key(pattern) {
            self.seen
                .insert(pattern.to_owned(), self.budget.compile(pattern).err());
        }
        match self.seen.get(pattern) {
            Some(Some(Refusal::Invalid(why, hint))) => findings.add_hinted(Code::InvalidRegex, at, || {
                (
                    format!("The pattern cannot be used: {why}."),
                    hint.map(str::to_owned),
                )
            }),
            Some(Some(Refusal::Budget)) => findings.add(Code::PatternBudget, at, || {
                "The patterns before this one use up what a spec may hold; simplify or share patterns."
                    .to_owned()
            }),
            _ => {}
        }
    }
}
