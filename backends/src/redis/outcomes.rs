//! Outcomes of all nodes: a hash for each bot, `outcomes:<bot>`, with `<epoch>:ok` and `<epoch>:failed`.

use std::sync::LazyLock;

use async_trait::async_trait;
use botloom_core::ids::{BotId, Epoch};
use botloom_core::ports::{BotOutcomes, OUTCOMES_LIFE, OutcomeCounts, Outcomes, StoreResult};
use futures_util::future::try_join_all;
use redis::cmd;

use super::{RedisLink, Script};

static ADD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/outcomes_add.lua")));

/// Bots told at once: few enough to leave the link to those who wait for it.
const AT_ONCE: usize = 64;

/// Counts in a Redis.
#[derive(Debug, Clone)]
pub struct RedisOutcomes {
    link: RedisLink,
}

impl RedisOutcomes {
    /// The counts behind `link`.
    pub fn new(link: &RedisLink) -> Self {
        Self { link: link.clone() }
    }

    async fn tell(&self, told: &BotOutcomes) -> StoreResult<()> {
        let args = (
            told.epoch.0,
            told.counts.ok,
            told.counts.failed,
            u64::try_from(OUTCOMES_LIFE.as_millis()).unwrap_or(u64::MAX),
        );
        let added: StoreResult<u8> = self.link.script(&ADD, &[key(&told.bot)], args).await;
        added.map(drop)
    }
}

fn key(bot: &BotId) -> String {
    format!("outcomes:{bot}")
}

#[async_trait]
impl Outcomes for RedisOutcomes {
    async fn add(&self, counted: &[BotOutcomes]) -> StoreResult<()> {
        for some in counted.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|told| self.tell(told))).await?;
        }
        Ok(())
    }

    async fn counts(&self, bot: &BotId, epoch: Epoch) -> StoreResult<OutcomeCounts> {
        let mut get = cmd("HMGET");
        get.arg(key(bot))
            .arg(format!("{epoch}:ok"))
            .arg(format!("{epoch}:failed"));
        let (ok, failed): (Option<u64>, Option<u64>) = self.link.run(&get).await?;
        Ok(OutcomeCounts {
            ok: ok.unwrap_or_default(),
            failed: failed.unwrap_or_default(),
        })
    }
}
