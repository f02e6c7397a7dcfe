//! `getUpdates` for bots without a webhook, through the same door. The offset moves only past updates that the door
//! took, so what is lost on the way is asked for again.
//!
//! Of several nodes the home of a bot polls it. When homes move, the new one asks from the first update that was not
//! confirmed; while two nodes ask, Telegram refuses one of them, and what both get is a duplicate at the door.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use botloom_core::event::BotEvent;
use botloom_core::ids::BotId;
use botloom_telegram::{CallError, Class, GetUpdates, classify};
use bytes::Bytes;
use serde::Deserialize;
use tokio::task::JoinHandle;

use crate::bots::LiveBot;
use crate::ingress::{Door, Refusal};
use crate::node::Node;

/// How often the list of polled bots is looked through, in case a change was missed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause when the bot is too far behind.
const BUSY: Duration = Duration::from_secs(5);
/// Pause when the store did not take the updates.
const AGAIN: Duration = Duration::from_millis(500);

/// Refusals in a row after which somebody else seems to ask for a bot's updates: one comes about when homes move.
const CONFLICTS: u32 = 2;

/// Asks for the updates of all bots that are polled and have their home here.
#[derive(Debug)]
pub(crate) struct Poller {
    pub(crate) node: Arc<Node>,
    pub(crate) door: Arc<Door>,
}

impl Poller {
    /// Keeps one task for each polled bot until the node goes down.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut changes = self.node.bots.changes();
        let mut moves = self.node.membership.moves();
        let mut running: HashMap<BotId, JoinHandle<()>> = HashMap::new();
        loop {
            running.retain(|_, task| !task.is_finished());
            let most = self.node.options.poll.bots;
            for bot in self.node.bots.all().into_iter().filter(|bot| self.polls(bot)) {
                if running.contains_key(&bot.id) {
                    continue;
                }
                if running.len() >= most {
                    tracing::warn!(most, "more bots want polling than this node polls");
                    break;
                }
                let poller = Arc::clone(&self);
                let id = bot.id.clone();
                running.insert(
                    bot.id.clone(),
                    self.node.tasks.spawn(async move { poller.poll(id).await }),
                );
            }
            tokio::select! {
                () = self.node.draining.cancelled() => return,
                _ = changes.changed() => {}
                _ = moves.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Whether this node asks for the bot's updates.
    fn polls(&self, bot: &LiveBot) -> bool {
        bot.is_polled() && self.node.membership.is_home(&bot.id)
    }

    /// Asks for one bot's updates until this node does not poll it any more.
    async fn poll(&self, id: BotId) {
        let options = self.node.options.poll;
        let (mut offset, mut pause, mut conflicts) = (0, options.first_pause, 0);
        let mut asked: Option<Arc<LiveBot>> = None;
        while let Some(bot) = self.node.bots.known(&id).filter(|bot| self.polls(bot)) {
            if asked.as_ref().is_some_and(|before| !before.has_token_of(&bot)) {
                // It may be another bot at Telegram: the old offset would confirm updates that nobody saw.
                (offset, pause, conflicts) = (0, options.first_pause, 0);
            }
            asked = Some(Arc::clone(&bot));
            let outcome = tokio::select! {
                biased;
                () = self.node.draining.cancelled() => return,
                () = self.until_other(&bot) => continue,
                outcome = self.ask(&bot, offset) => outcome,
            };
            let error = match outcome {
                Ok(updates) => {
                    (pause, conflicts) = (options.first_pause, 0);
                    if let Some(next) = self.hand_in(&bot, updates).await {
                        offset = next;
                    }
                    continue;
                }
                Err(error) => error,
            };
            let wait = match classify(&error, "getUpdates") {
                Class::Unauthorized => {
                    if let Err(error) = self.node.bots.refused(&bot).await {
                        tracing::warn!(bot = %id, error = %error, "a bot whose token is refused could not be suspended");
                    }
                    pause
                }
                Class::ConflictingConsumer => {
                    self.node.meters.poll_conflicts.increment(1);
                    conflicts += 1;
                    if conflicts == CONFLICTS {
                        self.report_conflict(&bot, &error);
                    }
                    pause
                }
                Class::RetryAfter { secs } => Duration::from_secs(secs.into()),
                _ => {
                    tracing::info!(bot = %id, error = %error, "asking for updates failed");
                    pause
                }
            };
            pause = (pause * 2).min(options.longest_pause);
            tokio::select! {
                () = self.node.draining.cancelled() => return,
                () = self.until_other(&bot) => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn ask(&self, bot: &LiveBot, offset: i64) -> Result<Vec<Bytes>, CallError> {
        let token = bot.token.as_ref().expect("polled bots have a token");
        let program = match bot.revision {
            Some(active) => self.node.revisions.get(&bot.id, &active.rev).await.ok(),
            None => None,
        };
        let kinds: Option<Vec<&str>> = program
            .as_ref()
            .map(|program| program.allowed_updates.iter().map(String::as_str).collect());
        let hold = u8::try_from(self.node.options.poll.hold.as_secs())
            .unwrap_or(50)
            .min(50);
        let poll = GetUpdates {
            offset,
            limit: 100,
            timeout_secs: hold,
            allowed_updates: kinds.as_deref(),
        };
        let updates = self.node.telegram.get_updates(token, poll).await?;
        Ok(updates
            .into_iter()
            .map(|update| Bytes::from(String::from(Box::<str>::from(update))))
            .collect())
    }

    /// Brings updates to the door until it takes them; answers the offset after them. `None`: none came, the bot is
    /// another one or not polled here any more, or the node goes down.
    async fn hand_in(&self, bot: &Arc<LiveBot>, updates: Vec<Bytes>) -> Option<i64> {
        #[derive(Deserialize)]
        struct Numbered {
            update_id: i64,
        }
        let number = |update: &Bytes| {
            serde_json::from_slice::<Numbered>(update)
                .ok()
                .map(|update| update.update_id)
        };
        let next = updates.iter().filter_map(number).max()?.saturating_add(1);
        loop {
            let wait = match self.door.accept(bot, updates.clone()).await {
                Ok(()) => return Some(next),
                Err(Refusal::Busy) => BUSY,
                Err(Refusal::Unavailable) => AGAIN,
            };
            tokio::select! {
                () = self.node.draining.cancelled() => return None,
                () = self.until_other(bot) => return None,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Resolves when the bot is not polled here any more, or with another token.
    async fn until_other(&self, bot: &LiveBot) {
        let (mut changes, mut moves) = (self.node.bots.changes(), self.node.membership.moves());
        while self
            .node
            .bots
            .known(&bot.id)
            .is_some_and(|now| self.polls(&now) && now.has_token_of(bot))
        {
            let changed = tokio::select! {
                changed = changes.changed() => changed,
                moved = moves.changed() => moved,
            };
            if changed.is_err() {
                return;
            }
        }
    }

    fn report_conflict(&self, bot: &LiveBot, error: &CallError) {
        tracing::warn!(bot = %bot.id, error = %error, "somebody else takes the bot's updates");
        let webhook = matches!(error, CallError::Api { description, .. } if description.contains("webhook"));
        if webhook {
            // The checks of webhooks find it, and tell of its end too.
            return;
        }
        let reason = format!("Somebody else takes the bot's updates: {error}");
        let findings = Vec::new();
        let event = BotEvent::WebhookDrifted { reason, findings };
        self.node.reports.tell(bot.project, &bot.id, event);
    }
}
