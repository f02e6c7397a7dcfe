//! When the next message may leave: buckets per bot, per class and per chat, in memory.
//!
//! Own arithmetic (see `gcra`) instead of a limiter library, because a send must take from several buckets or from
//! none, at a moment in the future, and because the reply bucket of a bot changes its rate.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use botloom_core::ids::{BotId, Lane};
use botloom_core::ports::OutClass;
use tokio::time::Instant;

use super::gcra::{Bucket, Rate};
use crate::options::SendLimits;

/// A second refusal of several chats counts as one of the bot within this time.
const CHATS_WINDOW: Duration = Duration::from_secs(2);
/// So many chats of a bot told to wait within [`CHATS_WINDOW`] mean that the bot is.
const CHATS_FOR_BOT: usize = 3;
/// After a quiet minute the rate of replies grows by a tenth.
const QUIET: Duration = Duration::from_mins(1);
/// Replies are free again when their rate has grown to this multiple of the starting point.
const FREE_AGAIN: f64 = 10.0;
/// A share is never less than this: a rate of nothing would be no rate.
const SMALLEST_SHARE: f64 = 0.01;
/// Buckets kept before the full ones are forgotten early.
const MAX_CHATS: usize = 1_000_000;

/// The pacer of a node.
#[derive(Debug)]
pub(super) struct Pacer {
    limits: SendLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chats: HashMap<Lane, Bucket>,
    bots: HashMap<BotId, BotPace>,
    swept: Option<Instant>,
    /// Nodes that send, as far as known; 0 and 1 are the same.
    nodes: usize,
}

#[derive(Debug, Default)]
struct BotPace {
    total: Bucket,
    bulk: Bucket,
    replies: Bucket,
    /// Replies per second; `None`: not bound.
    reply_rate: Option<f64>,
    /// When the rate last changed.
    changed: Option<Instant>,
    parked: Option<Instant>,
    /// Chats that were told to wait, with the moment.
    refused: Vec<(Lane, Instant)>,
    /// Messages that wanted a rate of the bot since the shares were last given out.
    wanted: u64,
    /// This node's share of the bot's rates; `None` until it was told.
    share: Option<f64>,
}

impl Pacer {
    pub(super) fn new(limits: SendLimits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Buckets are valid after any single assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a send and answers how long to wait for it; reserves nothing if that is longer than `most`.
    pub(super) fn reserve(
        &self,
        lane: &Lane,
        method: &str,
        class: OutClass,
        now: Instant,
        most: Duration,
    ) -> Result<Duration, Duration> {
        let mut state = self.lock();
        let State {
            chats, bots, nodes, ..
        } = &mut *state;
        let fair = fair_share(*nodes);
        let bot = match bots.get_mut(&lane.bot) {
            Some(bot) => bot,
            None => bots.entry(lane.bot.clone()).or_default(),
        };
        bot.recover(self.limits.bot_per_s, now);
        let second = Duration::from_secs(1);
        let share = bot.share.unwrap_or(fair);
        let per_s = |rate: f64| Rate::new(rate * share, second, 1);
        let bulk = (class == OutClass::Bulk)
            .then(|| per_s(self.limits.bulk_per_s))
            .flatten();
        let total = (class == OutClass::Bulk)
            .then(|| per_s(self.limits.bot_per_s))
            .flatten();
        let replies = (class == OutClass::Reply)
            .then(|| bot.reply_rate.and_then(per_s))
            .flatten();
        let chat_rate = self.chat_rate(lane, method, class);
        if bulk.or(total).or(replies).is_some() {
            bot.wanted += 1;
        }
        let mut chat = chat_rate.map(|_| chats.get(lane).copied().unwrap_or_default());

        let mut wait = bot
            .parked
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        for (bucket, rate) in [(&bot.bulk, bulk), (&bot.total, total), (&bot.replies, replies)] {
            wait = wait.max(rate.map_or(Duration::ZERO, |rate| bucket.wait(rate, now)));
        }
        if let (Some(bucket), Some(rate)) = (chat, chat_rate) {
            wait = wait.max(bucket.wait(rate, now));
        }
        if wait > most {
            return Err(wait);
        }
        let at = now + wait;
        for (bucket, rate) in [
            (&mut bot.bulk, bulk),
            (&mut bot.total, total),
            (&mut bot.replies, replies),
        ] {
            if let Some(rate) = rate {
                bucket.take(rate, at);
            }
        }
        if let (Some(bucket), Some(rate)) = (&mut chat, chat_rate) {
            bucket.take(rate, at);
            match chats.get_mut(lane) {
                Some(kept) => *kept = *bucket,
                None => {
                    chats.insert(lane.clone(), *bucket);
                }
            }
        }
        state.sweep(now);
        Ok(wait)
    }

    /// Telegram counts what shows up in a chat; answers to queries, reactions and deletions do not.
    fn chat_rate(&self, lane: &Lane, method: &str, class: OutClass) -> Option<Rate> {
        let shows = (method.starts_with("send") && method != "sendChatAction") || method.starts_with("edit");
        if !shows || class == OutClass::Urgent {
            return None;
        }
        let limits = &self.limits;
        if lane.chat.telegram_chat().is_some_and(|id| id < 0) {
            Rate::new(limits.group_per_min, Duration::from_mins(1), limits.group_burst)
        } else {
            Rate::new(limits.chat_per_s, Duration::from_secs(1), limits.chat_burst)
        }
    }

    /// Notes that Telegram told a chat to wait. Answers whether the whole bot is meant: then nothing of it leaves
    /// before `until`.
    pub(super) fn refused(&self, lane: &Lane, now: Instant, until: Instant) -> bool {
        let mut state = self.lock();
        let bot = state.bots.entry(lane.bot.clone()).or_default();
        bot.refused
            .retain(|(other, at)| other != lane && now.duration_since(*at) <= CHATS_WINDOW);
        bot.refused.push((lane.clone(), now));
        if bot.refused.len() < CHATS_FOR_BOT {
            return false;
        }
        bot.refused.clear();
        bot.parked = bot.parked.max(Some(until));
        if self.limits.bot_per_s > 0.0 {
            let slower = bot
                .reply_rate
                .map_or(self.limits.bot_per_s, |rate| (rate / 2.0).max(1.0));
            bot.reply_rate = Some(slower);
            bot.changed = Some(now);
        }
        true
    }

    /// Bots whose messages wanted a rate since this was last asked, and how many did. Shares of other bots are
    /// forgotten: another node may have all of the rate meanwhile.
    pub(super) fn backlogs(&self, nodes: usize) -> Vec<(BotId, u64)> {
        let mut state = self.lock();
        state.nodes = nodes;
        let mut backlogs = Vec::new();
        for (id, bot) in &mut state.bots {
            match std::mem::take(&mut bot.wanted) {
                0 => bot.share = None,
                wanted => backlogs.push((id.clone(), wanted)),
            }
        }
        backlogs
    }

    /// Notes this node's share of a bot's rates; `None`: nobody knows.
    pub(super) fn set_share(&self, bot: &BotId, share: Option<f64>) {
        if let Some(bot) = self.lock().bots.get_mut(bot) {
            bot.share = share.map(|share| share.clamp(SMALLEST_SHARE, 1.0));
        }
    }

    /// How long nothing of a bot may leave.
    pub(super) fn parked(&self, bot: &BotId, now: Instant) -> Option<Duration> {
        let until = self.lock().bots.get(bot)?.parked?;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Lets a bot send again.
    pub(super) fn unpark(&self, bot: &BotId) {
        if let Some(bot) = self.lock().bots.get_mut(bot) {
            bot.parked = None;
        }
    }
}

/// What a node takes of a bot's rates before it was told: as much as any other.
fn fair_share(nodes: usize) -> f64 {
    u32::try_from(nodes.max(1)).map_or(SMALLEST_SHARE, |nodes| f64::from(nodes).recip())
}

impl BotPace {
    fn recover(&mut self, start: f64, now: Instant) {
        let (Some(rate), Some(changed)) = (self.reply_rate, self.changed) else {
            return;
        };
        let minutes = now.duration_since(changed).as_secs() / QUIET.as_secs();
        if minutes == 0 {
            return;
        }
        let grown = rate * 1.1_f64.powi(i32::try_from(minutes).unwrap_or(i32::MAX));
        self.reply_rate = Some(grown).filter(|grown| *grown < start * FREE_AGAIN);
        self.changed = Some(now);
    }

    fn is_forgettable(&self, now: Instant) -> bool {
        self.reply_rate.is_none()
            && self.wanted == 0
            && self.parked.is_none_or(|until| until <= now)
            && self
                .refused
                .iter()
                .all(|(_, at)| now.duration_since(*at) > CHATS_WINDOW)
            && [self.total, self.bulk, self.replies]
                .into_iter()
                .all(|bucket| bucket.is_full(now))
    }
}

impl State {
    /// Forgets what is as good as new, once a minute, so that memory follows the chats that are being written to.
    fn sweep(&mut self, now: Instant) {
        let due = self.swept.is_none_or(|at| now.duration_since(at) >= QUIET) || self.chats.len() > MAX_CHATS;
        if due {
            self.swept = Some(now);
            self.chats.retain(|_, bucket| !bucket.is_full(now));
            self.bots.retain(|_, bot| !bot.is_forgettable(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn lane(chat: i64) -> Lane {
        Lane {
            bot: BotId::new("bot").unwrap(),
            chat: chat.into(),
        }
    }

    fn waits(pacer: &Pacer, lane: &Lane, class: OutClass, now: Instant, count: usize) -> Vec<u128> {
        (0..count)
            .map(|_| {
                pacer
                    .reserve(lane, "sendMessage", class, now, LONG)
                    .unwrap()
                    .as_millis()
            })
            .collect()
    }

    #[test]
    fn private_chats_and_groups() {
        let (pacer, now) = (Pacer::new(SendLimits::default()), Instant::now());
        assert_eq!(
            waits(&pacer, &lane(1), OutClass::Reply, now, 5),
            [0, 0, 0, 1_000, 2_000]
        );
        assert_eq!(
            waits(&pacer, &lane(-1), OutClass::Reply, now, 7),
            [0, 0, 0, 0, 0, 3_000, 6_000]
        );
        assert_eq!(
            waits(&pacer, &lane(1), OutClass::Urgent, now, 2),
            [0, 0],
            "urgent ones do not queue"
        );
        assert_eq!(
            pacer.reserve(
                &lane(1),
                "sendMessage",
                OutClass::Reply,
                now,
                Duration::from_secs(2)
            ),
            Err(Duration::from_secs(3))
        );
        assert_eq!(
            waits(&pacer, &lane(1), OutClass::Reply, now, 1),
            [3_000],
            "what did not fit reserved nothing"
        );
    }

    #[test]
    fn bulk_is_bound_and_replies_are_not() {
        let (pacer, now) = (Pacer::new(SendLimits::default()), Instant::now());
        let bulk: Vec<_> = (0..4)
            .flat_map(|chat| waits(&pacer, &lane(chat), OutClass::Bulk, now, 1))
            .collect();
        assert_eq!(bulk, [0, 40, 80, 120]);
        assert!((100..400).all(|chat| waits(&pacer, &lane(chat), OutClass::Reply, now, 1) == [0]));
    }

    #[test]
    fn zero_switches_a_limit_off() {
        let limits = SendLimits {
            chat_per_s: 0.0,
            bulk_per_s: 0.0,
            bot_per_s: 0.0,
            ..SendLimits::default()
        };
        let (pacer, now) = (Pacer::new(limits), Instant::now());
        assert_eq!(waits(&pacer, &lane(1), OutClass::Bulk, now, 50), vec![0; 50]);
    }

    #[test]
    fn three_chats_park_the_bot_and_bind_its_replies() {
        let (pacer, now) = (Pacer::new(SendLimits::default()), Instant::now());
        let until = now + Duration::from_secs(4);
        assert!(!pacer.refused(&lane(1), now, until));
        assert!(
            !pacer.refused(&lane(1), now, until),
            "the same chat twice is one chat"
        );
        assert!(!pacer.refused(&lane(2), now, until));
        assert!(
            !pacer.refused(&lane(3), now + Duration::from_secs(3), until),
            "too late to count with the others"
        );
        let later = now + Duration::from_secs(4);
        assert!(!pacer.refused(&lane(4), later, until));
        assert!(pacer.refused(&lane(5), later, later + Duration::from_secs(4)));
        assert_eq!(pacer.parked(&lane(9).bot, later), Some(Duration::from_secs(4)));
        assert_eq!(waits(&pacer, &lane(9), OutClass::Reply, later, 1), [4_000]);
        pacer.unpark(&lane(9).bot);
        let spread: Vec<_> = (20..23)
            .flat_map(|chat| {
                waits(
                    &pacer,
                    &lane(chat),
                    OutClass::Reply,
                    later + Duration::from_secs(5),
                    1,
                )
            })
            .collect();
        assert_eq!(spread, [0, 33, 66]);
        let much_later = later + 60 * Duration::from_mins(1);
        let free: Vec<_> = (20..40)
            .flat_map(|chat| waits(&pacer, &lane(chat), OutClass::Reply, much_later, 1))
            .collect();
        assert_eq!(free, vec![0; 20]);
    }

    /// Two nodes send as much as they may, for bots whose shares change every second as their backlogs do.
    #[test]
    fn nodes_that_share_a_rate_keep_to_it_together() {
        let start = Instant::now();
        let limits = SendLimits::default();
        let pacers = [Pacer::new(limits), Pacer::new(limits)];
        let mut sends: Vec<Duration> = Vec::new();
        let mut wants = [start; 2];
        for second in 0..20_u32 {
            let skew = f64::from(second % 5) / 5.0;
            for (pacer, share) in pacers.iter().zip([skew, 1.0 - skew]) {
                assert!(pacer.backlogs(2).len() <= 1);
                pacer.set_share(&lane(1).bot, (second > 0).then_some(share.max(SMALLEST_SHARE)));
            }
            let end = start + Duration::from_secs(u64::from(second) + 1);
            for (pacer, at) in pacers.iter().zip(&mut wants) {
                for chat in 0.. {
                    let wait = pacer.reserve(
                        &lane(i64::from(second) * 1_000 + chat + 1),
                        "sendMessage",
                        OutClass::Bulk,
                        *at,
                        end.saturating_duration_since(*at),
                    );
                    let Ok(wait) = wait else {
                        *at = end;
                        break;
                    };
                    *at += wait;
                    sends.push(at.duration_since(start));
                }
            }
        }
        sends.sort();
        assert!(
            sends.len() > 400,
            "the rate is used, not only kept to: {}",
            sends.len()
        );
        for (first, from) in sends.iter().enumerate() {
            for (last, to) in sends.iter().enumerate().skip(first) {
                let window = to.saturating_sub(*from).as_secs_f64();
                let sent = f64::from(u32::try_from(last - first + 1).unwrap());
                // One more for each node: their buckets do not know of each other. And 1 % for a share of nothing.
                assert!(
                    sent <= limits.bulk_per_s * 1.01 * window + 3.0,
                    "{sent} sends within {window} s"
                );
            }
        }
    }

    #[test]
    fn who_has_no_share_yet_takes_that_of_one_among_many() {
        let (pacer, now) = (Pacer::new(SendLimits::default()), Instant::now());
        assert!(pacer.backlogs(4).is_empty());
        let bulk = |chat| waits(&pacer, &lane(chat), OutClass::Bulk, now, 1)[0];
        assert_eq!([bulk(1), bulk(2), bulk(3)], [0, 160, 320]);
        assert_eq!(pacer.backlogs(4), [(lane(1).bot, 3)]);
        pacer.set_share(&lane(1).bot, Some(1.0));
        assert_eq!([bulk(4), bulk(5)], [480, 520]);
        waits(&pacer, &lane(6), OutClass::Reply, now, 1);
        assert_eq!(
            pacer.backlogs(4),
            [(lane(1).bot, 2)],
            "replies that are not bound want nothing"
        );
        assert!(pacer.backlogs(4).is_empty());
        assert_eq!(
            [bulk(7), bulk(8)],
            [560, 720],
            "who stopped asking has to ask again"
        );
    }

    #[test]
    fn memory_follows_the_chats_in_use() {
        let (pacer, now) = (Pacer::new(SendLimits::default()), Instant::now());
        for chat in 0..1_000 {
            waits(&pacer, &lane(chat), OutClass::Reply, now, 1);
        }
        waits(&pacer, &lane(1), OutClass::Reply, now + Duration::from_mins(2), 1);
        assert_eq!(
            pacer.lock().chats.len(),
            1,
            "only the one that was written to just now"
        );
    }
}
