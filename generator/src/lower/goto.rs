//! `goto`: jump.

use botloom_spec::model::{Test, When};
use botloom_spec::step::Goto;

use super::optional;
use crate::ir::{Data, Fields};

pub(super) fn lower(step: &Goto) -> Fields {
    let mut fields = Fields::new();
    optional(&mut fields, "when", step.when.as_ref().map(condition));
    optional(&mut fields, "flow", step.flow.as_deref());
    optional(&mut fields, "step", step.step.as_deref());
    optional(&mut fields, "elseNext", step.else_next.as_deref());
    fields
}

fn condition(when: &When) -> Data {
    let list = |parts: &[When]| Data::List(parts.iter().map(condition).collect());
    Data::Fields(match when {
        When::All(parts) => vec![("all", list(parts))],
        When::Any(parts) => vec![("any", list(parts))],
        When::Not(part) => vec![("not", condition(part))],
        When::Test(Test { path, op, value }) => {
            let mut fields = vec![("path", path.as_str().into()), ("op", op.as_str().into())];
            optional(&mut fields, "value", value.clone().map(Data::Json));
            fields
        }
    })
}
