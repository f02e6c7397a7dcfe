//! `ask`: send a message and wait.

use botloom_spec::step::Ask;

use super::{optional, texts};
use crate::ir::Fields;

pub(super) fn lower(step: &Ask) -> Fields {
    let mut fields = vec![("text", texts::text(&step.text))];
    optional(&mut fields, "buttons", texts::buttons(&step.quick_replies));
    fields
}
