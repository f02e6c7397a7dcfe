//! Every field of a `goto` has an effect.

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::step::Step;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    for (_, _, at, step) in draft.steps() {
        if let Step::Goto(goto) = step
            && goto.else_next.is_some()
            && goto.when.is_none()
        {
            findings.add(Code::ElseWithoutWhen, &format!("{at}/elseNext"), || {
                "Without `when` the jump is always taken.".to_owned()
            });
        }
    }
}
