//! A file sent with a message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file that Telegram fetches from `url`, or already has as `fileId`: exactly one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [{"required": ["url"]}, {"required": ["fileId"]}]))]
pub struct Media {
    /// How Telegram shows it.
    pub kind: MediaKind,
    /// Where Telegram fetches the file: `https`, placeholders allowed after the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub url: Option<String>,
    /// Id of a file that Telegram has; placeholders allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub file_id: Option<String>,
}

/// How Telegram shows a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum MediaKind {
    /// `sendPhoto`.
    Photo,
    /// `sendVideo`.
    Video,
    /// `sendDocument`.
    Document,
    /// `sendAudio`.
    Audio,
    /// `sendVoice`.
    Voice,
    /// `sendAnimation`.
    Animation,
}
