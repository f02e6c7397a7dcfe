//! `reply`: send a message.

use botloom_spec::step::Reply;

use super::{media, optional, texts};
use crate::ir::Fields;

pub(super) fn lower(step: &Reply) -> Fields {
    let mut fields = vec![("text", texts::text(&step.text))];
    optional(&mut fields, "media", step.media.as_ref().map(media::lower));
    optional(&mut fields, "buttons", texts::buttons(&step.quick_replies));
    fields
}
