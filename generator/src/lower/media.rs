//! A file sent with a message.

use botloom_spec::step::{Media, MediaKind};

use super::optional;
use crate::ir::Data;

/// Method of the Bot API and the field of its file.
fn method(kind: MediaKind) -> (&'static str, &'static str) {
    match kind {
        MediaKind::Photo => ("sendPhoto", "photo"),
        MediaKind::Video => ("sendVideo", "video"),
        MediaKind::Document => ("sendDocument", "document"),
        MediaKind::Audio => ("sendAudio", "audio"),
        MediaKind::Voice => ("sendVoice", "voice"),
        MediaKind::Animation => ("sendAnimation", "animation"),
    }
}

pub(super) fn lower(media: &Media) -> Data {
    let (method, field) = method(media.kind);
    let mut fields = vec![("method", method.into()), ("field", field.into())];
    optional(&mut fields, "url", media.url.as_deref());
    optional(&mut fields, "fileId", media.file_id.as_deref());
    Data::Fields(fields)
}
