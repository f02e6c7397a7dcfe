//! A bot: its name, its updates, the ways to it, its menus.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::conversation::Conversation;
use super::queue::Queue;
use crate::Token;
use crate::simulator::flood::Bucket;
use crate::simulator::lanes::Lanes;
use crate::simulator::people::WebhookChaos;

#[derive(Debug)]
pub(crate) struct Bot {
    pub(crate) token: Token,
    pub(crate) username: String,
    pub(crate) first_name: String,
    pub(crate) conversations: HashMap<i64, Conversation>,
    pub(crate) queue: Queue,
    /// Subscribed kinds; `None`: the default ones.
    pub(crate) allowed: Option<Vec<String>>,
    pub(crate) webhook: Option<Webhook>,
    pub(crate) chaos: WebhookChaos,
    pub(crate) poll: Poll,
    /// Wakes long polls and the webhook's deliveries.
    pub(crate) wake: Arc<Notify>,
    /// Questions that wait for an answer, by id.
    pub(crate) queries: HashMap<String, Query>,
    /// Commands by scope (JSON text) and language.
    pub(crate) commands: BTreeMap<(String, String), Value>,
    /// Name, description and short description by language.
    pub(crate) texts: BTreeMap<(&'static str, String), String>,
    /// Menu buttons by chat; of all chats under `None`.
    pub(crate) menus: BTreeMap<Option<i64>, Value>,
    pub(crate) admin_rights: BTreeMap<bool, Value>,
    /// Whether people can make bots that it manages.
    pub(crate) manages: bool,
    /// The bot that manages this one.
    pub(crate) manager: Option<i64>,
    pub(crate) bulk: Bucket,
    pub(crate) webhook_changes: Bucket,
}

/// A press, inline query or payment question that the bot is to answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query {
    pub(crate) method: &'static str,
    pub(crate) expires: Duration,
}

/// Where updates are posted to.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) url: url::Url,
    pub(crate) url_text: String,
    pub(crate) secret: Option<String>,
    pub(crate) max_connections: u32,
    pub(crate) ip_address: Option<String>,
    pub(crate) has_certificate: bool,
    pub(crate) lanes: Lanes,
    /// Unix seconds and words.
    pub(crate) last_error: Option<(i64, String)>,
    /// Since when the receiver has answered nothing but 410.
    pub(crate) gone_since: Option<Duration>,
    /// Ends this webhook's deliveries.
    pub(crate) ended: CancellationToken,
}

/// Why a long poll stops before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PollEnd {
    /// Another one began.
    OtherPoll,
    /// A webhook was set.
    Webhook,
}

/// The one long poll that a bot may have.
#[derive(Debug, Default)]
pub(crate) struct Poll {
    /// Number of the newest poll; older ones stop.
    pub(crate) newest: u64,
    /// Polls up to this number were ended by a webhook.
    pub(crate) ended_by_webhook: u64,
    /// Offset and beginning of the last poll.
    pub(crate) last: Option<(i64, Duration)>,
    /// When the last conflict was answered.
    pub(crate) conflict_at: Option<Duration>,
}

impl Bot {
    pub(super) fn new(token: Token, first_update: i64) -> Self {
        let username = format!("bot{}_bot", token.bot_id());
        Self {
            token,
            first_name: username.clone(),
            username,
            conversations: HashMap::new(),
            queue: Queue::new(first_update),
            allowed: None,
            webhook: None,
            chaos: WebhookChaos::default(),
            poll: Poll::default(),
            wake: Arc::new(Notify::new()),
            queries: HashMap::new(),
            commands: BTreeMap::new(),
            texts: BTreeMap::new(),
            menus: BTreeMap::new(),
            admin_rights: BTreeMap::new(),
            manages: false,
            manager: None,
            bulk: Bucket::default(),
            webhook_changes: Bucket::default(),
        }
    }

    /// The bot as the sender of a message.
    pub(crate) fn as_user(&self) -> Value {
        json!({ "id": self.token.bot_id(), "is_bot": true, "first_name": self.first_name, "username": self.username })
    }

    /// The bot as `getMe` shows it.
    pub(crate) fn as_me(&self) -> Value {
        let mut me = self.as_user();
        for (flag, value) in [
            ("can_join_groups", true),
            ("can_read_all_group_messages", false),
            ("supports_guest_queries", false),
            ("supports_inline_queries", false),
            ("can_connect_to_business", false),
            ("has_main_web_app", false),
            ("has_topics_enabled", false),
            ("allows_users_to_create_topics", false),
            ("can_manage_bots", self.manages),
            ("supports_join_request_queries", false),
        ] {
            me[flag] = value.into();
        }
        me
    }

    /// Ends the long poll that runs, if one does.
    pub(crate) fn end_poll_for_webhook(&mut self) {
        self.poll.ended_by_webhook = self.poll.newest;
        self.wake.notify_waiters();
    }

    /// Ends the webhook, if one is set.
    pub(crate) fn end_webhook(&mut self) {
        if let Some(webhook) = self.webhook.take() {
            webhook.ended.cancel();
        }
    }
}

impl Poll {
    /// Whether the poll of this number has to stop.
    pub(crate) fn end_of(&self, number: u64) -> Option<PollEnd> {
        if number <= self.ended_by_webhook {
            Some(PollEnd::Webhook)
        } else if number < self.newest {
            Some(PollEnd::OtherPoll)
        } else {
            None
        }
    }
}
