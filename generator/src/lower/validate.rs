//! `validate`: test the answer.

use botloom_spec::step::{OnFail, Validate};

use super::{Before, optional, texts};
use crate::ir::{Data, Fields};

pub(super) fn lower(step: &Validate, before: Before<'_>) -> Fields {
    let mut fields = Fields::new();
    optional(&mut fields, "regex", step.regex.as_deref());
    optional(&mut fields, "schema", step.schema.clone().map(Data::Json));
    optional(&mut fields, "ask", before.ask());
    fields.push(("onFail", on_fail(&step.on_fail)));
    fields
}

fn on_fail(on_fail: &OnFail) -> Data {
    let mut fields = vec![
        ("text", texts::text(&on_fail.text)),
        ("maxAttempts", on_fail.max_attempts.into()),
    ];
    optional(&mut fields, "goto", on_fail.goto.as_deref());
    Data::Fields(fields)
}
