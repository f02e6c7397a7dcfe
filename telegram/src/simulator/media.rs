//! Kinds of files and how messages describe them.

use serde_json::{Map, Value, json};

use super::world::StoredFile;

/// A kind of file, by the field that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaKind {
    Photo,
    Video,
    Document,
    Audio,
    Voice,
    Animation,
    VideoNote,
    Sticker,
}

impl MediaKind {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "photo" => Self::Photo,
            "video" => Self::Video,
            "document" => Self::Document,
            "audio" => Self::Audio,
            "voice" => Self::Voice,
            "animation" => Self::Animation,
            "video_note" => Self::VideoNote,
            "sticker" => Self::Sticker,
            _ => return None,
        })
    }

    /// The kind that a method sends.
    pub(crate) fn of_method(method: &str) -> Option<Self> {
        Some(match method {
            "sendPhoto" => Self::Photo,
            "sendVideo" => Self::Video,
            "sendDocument" => Self::Document,
            "sendAudio" => Self::Audio,
            "sendVoice" => Self::Voice,
            "sendAnimation" => Self::Animation,
            "sendVideoNote" => Self::VideoNote,
            "sendSticker" => Self::Sticker,
            _ => return None,
        })
    }

    /// Field of the message and of the call.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::Document => "document",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Animation => "animation",
            Self::VideoNote => "video_note",
            Self::Sticker => "sticker",
        }
    }

    /// Folder of its path.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Photo => "photos",
            Self::Video => "videos",
            Self::Document => "documents",
            Self::Audio => "music",
            Self::Voice => "voice",
            Self::Animation => "animations",
            Self::VideoNote => "video_notes",
            Self::Sticker => "stickers",
        }
    }

    pub(crate) fn usual_name(self) -> &'static str {
        match self {
            Self::Photo => "photo.jpg",
            Self::Video | Self::Animation | Self::VideoNote => "video.mp4",
            Self::Document => "document.pdf",
            Self::Audio => "audio.mp3",
            Self::Voice => "voice.oga",
            Self::Sticker => "sticker.webp",
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Photo => "image/jpeg",
            Self::Video | Self::Animation | Self::VideoNote => "video/mp4",
            Self::Document => "application/pdf",
            Self::Audio => "audio/mpeg",
            Self::Voice => "audio/ogg",
            Self::Sticker => "image/webp",
        }
    }

    /// Puts the file into a message. Sizes and durations are invented: nobody looks into the file.
    pub(crate) fn describe(self, message: &mut Map<String, Value>, file: &StoredFile) {
        let base = json!({ "file_id": file.id, "file_unique_id": file.unique_id, "file_size": file.size });
        let with = |more: Value| {
            let (mut all, more) = (base.clone(), more);
            if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
                all.extend(more);
            }
            all
        };
        let described = match self {
            Self::Photo => Value::Array(vec![with(json!({ "width": 1280, "height": 960 }))]),
            Self::Video | Self::Animation => with(json!({
                "width": 640, "height": 480, "duration": 3,
                "file_name": file.name, "mime_type": file.content_type,
            })),
            Self::Document => with(json!({ "file_name": file.name, "mime_type": file.content_type })),
            Self::Audio => {
                with(json!({ "duration": 3, "file_name": file.name, "mime_type": file.content_type }))
            }
            Self::Voice => with(json!({ "duration": 3, "mime_type": file.content_type })),
            Self::VideoNote => with(json!({ "length": 240, "duration": 3 })),
            Self::Sticker => with(json!({
                "type": "regular", "width": 512, "height": 512, "is_animated": false, "is_video": false,
            })),
        };
        if self == Self::Animation {
            // Telegram fills both, for clients older than animations.
            let document = with(json!({ "file_name": file.name, "mime_type": file.content_type }));
            message.insert("document".into(), document);
        }
        message.insert(self.field().into(), described);
    }

    /// Whether a message of this kind carries a caption.
    pub(crate) fn has_caption(self) -> bool {
        !matches!(self, Self::VideoNote | Self::Sticker)
    }
}
