//! Which kinds of updates a bot wants from Telegram.

use crate::model::BotSpec;

/// The `allowed_updates` of `setWebhook` and `getUpdates` for a bot. Every step kind of version 1 lives on messages.
pub fn allowed_updates(_spec: &BotSpec) -> &'static [&'static str] {
    &["message"]
}
