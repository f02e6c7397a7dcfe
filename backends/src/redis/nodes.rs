//! Processes that share a Redis. Time is the server's: clocks of nodes may differ.
//!
//! `nodes` orders nodes by their last beat, `nodes:info` holds the beats; `asks` orders asks by their end, `asks:info`
//! holds them, `asks:<id>:acks` the answers by node. On a cluster all of them lie in one slot.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use botloom_core::model::{Ask, AskAnswer, NodeBeat, NodeId};
use botloom_core::ports::{Bus, NODE_LIFE, Nodes, Notice, OpenAsk, StoreError, StoreResult};
use redis::cmd;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Homes, RedisLink, Script};

static BEAT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/node_beat.lua")));
static LIVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/node_live.lua")));
static LEAVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/node_leave.lua")));
static ASK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/node_ask.lua")));
static OPEN_ASKS: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/node_open_asks.lua")));
static ANSWER: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/node_answer.lua")));

/// Nodes in a Redis.
#[derive(Debug, Clone)]
pub struct RedisNodes {
    link: RedisLink,
    homes: Homes,
    bus: Arc<dyn Bus>,
    /// Whether the last look found a beat that could not be read.
    unread: Arc<AtomicBool>,
}

impl RedisNodes {
    /// The node of `homes`, which learns with every beat and look who lives. What is asked and answered is told to `bus`.
    pub fn new(link: &RedisLink, homes: Homes, bus: Arc<dyn Bus>) -> Self {
        Self {
            link: link.clone(),
            homes,
            bus,
            unread: Arc::default(),
        }
    }

    fn key(&self, name: &str) -> String {
        if self.link.is_cluster() {
            format!("{name}{{nodes}}")
        } else {
            name.to_owned()
        }
    }

    fn keys<const N: usize>(&self, names: [&str; N]) -> [String; N] {
        names.map(|name| self.key(name))
    }

    fn acks(&self, ask: Uuid) -> String {
        self.key(&format!("asks:{ask}:acks"))
    }

    /// Takes the beats that can be read. Those of another version, while nodes are replaced one by one, may not be; the
    /// others go on without them.
    fn learn(&self, beats: &[String]) -> Vec<NodeBeat> {
        let mut read_beats = Vec::with_capacity(beats.len());
        let mut unread = None;
        for beat in beats {
            match read::<NodeBeat>(beat) {
                Ok(beat) => read_beats.push(beat),
                Err(error) => unread = Some(error),
            }
        }
        // Said when it begins, not with every look.
        if self.unread.swap(unread.is_some(), Ordering::Relaxed) != unread.is_some() {
            if let Some(error) = unread {
                tracing::warn!(?error, "a node's beat cannot be read, it is passed over");
            } else {
                tracing::info!("the beats of all nodes can be read again");
            }
        }
        read_beats.sort_by_key(|beat| beat.node);
        self.homes.update(&read_beats);
        read_beats
    }
}

#[async_trait]
impl Nodes for RedisNodes {
    fn me(&self) -> NodeId {
        self.homes.me()
    }

    async fn beat(&self, beat: &NodeBeat) -> StoreResult<()> {
        let args = (self.me().to_string(), written(beat)?, millis(NODE_LIFE));
        let keys = self.keys(["nodes", "nodes:info"]);
        self.homes.set_free(beat.free_turns, beat.turns);
        let live: Vec<String> = self.link.script(&BEAT, &keys, args).await?;
        self.learn(&live);
        Ok(())
    }

    async fn leave(&self) -> StoreResult<()> {
        let keys = self.keys(["nodes", "nodes:info"]);
        let args = (self.me().to_string(),);
        self.link.script(&LEAVE, &keys, args).await
    }

    async fn live(&self) -> StoreResult<Vec<NodeBeat>> {
        let keys = self.keys(["nodes", "nodes:info"]);
        let live: Vec<String> = self.link.script(&LIVE, &keys, (millis(NODE_LIFE),)).await?;
        Ok(self.learn(&live))
    }

    async fn ask(&self, id: Uuid, ask: &Ask, life: Duration) -> StoreResult<()> {
        let keys = self.keys(["asks", "asks:info"]);
        let args = (id.to_string(), written(ask)?, millis(life));
        let () = self.link.script(&ASK, &keys, args).await?;
        self.bus.publish(Notice::Asked).await;
        Ok(())
    }

    async fn open_asks(&self) -> StoreResult<Vec<OpenAsk>> {
        let keys = self.keys(["asks", "asks:info"]);
        let open: Vec<(String, String)> = self.link.script(&OPEN_ASKS, &keys, None::<&str>).await?;
        let mut asks = Vec::with_capacity(open.len());
        for (id, info) in open {
            let (since, ask) = info.split_once(' ').ok_or_else(|| corrupt(&info))?;
            let since: u64 = since.parse().map_err(|_| corrupt(since))?;
            let id = Uuid::try_parse(&id).map_err(|_| corrupt(&id))?;
            asks.push((since, OpenAsk { id, ask: read(ask)? }));
        }
        asks.sort_by_key(|(since, open)| (*since, open.id));
        Ok(asks.into_iter().map(|(_, open)| open).collect())
    }

    async fn answer(&self, ask: Uuid, answer: &AskAnswer) -> StoreResult<()> {
        let keys = [self.key("asks"), self.acks(ask)];
        let args = (ask.to_string(), self.me().to_string(), written(answer)?);
        let () = self.link.script(&ANSWER, &keys, args).await?;
        self.bus.publish(Notice::Answered { ask }).await;
        Ok(())
    }

    async fn answers(&self, ask: Uuid) -> StoreResult<Vec<(NodeId, AskAnswer)>> {
        let acks: Vec<(String, String)> = self.link.run(cmd("HGETALL").arg(self.acks(ask))).await?;
        let mut answers = Vec::with_capacity(acks.len());
        for (node, answer) in acks {
            answers.push((node.parse().map_err(|_| corrupt(&node))?, read(&answer)?));
        }
        answers.sort_by_key(|(node, _)| *node);
        Ok(answers)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn written(value: &impl Serialize) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn read<T: DeserializeOwned>(text: &str) -> StoreResult<T> {
    serde_json::from_str(text).map_err(|_| corrupt(text))
}

fn corrupt(text: &str) -> StoreError {
    StoreError::Corrupt(format!("not what a node writes: {text}"))
}
