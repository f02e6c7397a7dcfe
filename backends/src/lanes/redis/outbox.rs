//! The port `Outbox`.

use std::time::Instant;

use async_trait::async_trait;
use botloom_core::ports::{
    AckOut, AckOutOutcome, AfterAck, Direction, LaneLease, OutTurn, Outbox, StoreResult, Token,
};
use botloom_core::{BotId, Lane, TimestampMs};
use futures_util::future::{join_all, try_join_all};
use redis::FromRedisValue as _;

use super::inbox::{first_of, lane_of, loaded};
use super::reply::{Reply, unexpected};
use super::scripts::{Place, member};
use super::spread::Placed;
use super::watch::Found;
use super::{RedisLanes, args, codec};

impl RedisLanes {
    /// Leases up to `share` outboxes of a shard and reads their first messages.
    pub(super) async fn visit_out(&self, shard: u16, share: usize) -> StoreResult<Found<OutTurn>> {
        let args = args![share, self.limits.out_lease_ms, self.heard_until(shard)];
        let asked = Instant::now();
        let value = self
            .call(&self.scripts.claim_out, Place::of(shard, ""), &args)
            .await?;
        let mut reply = Reply::of(value)?;
        let mut loads = Vec::new();
        let mut claimed = reply.list()?;
        while !claimed.is_empty() {
            let mut turn = claimed.list()?;
            let (name, score): (String, _) = (turn.next()?, turn.next()?);
            loads.push(async move {
                match lane_of(&name) {
                    Ok(lane) => self.load_out(shard, lane, score).await,
                    Err(error) => self.forget_name(Direction::Out, shard, &name, &error).await,
                }
            });
        }
        let taken = loads.len();
        let left: u64 = reply.next()?;
        let dues: [i64; 3] = [reply.next()?, reply.next()?, reply.next()?];
        self.clocks.learn(shard, asked, reply.next()?);
        Ok(Found {
            again: taken == share && left == 0 && share > 0,
            turns: loaded(join_all(loads).await)?,
            ready: left > 0,
            due: first_of(&dues),
        })
    }

    async fn load_out(&self, shard: u16, lane: Lane, score: u64) -> StoreResult<Option<OutTurn>> {
        let name = member(&lane);
        let fence = codec::fence(codec::token(score, 0, 0), self.limits.out_lease_ms);
        let args = args![name, fence, self.limits.turn_updates];
        let value = self
            .call(&self.scripts.load_out, Place::of(shard, &name), &args)
            .await?;
        let mut reply = Reply::of(value)?;
        let (urgent, others) = (reply.next::<Vec<_>>()?, reply.next::<Vec<_>>()?);
        self.out_turn(lane, score, &urgent, &others).await
    }

    async fn park_shards(&self, bot: &BotId, until: &str, spread: u16) -> StoreResult<Placed<()>> {
        for shard in self.link.names().shards_of(bot, spread) {
            let place = Place::of(shard, bot.as_str());
            let args = args![bot, until, spread];
            let mut reply = Reply::of(self.call(&self.scripts.park, place, &args).await?)?;
            match reply.next::<String>()?.as_str() {
                "LIFTED" => self.outbox_is_ready(shard),
                "PARKED" => self.outbound.touched(shard),
                "LAYOUT" => return Ok(Placed::Elsewhere(reply.next()?)),
                _ => return Err(unexpected()),
            }
        }
        Ok(Placed::Here(()))
    }

    /// Work for a sender, if there is any. A first message that cannot be read is set aside, so that the outbox goes on.
    async fn out_turn(
        &self,
        lane: Lane,
        score: u64,
        urgent: &[Vec<u8>],
        others: &[Vec<u8>],
    ) -> StoreResult<Option<OutTurn>> {
        let (mut messages, mut failed) = (Vec::with_capacity(urgent.len() + others.len()), None);
        for entry in urgent.iter().chain(others) {
            match codec::message_of(entry) {
                Ok(message) => messages.push(message),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // The rest waits until what cannot be read is the first.
        let (first, rest) = match &failed {
            Some(_) => (
                urgent.len().min(messages.len()),
                messages.len().saturating_sub(urgent.len()),
            ),
            None => (urgent.len(), others.len()),
        };
        let mut lease = LaneLease {
            lane,
            token: codec::token(score, first, rest),
        };
        match failed {
            Some(error) if messages.is_empty() => {
                let first = urgent.len().min(1);
                lease.token = codec::token(score, first, 1 - first);
                self.set_message_aside(lease, &error).await.map(|()| None)
            }
            _ => Ok((!messages.is_empty()).then_some(OutTurn { lease, messages })),
        }
    }

    pub(super) async fn ack_one(&self, ack: &AckOut) -> StoreResult<AckOutOutcome> {
        let lane = &ack.lease.lane;
        let (name, shard) = (member(lane), self.shard(lane));
        let (_, urgent, others) = codec::parts(ack.lease.token);
        let (dead, reason, detail) = match &ack.dead {
            None => ("none", "", ""),
            Some((reason, detail)) if ack.dead_all => ("all", reason.as_str(), detail.as_str()),
            Some((reason, detail)) => ("one", reason.as_str(), detail.as_str()),
        };
        let (after, until, attempt) = match ack.after {
            AfterAck::Keep => ("keep", 0, 0),
            AfterAck::Release => ("release", 0, 0),
            AfterAck::Delay { until, attempt } => ("delay", until.0, attempt),
            AfterAck::FloodWait { until } => ("flood", until.0, 0),
        };
        let args = args![
            name,
            lane.bot,
            codec::fence(ack.lease.token, self.limits.out_lease_ms),
            urgent,
            others,
            ack.sent,
            dead,
            reason,
            detail,
            lane.chat,
            self.limits.dead_letter_cap.max(1),
            after,
            until,
            attempt,
            self.limits.out_lease_ms,
            self.limits.turn_updates,
            self.heard_until(shard),
        ];
        let place = Place {
            letters: Direction::Out,
            ..Place::of(shard, &name)
        };
        let mut reply = Reply::of(self.call(&self.scripts.ack_out, place, &args).await?)?;
        if reply.next::<String>()? == "FENCED" {
            return Ok(AckOutOutcome::Fenced);
        }
        let letters: Vec<String> = reply.next()?;
        let (ready, next): (u8, u64) = (reply.next()?, reply.next()?);
        if ready == 1 {
            self.outbox_is_ready(shard);
        } else {
            self.outbound.touched(shard);
        }
        let next = if next > 0 {
            let (urgent, others) = (reply.next::<Vec<_>>()?, reply.next::<Vec<_>>()?);
            // The acknowledgement is done, whatever becomes of the next turn.
            let next = Box::pin(self.out_turn(lane.clone(), next, &urgent, &others)).await;
            next.ok().flatten()
        } else {
            None
        };
        Ok(AckOutOutcome::Done {
            next: next.map(Box::new),
            dead_letters: letters
                .iter()
                .map(|entry| self.letter_id(Direction::Out, &lane.bot, shard, entry))
                .collect(),
        })
    }
}

#[async_trait]
impl Outbox for RedisLanes {
    async fn claim_out(&self, max: usize) -> StoreResult<(Vec<OutTurn>, Option<TimestampMs>)> {
        let now = self.about_now();
        let mine = |shard| self.homes.is_mine(shard);
        let visit = |shard, share| self.visit_out(shard, share);
        self.outbound.gather(max, now, mine, visit).await
    }

    async fn begin_send(&self, lease: &LaneLease) -> StoreResult<bool> {
        let name = member(&lease.lane);
        let place = Place::of(self.shard(&lease.lane), &name);
        let args = args![name, codec::fence(lease.token, self.limits.out_lease_ms)];
        let value = self.call(&self.scripts.begin_send, place, &args).await?;
        let begun = u8::from_redis_value(value).map_err(|_| unexpected())?;
        Ok(begun == 1)
    }

    async fn ack_out(&self, acks: Vec<AckOut>) -> StoreResult<Vec<AckOutOutcome>> {
        try_join_all(acks.iter().map(|ack| self.ack_one(ack))).await
    }

    async fn renew_out(&self, leases: &[LaneLease]) -> StoreResult<Vec<Option<Token>>> {
        self.renew_in(leases, Direction::Out, self.limits.out_lease_ms)
            .await
    }

    async fn park(&self, bot: &BotId, until: Option<TimestampMs>) -> StoreResult<()> {
        let until = until.map_or_else(String::new, |until| until.0.to_string());
        self.in_place(bot, |spread| self.park_shards(bot, &until, spread))
            .await
    }

    async fn rate_shares(&self, backlogs: &[(BotId, u64)]) -> StoreResult<Vec<f64>> {
        self.shares(backlogs).await
    }

    async fn out_ready(&self) {
        self.outbound.hint().await;
    }
}
