//! Conditions read things that exist and compare them with values that can be compared.

use serde_json::Value;

use super::templates::check_path;
use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::model::{Op, Test};
use crate::step::Step;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    for (_, _, at, step) in draft.steps() {
        let Step::Goto(goto) = step else { continue };
        let Some(when) = &goto.when else { continue };
        when.walk(&mut |below, test| {
            let at = format!("{at}/when{below}");
            check_path(draft, &format!("{at}/path"), &test.path, findings);
            // Which values fit is told by the operation.
            let known = !findings.is_silent(&format!("{at}/op"));
            if let Some(wanted) = wanted(test).filter(|_| known) {
                let (place, message) = match test.value {
                    None => (at, format!("`{}` needs a `value`: {wanted}.", test.op.as_str())),
                    Some(_) => (
                        format!("{at}/value"),
                        format!("The value of `{}` must be {wanted}.", test.op.as_str()),
                    ),
                };
                findings.add(Code::InvalidCondition, &place, || message);
            }
        });
    }
}

/// What the value should be, if it is not.
fn wanted(test: &Test) -> Option<&'static str> {
    let value = test.value.as_ref();
    let (fits, wanted) = match test.op {
        Op::Eq | Op::Ne => (value.is_some(), "any JSON but null"),
        Op::Lt | Op::Lte | Op::Gt | Op::Gte => (
            value.is_some_and(|value| value.is_number() || value.is_string()),
            "a number or a string",
        ),
        Op::In => (value.is_some_and(Value::is_array), "an array"),
        Op::Contains => (
            value.is_some_and(|value| value.is_string() || value.is_number() || value.is_boolean()),
            "a string, a number or a boolean",
        ),
        Op::Exists => (value.is_none_or(Value::is_boolean), "true or false, or absent"),
        Op::Matches => (value.is_some_and(Value::is_string), "a pattern in a string"),
    };
    (!fits).then_some(wanted)
}
