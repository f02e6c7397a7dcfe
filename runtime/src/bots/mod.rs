//! The bots that this node serves, in memory: who may knock, with which token to send.
//!
//! Rows come from the catalog when a bot is first heard of, when a notice says that it changed, and when it shows every few
//! seconds that any did. While the catalog is away, bots that are known stay known.

mod live;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use botloom_core::ids::BotId;
use botloom_core::model::BotRow;
use botloom_core::ports::{BotMark, BotsMark, Bus, Catalog, Notice, StoreError, StoreResult};
use botloom_core::vault::Vault;
use moka::sync::Cache;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use live::LiveBot;

/// How long an answer "no such bot" is kept: strangers may ask for anything.
const ABSENT_FOR: Duration = Duration::from_secs(2);
/// Such answers that are kept.
const ABSENT_KEPT: u64 = 10_000;
/// Least time between two looks at a bot whose secret somebody did not know.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long a look into the catalog may take.
const LOOK_WITHIN: Duration = Duration::from_secs(3);
/// So many changed rows are read one by one; of more, all are read at once.
const ONE_BY_ONE: usize = 32;
/// Every so many looks at the catalog, what is known is compared with it though nothing seems to have changed.
const COMPARE_EVERY: u32 = 30;

/// What is known of a bot.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// It exists.
    Live(Arc<LiveBot>),
    /// It was deleted; its id stays taken.
    Deleted,
    /// Nobody ever made it.
    Unknown,
}

/// The directory. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Bots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    catalog: Arc<dyn Catalog>,
    bus: Arc<dyn Bus>,
    vault: Vault,
    known: RwLock<HashMap<BotId, Arc<LiveBot>>>,
    absent: Cache<BotId, Found>,
    /// Bots that were looked at again a moment ago.
    again: Cache<BotId, ()>,
    changes: watch::Sender<u64>,
    /// A bot was forgotten on the word of one look, which may have been late: all are to be compared.
    doubt: AtomicBool,
}

impl Bots {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, bus: Arc<dyn Bus>, vault: Vault) -> Self {
        let absent = Cache::builder()
            .max_capacity(ABSENT_KEPT)
            .time_to_live(ABSENT_FOR)
            .build();
        let again = Cache::builder()
            .max_capacity(ABSENT_KEPT)
            .time_to_live(AGAIN_AFTER)
            .build();
        let changes = watch::Sender::new(0);
        Self(Arc::new(Shared {
            catalog,
            bus,
            vault,
            known: RwLock::default(),
            absent,
            again,
            changes,
            doubt: AtomicBool::new(false),
        }))
    }

    /// From memory, else from the catalog.
    pub(crate) async fn find(&self, id: &BotId) -> StoreResult<Found> {
        if let Some(bot) = self.known(id) {
            return Ok(Found::Live(bot));
        }
        if let Some(found) = self.0.absent.get(id) {
            return Ok(found);
        }
        self.look(id).await
    }

    /// From the catalog, at most once in a while; in between from memory.
    pub(crate) async fn look_again(&self, id: &BotId) -> StoreResult<Found> {
        if self.0.again.contains_key(id) {
            return self.find(id).await;
        }
        self.0.again.insert(id.clone(), ());
        self.look(id).await
    }

    /// From memory alone.
    pub(crate) fn known(&self, id: &BotId) -> Option<Arc<LiveBot>> {
        self.0
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    /// All bots in memory.
    pub(crate) fn all(&self) -> Vec<Arc<LiveBot>> {
        self.0
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Grows whenever a bot in memory changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Telegram refused the token of `bot`: suspends it until a new token is set, unless one was set meanwhile.
    pub(crate) async fn refused(&self, bot: &LiveBot) -> StoreResult<()> {
        let Found::Live(now) = self.look(&bot.id).await? else {
            return Ok(());
        };
        if now.suspended || !now.has_token_of(bot) {
            return Ok(());
        }
        let suspended = self
            .0
            .catalog
            .suspend(&bot.id, now.version, TOKEN_REVOKED)
            .await?;
        if !suspended {
            // It changed since: if the token did not, the next refusal tells.
            return self.look(&bot.id).await.map(drop);
        }
        tracing::warn!(bot = %bot.id, "Telegram refuses the bot's token, the bot is suspended");
        self.look(&bot.id).await?;
        self.0
            .bus
            .publish(Notice::BotChanged { bot: bot.id.clone() })
            .await;
        Ok(())
    }

    async fn look(&self, id: &BotId) -> StoreResult<Found> {
        let row = in_time(self.0.catalog.bot(id)).await?;
        let found = match row {
            None => Found::Unknown,
            Some(row) if row.deleted_at.is_some() => Found::Deleted,
            // Somebody who asked later may have been answered before.
            Some(row) => return Ok(Found::Live(self.learn(&row, LiveBot::is_newer_than))),
        };
        if self.forget(id) {
            self.0.doubt.store(true, Ordering::Relaxed);
        }
        self.0.absent.insert(id.clone(), found.clone());
        Ok(found)
    }

    /// Remembers a row, unless that is known or what is known is to be kept.
    fn learn(&self, row: &BotRow, keep: impl Fn(&LiveBot, &BotRow) -> bool) -> Arc<LiveBot> {
        let stays = |bot: &Arc<LiveBot>| bot.is_as_in(row) || keep(bot, row);
        if let Some(bot) = self.known(&row.id).filter(stays) {
            return bot;
        }
        // Opens secrets; nobody waits for that.
        let bot = Arc::new(LiveBot::open(row, &self.0.vault));
        {
            let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(other) = known.get(&row.id).filter(|bot| stays(bot)) {
                return Arc::clone(other);
            }
            known.insert(row.id.clone(), Arc::clone(&bot));
        }
        self.0.absent.invalidate(&row.id);
        self.0.changes.send_modify(|count| *count += 1);
        bot
    }

    /// Answers whether it was known.
    fn forget(&self, id: &BotId) -> bool {
        let known = self
            .0
            .known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        if known.is_some() {
            self.0.changes.send_modify(|count| *count += 1);
        }
        known.is_some()
    }

    /// Reads what differs from what is known. `seen` is what all rows were like at the last look; where they still are, nothing
    /// is read.
    async fn reconcile(&self, seen: &mut Option<BotsMark>) -> StoreResult<()> {
        let catalog = &self.0.catalog;
        let mark = in_time(catalog.bots_mark()).await?;
        if *seen == Some(mark) {
            return Ok(());
        }
        let live = in_time(catalog.live_bot_marks()).await?;
        let ids: HashSet<&BotId> = live.iter().map(|mark| &mark.id).collect();
        for bot in self.all() {
            if !ids.contains(&bot.id) {
                // Disconnected, deleted, or never deployed: heard of again when somebody asks.
                self.forget(&bot.id);
            }
        }
        let is_known = |mark: &&BotMark| self.known(&mark.id).is_some_and(|bot| bot.is_of(mark));
        let changed: Vec<&BotMark> = live.iter().filter(|mark| !is_known(mark)).collect();
        // What is older than what is known counts too: a catalog may have been restored from a backup. If it was only late,
        // the mark has changed since, and the next look sets it right.
        let learn = |row: &BotRow| {
            if row.deleted_at.is_none() {
                self.learn(row, |_, _| false);
            }
        };
        if changed.len() > ONE_BY_ONE {
            in_time(catalog.live_bots()).await?.iter().for_each(learn);
        } else {
            for mark in changed {
                match in_time(catalog.bot(&mark.id)).await {
                    Ok(row) => row.iter().for_each(learn),
                    // One that cannot be read keeps no other from being read.
                    Err(StoreError::Corrupt(reason)) => {
                        tracing::warn!(bot = %mark.id, reason, "a bot cannot be read from the catalog");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        // What changed since it was asked for gets another mark.
        *seen = Some(mark);
        Ok(())
    }

    /// Follows the catalog until `shutdown`.
    pub(crate) async fn run(self, every: Duration, shutdown: CancellationToken) {
        let mut notices = self.0.bus.subscribe();
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut seen, mut looks) = (None, 0_u32);
        loop {
            let outcome = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => {
                    if looks.is_multiple_of(COMPARE_EVERY) || self.0.doubt.swap(false, Ordering::Relaxed) {
                        seen = None;
                    }
                    looks = looks.wrapping_add(1);
                    self.reconcile(&mut seen).await
                }
                notice = notices.recv() => match notice {
                    Ok(Notice::BotChanged { bot }) => self.look(&bot).await.map(|_| ()),
                    Ok(_) => Ok(()),
                    Err(RecvError::Lagged(_)) => self.reconcile(&mut seen).await,
                    // Nobody publishes any more; the tick goes on.
                    Err(RecvError::Closed) => {
                        notices = self.0.bus.subscribe();
                        tokio::time::sleep(every).await;
                        Ok(())
                    }
                },
            };
            if let Err(error) = outcome {
                tracing::warn!(error = %error, "bots could not be read from the catalog, those known stay known");
            }
        }
    }
}

async fn in_time<T>(answer: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
    tokio::time::timeout(LOOK_WITHIN, answer)
        .await
        .map_err(|_| StoreError::unavailable("the catalog did not answer in time"))?
}

/// Reason of a suspension.
const TOKEN_REVOKED: &str = "token-revoked";
