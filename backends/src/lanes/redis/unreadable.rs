//! What is stored and cannot be read: it goes to the dead letters, and its lane goes on without it.

use botloom_core::ports::{
    AckOut, AfterAck, DeadLetterReason, Direction, Fail, LaneLease, Lanes as _, StoreError, StoreResult,
};
use redis::cmd;

use super::RedisLanes;

impl RedisLanes {
    /// Sets the first update of a leased lane aside. Other failures than unreadable data are the caller's.
    pub(super) async fn set_update_aside(
        &self,
        lease: LaneLease,
        reason: &str,
        error: &StoreError,
    ) -> StoreResult<()> {
        tracing::error!(lane = %lease.lane, %error, "an update goes to the dead letters");
        let fail = Fail {
            retry_at: self.about_now(),
            lease,
            max_attempts: 1,
            reason: reason.to_owned(),
            detail: error.to_string(),
        };
        self.fail(fail).await.map(drop)
    }

    /// Sets the first message of a leased outbox aside and gives the outbox back.
    pub(super) async fn set_message_aside(&self, lease: LaneLease, error: &StoreError) -> StoreResult<()> {
        tracing::error!(lane = %lease.lane, %error, "a message goes to the dead letters");
        let reason = DeadLetterReason::Malformed.as_str().to_owned();
        let ack = AckOut {
            lease,
            sent: 0,
            dead: Some((reason, error.to_string())),
            dead_all: false,
            after: AfterAck::Release,
        };
        self.ack_one(&ack).await.map(drop)
    }

    /// Takes a lane whose name cannot be read out of the leases, its only place: nobody could ever work on it.
    pub(super) async fn forget_name<T>(
        &self,
        direction: Direction,
        shard: u16,
        name: &str,
        error: &StoreError,
    ) -> StoreResult<Option<T>> {
        tracing::error!(shard, name, %error, "a lane is given up");
        let leases = match direction {
            Direction::In => "lx",
            Direction::Out => "ox",
        };
        let key = self.link.names().of_shard(leases, shard);
        self.link.run::<u64>(cmd("ZREM").arg(key).arg(name)).await?;
        Ok(None)
    }
}
