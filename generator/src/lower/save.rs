//! `save`: write a state key.

use botloom_spec::step::Save;

use super::{Before, optional};
use crate::ir::{Data, Fields};

pub(super) fn lower(step: &Save, before: Before<'_>) -> Fields {
    let mut fields = vec![
        ("key", step.key.as_str().into()),
        ("value", Data::Json(step.value.clone())),
    ];
    optional(&mut fields, "ask", before.ask());
    optional(&mut fields, "check", before.check());
    fields
}
