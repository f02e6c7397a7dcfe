//! The kinds of updates and what Telegram promises for each.

use std::time::Duration;

use super::Text;

/// What an update is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'a> {
    /// One that this version knows.
    Known(Known),
    /// One that is newer than this version. Telegram adds kinds without notice: accept and ignore.
    Unknown(Text<'a>),
}

/// Which id puts updates of a kind in order at Telegram's side. Updates of one queue and id come one after another;
/// everything else may come at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueId {
    /// The chat.
    Chat,
    /// The person who caused it.
    User,
    /// The poll.
    Poll,
}

macro_rules! kinds {
    ($($variant:ident $name:literal $queue:literal $id:ident $ttl:literal $default:literal;)*) => {
        /// The update kinds of Bot API 10.3.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Known {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Known {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Telegram's name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// By Telegram's name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// How long Telegram keeps an undelivered update (open Bot API server 10.0).
            pub fn ttl(self) -> Duration {
                Duration::from_secs(match self { $(Self::$variant => $ttl,)* })
            }

            /// Whether a bot gets it without asking for it in `allowed_updates`.
            pub fn is_default(self) -> bool {
                match self { $(Self::$variant => $default,)* }
            }

            /// Telegram's delivery queue: its name and the id that makes it one queue.
            pub fn queue(self) -> (&'static str, QueueId) {
                match self { $(Self::$variant => ($queue, QueueId::$id),)* }
            }
        }
    };
}

kinds! {
    Message "message" "chat" Chat 86_400 true;
    EditedMessage "edited_message" "chat" Chat 86_400 true;
    ChannelPost "channel_post" "chat" Chat 86_400 true;
    EditedChannelPost "edited_channel_post" "chat" Chat 86_400 true;
    BusinessConnection "business_connection" "user-business" User 86_400 true;
    BusinessMessage "business_message" "business-chat" Chat 86_400 true;
    EditedBusinessMessage "edited_business_message" "business-chat" Chat 86_400 true;
    DeletedBusinessMessages "deleted_business_messages" "business-chat" Chat 86_400 true;
    GuestMessage "guest_message" "guest-chat" Chat 86_400 true;
    MessageReaction "message_reaction" "chat-reaction" Chat 86_400 false;
    MessageReactionCount "message_reaction_count" "chat-reaction-count" Chat 86_400 false;
    InlineQuery "inline_query" "user-inline" User 30 true;
    ChosenInlineResult "chosen_inline_result" "user-chosen" User 600 true;
    CallbackQuery "callback_query" "user-callback" User 150 true;
    ShippingQuery "shipping_query" "user-payment" User 150 true;
    PreCheckoutQuery "pre_checkout_query" "user-payment" User 150 true;
    PurchasedPaidMedia "purchased_paid_media" "user-paid-media" User 86_400 true;
    Poll "poll" "poll" Poll 86_400 true;
    PollAnswer "poll_answer" "poll" Poll 86_400 true;
    MyChatMember "my_chat_member" "chat-my-member" Chat 86_400 true;
    ChatMember "chat_member" "user-member" User 86_400 false;
    ChatJoinRequest "chat_join_request" "user-member" User 86_400 true;
    ChatBoost "chat_boost" "chat-boost" Chat 86_400 true;
    RemovedChatBoost "removed_chat_boost" "chat-boost" Chat 86_400 true;
    ManagedBot "managed_bot" "user-managed-bot" User 86_400 true;
    // Newer than the server whose source names queues and lifetimes; the longest lifetime loses nothing.
    Subscription "subscription" "user-subscription" User 86_400 true;
    StoppedMessageGeneration "stopped_message_generation" "chat-stopped-generation" Chat 86_400 true;
}

impl Known {
    /// Whether its payload is a message (new, edited, of a channel, a business account or a guest).
    pub fn is_message(self) -> bool {
        matches!(
            self,
            Self::Message
                | Self::EditedMessage
                | Self::ChannelPost
                | Self::EditedChannelPost
                | Self::BusinessMessage
                | Self::EditedBusinessMessage
                | Self::GuestMessage
        )
    }
}

impl Kind<'_> {
    /// Telegram's name, also of an unknown kind.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.as_str(),
            Self::Unknown(name) => name,
        }
    }

    /// How long the update is worth anything, counted from the moment it came about. A day for unknown kinds.
    pub fn ttl(&self) -> Duration {
        match self {
            Self::Known(known) => known.ttl(),
            Self::Unknown(_) => Duration::from_hours(24),
        }
    }

    /// Whether the payload is a message; `false` for unknown kinds.
    pub fn is_message(&self) -> bool {
        matches!(self, Self::Known(known) if known.is_message())
    }
}
