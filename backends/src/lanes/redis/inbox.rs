//! The port `Lanes`.
//!
//! Longer than most files: it is one implementation of one trait, a script or two for each method.

use std::collections::HashMap;
use std::time::Instant;

use async_trait::async_trait;
use botloom_core::ports::{
    ActiveRevision, Claims, Commit, CommitOutcome, DeadLetterReason, Direction, Fail, FailOutcome, Ingest,
    IngestOutcome, LaneLease, LaneStats, Lanes, NextTurn, OutClass, OutTurn, QueuedMessage, QueuedUpdate,
    SetRevision, StateChange, StoreError, StoreResult, Token, Turn,
};
use botloom_core::{BotId, ChatId, Lane, TimestampMs};
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use redis::cmd;

use super::reply::{Reply, unexpected};
use super::scripts::{Place, member};
use super::spread::Placed;
use super::watch::Found;
use super::{RedisLanes, args, codec};

/// Reason of letters whose chat has a document that cannot be read; the runtime gives it to documents that are no JSON.
const STATE_CORRUPT: &str = "state-corrupt";

impl RedisLanes {
    /// Takes in the updates of one lane, one after the other: a later one must not be in before an earlier one that has to
    /// be sent again. Ends at the first that fails.
    async fn ingest_lane(
        &self,
        items: &[(usize, &Ingest)],
    ) -> (Vec<(usize, IngestOutcome)>, StoreResult<()>) {
        let mut outcomes = Vec::with_capacity(items.len());
        for (at, item) in items {
            let bot = &item.lane.bot;
            match self.in_place(bot, |spread| self.enter(item, spread)).await {
                Ok(outcome) => outcomes.push((*at, outcome)),
                Err(error) => return (outcomes, Err(error)),
            }
        }
        (outcomes, Ok(()))
    }

    async fn enter(&self, item: &Ingest, spread: u16) -> StoreResult<Placed<IngestOutcome>> {
        let (lane, bot) = (member(&item.lane), &item.lane.bot);
        let shard = self.link.names().shard(bot, &item.lane.chat, spread);
        let mine = self.homes.is_mine(shard);
        let queued = QueuedUpdate {
            dedup: item.dedup.clone(),
            envelope: item.envelope.clone(),
            accepted_at: item.accepted_at,
            trace: item.trace.clone(),
        };
        let (seen, bit) = self.seen_key(bot, &item.dedup);
        let mut args = args![lane, bot].to_vec();
        args.push(codec::update(&queued));
        args.extend(args![
            self.limits.queue_cap.max(1),
            self.heard_if(item.want_turn && mine, shard),
            self.limits.lease_ms,
            self.limits.dedup_ttl_ms,
            bit.map_or_else(String::new, |bit| bit.to_string()),
            spread,
        ]);
        let place = Place {
            seen: &seen,
            ..Place::of(shard, &lane)
        };
        let mut reply = Reply::of(self.call(&self.scripts.ingest, place, &args).await?)?;
        let outcome = match reply.next::<String>()?.as_str() {
            "DUP" => IngestOutcome::Duplicate,
            "FULL" => IngestOutcome::Full,
            "QUEUED" => IngestOutcome::Queued,
            "READY" => {
                self.lane_is_ready(shard);
                IngestOutcome::Ready {
                    backlog: reply.next()?,
                }
            }
            "GRANTED" => {
                self.inbound.touched(shard);
                let score = reply.next()?;
                IngestOutcome::Granted(Box::new(Turn {
                    lease: LaneLease {
                        lane: item.lane.clone(),
                        token: codec::token(score, 0, 1),
                    },
                    revision: revision(reply.next()?)?,
                    attempts: 0,
                    updates: vec![queued],
                    state: codec::document_of(reply.next()?, self.test_now())?,
                }))
            }
            "LAYOUT" => return Ok(Placed::Elsewhere(reply.next()?)),
            _ => return Err(unexpected()),
        };
        Ok(Placed::Here(outcome))
    }

    async fn set_rev(
        &self,
        bot: &BotId,
        revision: ActiveRevision,
        spread: u16,
    ) -> StoreResult<Placed<SetRevision>> {
        let mut newest: Option<ActiveRevision> = None;
        for shard in self.link.names().shards_of(bot, spread) {
            let args = args![bot, revision.epoch, revision.rev, spread];
            let place = Place::of(shard, bot.as_str());
            let mut reply = Reply::of(self.call(&self.scripts.set_rev, place, &args).await?)?;
            match reply.next::<String>()?.as_str() {
                "SET" => {}
                "SUPERSEDED" => {
                    let current = codec::revision_of(&reply.next::<String>()?)?;
                    if newest.is_none_or(|newest| newest.epoch < current.epoch) {
                        newest = Some(current);
                    }
                }
                "LAYOUT" => return Ok(Placed::Elsewhere(reply.next()?)),
                _ => return Err(unexpected()),
            }
        }
        Ok(Placed::Here(
            newest.map_or(SetRevision::Set, SetRevision::Superseded),
        ))
    }

    /// Leases up to `share` ready lanes of a shard and reads their turns.
    pub(super) async fn visit(&self, shard: u16, share: usize) -> StoreResult<Found<Turn>> {
        let args = args![share, self.limits.lease_ms, self.heard_until(shard)];
        let asked = Instant::now();
        let mut reply = Reply::of(
            self.call(&self.scripts.claim, Place::of(shard, ""), &args)
                .await?,
        )?;
        let mut loads = Vec::new();
        let mut claimed = reply.list()?;
        while !claimed.is_empty() {
            let mut turn = claimed.list()?;
            let (name, score, attempts): (String, _, _) = (turn.next()?, turn.next()?, turn.next()?);
            let active: Option<String> = turn.next()?;
            loads.push(async move {
                match lane_of(&name) {
                    Ok(lane) => self.load(shard, lane, score, attempts, active).await,
                    Err(error) => self.forget_name(Direction::In, shard, &name, &error).await,
                }
            });
        }
        let taken = loads.len();
        let left: u64 = reply.next()?;
        let dues: [i64; 2] = [reply.next()?, reply.next()?];
        self.clocks.learn(shard, asked, reply.next()?);
        Ok(Found {
            again: taken == share && left == 0 && share > 0,
            turns: loaded(join_all(loads).await)?,
            ready: left > 0,
            due: first_of(&dues),
        })
    }

    /// Reads what a lease protects: plain reads are enough. Nothing: the lane has no work or it cannot be read.
    async fn load(
        &self,
        shard: u16,
        lane: Lane,
        score: u64,
        attempts: u32,
        active: Option<String>,
    ) -> StoreResult<Option<Turn>> {
        let name = member(&lane);
        let mut entries = cmd("LRANGE");
        entries.arg(self.key("qin", shard, &name));
        entries.arg(0).arg(self.limits.turn_updates - 1);
        let mut state = cmd("GET");
        state.arg(self.key("state", shard, &name));
        let (entries, state): (Vec<Vec<u8>>, _) =
            futures_util::future::try_join(self.link.run(&entries), self.link.run(&state)).await?;
        if entries.is_empty() {
            // The bot was purged in between.
            return Ok(None);
        }
        let lease = LaneLease {
            lane,
            token: codec::token(score, 0, entries.len()),
        };
        self.turn(lease, attempts, active, &entries, state).await
    }

    /// A turn of what is stored. What cannot be read is set aside, so that the lane goes on without it.
    async fn turn(
        &self,
        mut lease: LaneLease,
        attempts: u32,
        active: Option<String>,
        entries: &[Vec<u8>],
        state: Option<Vec<u8>>,
    ) -> StoreResult<Option<Turn>> {
        let revision = match revision(active) {
            Ok(revision) => revision,
            Err(error) => {
                // The bot's next activation sets another one; its updates wait for it.
                tracing::error!(lane = %lease.lane, %error, "a lane waits");
                return Ok(None);
            }
        };
        let mut updates = Vec::with_capacity(entries.len());
        for entry in entries {
            match codec::update_of(entry) {
                Ok(update) => updates.push(update),
                Err(error) if updates.is_empty() => {
                    let reason = DeadLetterReason::Malformed.as_str();
                    return self.set_update_aside(lease, reason, &error).await.map(|()| None);
                }
                // Its turn comes when it is the first.
                Err(_) => break,
            }
        }
        let (score, ..) = codec::parts(lease.token);
        lease.token = codec::token(score, 0, updates.len());
        let state = match codec::document_of(state, self.test_now()) {
            Ok(state) => state,
            Err(error) => {
                return self
                    .set_update_aside(lease, STATE_CORRUPT, &error)
                    .await
                    .map(|()| None);
            }
        };
        Ok(Some(Turn {
            lease,
            revision,
            attempts,
            updates,
            state,
        }))
    }

    async fn commit_one(&self, commit: &Commit) -> StoreResult<CommitOutcome> {
        let lane = &commit.lease.lane;
        let (name, shard) = (member(lane), self.shard(lane));
        let (_, _, given) = codec::parts(commit.lease.token);
        let (change, ttl, document) = match &commit.state {
            StateChange::Keep { ttl_ms: None } => ("keep", 0, Bytes::new()),
            StateChange::Keep { ttl_ms: Some(ttl) } => ("touch", (*ttl).max(0), Bytes::new()),
            StateChange::Put { document, ttl_ms } => {
                ("put", ttl_ms.map_or(-1, |ttl| ttl.max(0)), document.clone())
            }
            StateChange::Delete => ("delete", 0, Bytes::new()),
        };
        let (urgent, others): (Vec<_>, Vec<_>) = commit
            .messages
            .iter()
            .partition(|message| message.class == OutClass::Urgent);
        let mut args = args![
            name,
            lane.bot,
            codec::fence(commit.lease.token, self.limits.lease_ms),
            commit.revision.as_ref().map_or_else(String::new, codec::revision),
            commit.updates.clamp(1, given.max(1)),
            change,
            ttl,
        ]
        .to_vec();
        args.push(document.to_vec());
        args.extend(args![
            self.heard_if(commit.want_out && self.homes.is_mine(shard), shard),
            self.heard_if(commit.next == NextTurn::Keep, shard),
            commit.charge,
            self.limits.lease_ms,
            self.limits.out_lease_ms,
            self.limits.turn_updates,
            urgent.len(),
        ]);
        args.extend(
            urgent
                .iter()
                .chain(&others)
                .map(|message| codec::message(message)),
        );
        let value = self
            .call(&self.scripts.commit, Place::of(shard, &name), &args)
            .await?;
        let mut reply = Reply::of(value)?;
        match reply.next::<String>()?.as_str() {
            "FENCED" => return Ok(CommitOutcome::Fenced),
            "STALE" => return Ok(CommitOutcome::Stale(revision(reply.next()?)?)),
            _ => {}
        }
        let (out_score, out_ready, ready): (u64, u8, u8) = (reply.next()?, reply.next()?, reply.next()?);
        let next_score: u64 = reply.next()?;
        if ready == 1 {
            self.lane_is_ready(shard);
        } else {
            self.inbound.touched(shard);
        }
        if out_ready == 1 {
            self.outbox_is_ready(shard);
        } else if !commit.messages.is_empty() {
            self.outbound.touched(shard);
        }
        let out = (out_score > 0).then(|| {
            let most = self.limits.turn_updates;
            let first = urgent.len().min(most);
            let messages = urgent.iter().chain(&others).take(most);
            let messages: Vec<QueuedMessage> = messages
                .map(|message| QueuedMessage {
                    message: (*message).clone(),
                    attempts: 0,
                    maybe_sent: false,
                })
                .collect();
            Box::new(OutTurn {
                lease: LaneLease {
                    lane: lane.clone(),
                    token: codec::token(out_score, first, messages.len() - first),
                },
                messages,
            })
        });
        let next = if next_score > 0 {
            let (active, state) = (reply.next()?, reply.next()?);
            let entries: Vec<Vec<u8>> = reply.next()?;
            let lease = LaneLease {
                lane: lane.clone(),
                token: codec::token(next_score, 0, entries.len()),
            };
            // The commit is done, whatever becomes of the next turn.
            let next = self.turn(lease, 0, active, &entries, state).await;
            next.ok().flatten().map(Box::new)
        } else {
            None
        };
        Ok(CommitOutcome::Committed { next, out })
    }

    /// Groups leases by shard: indexes into `leases`.
    pub(super) fn by_shard(&self, leases: &[LaneLease]) -> Vec<(u16, Vec<usize>)> {
        let mut groups = std::collections::BTreeMap::<u16, Vec<usize>>::new();
        for (at, lease) in leases.iter().enumerate() {
            groups.entry(self.shard(&lease.lane)).or_default().push(at);
        }
        groups.into_iter().collect()
    }

    /// Prolongs leases of one direction.
    pub(super) async fn renew_in(
        &self,
        leases: &[LaneLease],
        letters: Direction,
        life: i64,
    ) -> StoreResult<Vec<Option<Token>>> {
        let groups = self.by_shard(leases);
        let calls = groups.iter().map(|(shard, group)| async move {
            let mut args = args![life].to_vec();
            for at in group {
                let lease = &leases[*at];
                args.extend(args![member(&lease.lane), codec::fence(lease.token, life)]);
            }
            let place = Place {
                letters,
                ..Place::of(*shard, "")
            };
            let value = self.call(&self.scripts.renew, place, &args).await?;
            <Vec<u64> as redis::FromRedisValue>::from_redis_value(value).map_err(|_| unexpected())
        });
        let mut tokens = vec![None; leases.len()];
        let watch = match letters {
            Direction::In => &self.inbound,
            Direction::Out => &self.outbound,
        };
        for ((shard, group), scores) in groups.iter().zip(try_join_all(calls).await?) {
            watch.touched(*shard);
            for (at, score) in group.iter().zip(scores) {
                tokens[*at] = (score > 0).then(|| codec::renewed(leases[*at].token, score));
            }
        }
        Ok(tokens)
    }
}

#[async_trait]
impl Lanes for RedisLanes {
    async fn ingest(&self, updates: Vec<Ingest>) -> StoreResult<Vec<IngestOutcome>> {
        // In the order in which the lanes come, which is that of their places.
        let (mut lanes, mut numbers) = (Vec::<Vec<(usize, &Ingest)>>::new(), HashMap::new());
        for (at, item) in updates.iter().enumerate() {
            let number = *numbers.entry(&item.lane).or_insert(lanes.len());
            if number == lanes.len() {
                lanes.push(Vec::new());
            }
            lanes[number].push((at, item));
        }
        // All lanes come to their end: what is under way when one fails is not left in the middle.
        let (mut outcomes, mut failed) = (Vec::with_capacity(updates.len()), Ok(()));
        for (entered, ended) in join_all(lanes.iter().map(|items| self.ingest_lane(items))).await {
            outcomes.extend(entered);
            failed = failed.and(ended);
        }
        outcomes.sort_unstable_by_key(|(at, _)| *at);
        let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome);
        if let Err(error) = failed {
            // Nobody will hear of these turns.
            let granted = outcomes.filter_map(|outcome| match outcome {
                IngestOutcome::Granted(turn) => Some(turn.lease),
                _ => None,
            });
            self.release(&granted.collect::<Vec<_>>()).await.ok();
            return Err(error);
        }
        Ok(outcomes.collect())
    }

    async fn claim(&self, max: usize) -> StoreResult<Claims> {
        let now = self.about_now();
        let may = |shard| self.homes.is_mine(shard) || self.helps(shard);
        let visit = |shard, share| self.visit(shard, share);
        let (turns, next_due) = self.inbound.gather(max, now, may, visit).await?;
        Ok(Claims { turns, next_due })
    }

    async fn renew(&self, leases: &[LaneLease]) -> StoreResult<Vec<Option<Token>>> {
        self.renew_in(leases, Direction::In, self.limits.lease_ms).await
    }

    async fn release(&self, leases: &[LaneLease]) -> StoreResult<()> {
        for (shard, group) in self.by_shard(leases) {
            let mut args = Vec::new();
            for at in group {
                let lease = &leases[at];
                let fence = codec::fence(lease.token, self.limits.lease_ms);
                args.extend(args![member(&lease.lane), fence]);
            }
            self.call(&self.scripts.release, Place::of(shard, ""), &args)
                .await?;
            self.lane_is_ready(shard);
        }
        Ok(())
    }

    async fn commit(&self, commits: Vec<Commit>) -> StoreResult<Vec<CommitOutcome>> {
        try_join_all(commits.iter().map(|commit| self.commit_one(commit))).await
    }

    async fn fail(&self, fail: Fail) -> StoreResult<FailOutcome> {
        let lane = &fail.lease.lane;
        let (name, shard) = (member(lane), self.shard(lane));
        let args = args![
            name,
            lane.bot,
            codec::fence(fail.lease.token, self.limits.lease_ms),
            fail.max_attempts,
            fail.retry_at.0,
            fail.reason,
            fail.detail,
            lane.chat,
            self.limits.dead_letter_cap.max(1),
        ];
        let value = self
            .call(&self.scripts.fail, Place::of(shard, &name), &args)
            .await?;
        let mut reply = Reply::of(value)?;
        match reply.next::<String>()?.as_str() {
            "FENCED" => Ok(FailOutcome::Fenced),
            "DELAYED" => {
                self.inbound.touched(shard);
                Ok(FailOutcome::Delayed)
            }
            "DEAD" => {
                self.lane_is_ready(shard);
                let entry: String = reply.next()?;
                Ok(FailOutcome::DeadLettered(self.letter_id(
                    Direction::In,
                    &lane.bot,
                    shard,
                    &entry,
                )))
            }
            _ => Err(unexpected()),
        }
    }

    async fn set_revision(&self, bot: &BotId, revision: ActiveRevision) -> StoreResult<SetRevision> {
        self.in_place(bot, |spread| self.set_rev(bot, revision, spread))
            .await
    }

    async fn revision(&self, bot: &BotId) -> StoreResult<Option<ActiveRevision>> {
        let Some(shard) = self.shards_of(bot).next() else {
            return Ok(None);
        };
        let key = self.link.names().of_shard("revs", shard);
        let stored: Option<String> = self.link.run(cmd("HGET").arg(key).arg(bot.as_str())).await?;
        revision(stored)
    }

    async fn state(&self, lane: &Lane) -> StoreResult<Option<Bytes>> {
        let key = self.key("state", self.shard(lane), &member(lane));
        let stored = self.link.run(cmd("GET").arg(key)).await?;
        codec::document_of(stored, self.test_now())
    }

    async fn purge(&self, bot: &BotId) -> StoreResult<()> {
        self.purge_bot(bot).await
    }

    async fn stats(&self) -> StoreResult<LaneStats> {
        self.sizes().await
    }

    async fn ready(&self) {
        self.inbound.hint().await;
    }
}

pub(super) fn revision(stored: Option<String>) -> StoreResult<Option<ActiveRevision>> {
    stored.map(|text| codec::revision_of(&text)).transpose()
}

/// What was read of several lanes: those that failed do not keep the others away. Without any the caller learns why.
pub(super) fn loaded<T>(loads: Vec<StoreResult<Option<T>>>) -> StoreResult<Vec<T>> {
    let mut turns = Vec::with_capacity(loads.len());
    let mut failed = None;
    for load in loads {
        match load {
            Ok(turn) => turns.extend(turn),
            // It comes again when its lease runs out.
            Err(error) => {
                tracing::warn!(%error, "a lane could not be read");
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) if turns.is_empty() => Err(error),
        _ => Ok(turns),
    }
}

/// The lane that a place names.
pub(super) fn lane_of(name: &str) -> StoreResult<Lane> {
    let read = || {
        let (bot, chat) = name.split_once(':')?;
        Some(Lane {
            bot: BotId::new(bot).ok()?,
            chat: ChatId::new(chat).ok()?,
        })
    };
    read().ok_or_else(|| StoreError::Corrupt("a lane's name in Redis cannot be read".to_owned()))
}

/// The first of moments of which -1 is none.
pub(super) fn first_of(moments: &[i64]) -> Option<TimestampMs> {
    let given = moments.iter().filter(|moment| **moment >= 0);
    given.min().map(|moment| TimestampMs(*moment))
}
