//! Lanes, outbox and dead letters in Redis, for any number of nodes.
//!
//! The rules are those of [`super::model`], written as scripts (`lua/`) that Redis runs one at a time; the tests hold the
//! two against each other. A bot lives on one logical shard (or a few, see [`RedisLanes::set_spread`]), whose keys share a
//! slot; a script works on one shard. The node that is the home of a shard is the one that claims from it; another may
//! help when the home has no place left. Fairness between bots is exact inside a shard; between shards every claim takes
//! evenly.

mod background;
mod chats;
mod clocks;
mod codec;
mod dead;
mod documents;
mod import;
mod inbox;
mod maintain;
mod outbox;
mod reply;
mod scripts;
mod sizes;
mod spread;
mod transfer;
mod unreadable;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use botloom_core::ports::{DedupKey, LaneLimits, StoreResult};
use botloom_core::time::SharedClock;
use botloom_core::{BotId, Clock as _, Lane, SystemClock, TimestampMs};
use redis::Value;

use self::clocks::Clocks;
use self::scripts::{Declared, Place, Scripts, key_of};
pub use self::spread::SetSpread;
use self::watch::Watch;
use crate::redis::{DedupeMode, Homes, RedisLink};

/// Lanes, outbox and dead letters in Redis.
#[derive(Debug)]
pub struct RedisLanes {
    link: RedisLink,
    limits: LaneLimits,
    homes: Homes,
    scripts: Scripts,
    /// A test's clock; the server's counts otherwise.
    clock: Option<SharedClock>,
    /// The server's clock otherwise, as far as this node must know it.
    clocks: Clocks,
    inbound: Watch,
    outbound: Watch,
    /// Foreign shards from which this node may take a turn, because their home cannot.
    helped: RwLock<Vec<u16>>,
    /// Bots that are spread over several shards.
    spread: RwLock<HashMap<BotId, u16>>,
}

impl RedisLanes {
    /// Lanes over a link. Looks for what waits, listens for wake-ups and sweeps the shards in the background for as long
    /// as the answer lives; needs a runtime of tokio.
    pub async fn open(link: RedisLink, limits: LaneLimits, homes: Homes) -> StoreResult<Arc<Self>> {
        let lanes = Self::make(link, limits, homes, None, None).await?;
        background::start(&lanes);
        Ok(lanes)
    }

    /// Lanes that do nothing by themselves: what is in them stays as it is while they are told or filled as a whole.
    pub(crate) async fn at_rest(link: RedisLink, limits: LaneLimits, homes: Homes) -> StoreResult<Arc<Self>> {
        Self::make(link, limits, homes, None, None).await
    }

    /// Lanes on a clock that a test drives. Nothing is swept: what another node left is found at the first claim only.
    #[doc(hidden)]
    pub async fn with_clock(
        link: RedisLink,
        limits: LaneLimits,
        clock: SharedClock,
    ) -> StoreResult<Arc<Self>> {
        let homes = Homes::new(botloom_core::model::NodeId::generate());
        let lanes = Self::make(link, limits, homes, Some(clock), None).await?;
        background::start(&lanes);
        Ok(lanes)
    }

    /// Like [`Self::with_clock`] with one guard of the scripts left out, to prove that the tests notice.
    #[doc(hidden)]
    pub async fn without(
        link: RedisLink,
        limits: LaneLimits,
        clock: SharedClock,
        check: &str,
    ) -> StoreResult<Arc<Self>> {
        let homes = Homes::new(botloom_core::model::NodeId::generate());
        let lanes = Self::make(link, limits, homes, Some(clock), Some(check)).await?;
        background::start(&lanes);
        Ok(lanes)
    }

    /// Names of the guards that [`Self::without`] can leave out.
    #[doc(hidden)]
    pub fn checks() -> Vec<String> {
        scripts::checks()
    }

    async fn make(
        link: RedisLink,
        mut limits: LaneLimits,
        homes: Homes,
        clock: Option<SharedClock>,
        without: Option<&str>,
    ) -> StoreResult<Arc<Self>> {
        limits.turn_updates = limits.turn_updates.clamp(1, codec::MOST_PER_TURN);
        let clocks = Clocks::new(link.names().shards());
        let lanes = Arc::new(Self {
            clocks,
            link,
            limits,
            homes,
            scripts: Scripts::new(without),
            clock,
            inbound: Watch::default(),
            outbound: Watch::default(),
            helped: RwLock::default(),
            spread: RwLock::default(),
        });
        lanes.read_spread().await?;
        lanes.look_at_mine();
        Ok(lanes)
    }

    /// The moment that scripts are given: nothing, unless a test drives the clock.
    fn moment(&self) -> String {
        let now = self.clock.as_ref().map(|clock| clock.now().0.to_string());
        now.unwrap_or_default()
    }

    /// A test's moment.
    fn test_now(&self) -> Option<TimestampMs> {
        self.clock.as_ref().map(|clock| clock.now())
    }

    /// About now; what must be exact is decided by the scripts.
    fn about_now(&self) -> TimestampMs {
        self.test_now().unwrap_or_else(|| SystemClock.now())
    }

    /// The last moment, by the clock of the shard's server, at which the answer of a call that is made now is heard.
    fn heard_until(&self, shard: u16) -> i64 {
        match self.clock {
            Some(_) => clocks::ALWAYS,
            None => self
                .clocks
                .in_a_while(shard, self.link.options().response_timeout),
        }
    }

    /// Like [`Self::heard_until`], if the caller wants what depends on it.
    fn heard_if(&self, wanted: bool, shard: u16) -> i64 {
        if wanted {
            self.heard_until(shard)
        } else {
            clocks::NEVER
        }
    }

    fn shard(&self, lane: &Lane) -> u16 {
        self.link
            .names()
            .shard(&lane.bot, &lane.chat, self.spread_of(&lane.bot))
    }

    /// Runs a script on a shard; the moment is its first argument.
    async fn call(&self, script: &Declared, place: Place<'_>, args: &[Vec<u8>]) -> StoreResult<Value> {
        let keys = script.keys(self.link.names(), place);
        let moment = self.moment().into_bytes();
        let all: Vec<&[u8]> = std::iter::once(moment.as_slice())
            .chain(args.iter().map(Vec::as_slice))
            .collect();
        self.link.script(&script.script, &keys, all).await
    }

    /// Where an update id is remembered: the key's logical name, and the bit in it.
    fn seen_key(&self, bot: &BotId, dedup: &DedupKey) -> (String, Option<i64>) {
        match (self.link.options().dedupe, dedup) {
            (DedupeMode::Bitmap, DedupKey::Update(id)) => (
                format!("idemp:b:{bot}:{}", id.div_euclid(1024)),
                Some(id.rem_euclid(1024)),
            ),
            (_, dedup) => (format!("idemp:update:{bot}:{}", codec::dedup_name(dedup)), None),
        }
    }

    /// The key of a lane or a bot on the server.
    fn key(&self, key: &str, shard: u16, lane: &str) -> String {
        key_of(self.link.names(), key, Place::of(shard, lane))
    }
}

/// Arguments of a script, as bytes.
macro_rules! args {
    ($($arg:expr),* $(,)?) => {
        [$($crate::lanes::redis::bytes(&$arg)),*]
    };
}
use args;

fn bytes(arg: &dyn std::fmt::Display) -> Vec<u8> {
    arg.to_string().into_bytes()
}
