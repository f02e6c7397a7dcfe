//! A basic group becomes a supergroup and gets another chat id: its document moves to the new lane.
//!
//! The old lane hands the document over as a synthetic update of the new lane, then forgets it. A crash between the two
//! repeats the first, which is then a duplicate.

use botloom_core::ids::{ChatId, Lane};
use botloom_core::ports::{DedupKey, Ingest, IngestOutcome, QueuedUpdate, StateChange, StoreResult};
use botloom_telegram::update::Routed;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::parking::{TROUBLE, Why};
use super::{Executor, Held};
use crate::node::Node;

/// What every synthetic update of this kind begins with; no update of Telegram does.
const MARK: &str = "{\"botloom\":";
/// Dedup keys under which such an update can be found in a lane.
const KEYS: [&str; 3] = ["adopt:", "moved:", "replay:"];

/// A step of a migration.
#[derive(Debug)]
pub(super) enum Migration {
    /// This chat is now that one.
    MovedTo(i64),
    /// This chat was another one, which left this document.
    Adopt(Box<RawValue>),
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    botloom: Step,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Step {
    MovedTo(i64),
    Adopt(Box<RawValue>),
}

impl Migration {
    /// The step that a synthetic update is, if it is one.
    pub(super) fn of_synthetic(queued: &QueuedUpdate) -> Result<Option<Self>, String> {
        let DedupKey::Synthetic(key) = &queued.dedup else {
            return Ok(None);
        };
        if !KEYS.iter().any(|start| key.starts_with(start)) || !queued.envelope.starts_with(MARK.as_bytes()) {
            return Ok(None);
        }
        let envelope: Envelope =
            serde_json::from_slice(&queued.envelope).map_err(|error| error.to_string())?;
        Ok(Some(match envelope.botloom {
            Step::MovedTo(chat) => Self::MovedTo(chat),
            Step::Adopt(state) => Self::Adopt(state),
        }))
    }

    /// Telegram's own news of it.
    pub(super) fn of_message(update: &Routed<'_>) -> Option<Self> {
        update.message.as_ref()?.migrate_to_chat_id.map(Self::MovedTo)
    }
}

/// Tells a lane that its chat moved, when a send found out before Telegram's own message came.
pub(crate) async fn moved(node: &Node, lane: &Lane, to: i64) -> StoreResult<()> {
    let key = format!("moved:{to}");
    ingest(node, lane.clone(), &key, Step::MovedTo(to))
        .await
        .map(|_| ())
}

async fn ingest(node: &Node, lane: Lane, key: &str, step: Step) -> StoreResult<Option<IngestOutcome>> {
    let text = serde_json::to_vec(&Envelope { botloom: step }).expect("numbers and JSON texts serialise");
    let ingest = Ingest {
        lane,
        dedup: DedupKey::Synthetic(key.into()),
        envelope: Bytes::from(text),
        accepted_at: node.now(),
        trace: None,
        want_turn: false,
    };
    Ok(node.ports.lanes.ingest(vec![ingest]).await?.into_iter().next())
}

impl Executor {
    /// Does a step whose update is the first of the turn.
    pub(super) async fn migrate(&self, held: Held, step: Migration, ttl_ms: Option<i64>) {
        let lane = &held.lease.lane;
        let state = match step {
            Migration::Adopt(_) if held.turn.state.is_some() => StateChange::Keep { ttl_ms },
            Migration::Adopt(state) => StateChange::Put {
                document: Bytes::from(String::from(Box::<str>::from(state))),
                ttl_ms,
            },
            Migration::MovedTo(chat) => {
                let to = Lane {
                    bot: lane.bot.clone(),
                    chat: ChatId::from(chat),
                };
                match self.hand_over(&held, to).await {
                    Ok(true) => StateChange::Delete,
                    Ok(false) => return self.wait(held, (TROUBLE, Why::Trouble)).await,
                    Err(error) => {
                        tracing::warn!(%lane, error = %error, "a chat's document could not be moved yet");
                        return self.wait(held, (TROUBLE, Why::Trouble)).await;
                    }
                }
            }
        };
        self.commit_without_run(held, state).await;
    }

    /// Whether the new lane has the document, or there was none.
    async fn hand_over(&self, held: &Held, to: Lane) -> StoreResult<bool> {
        let Some(state) = held
            .turn
            .state
            .as_deref()
            .and_then(|text| serde_json::from_slice(text).ok())
        else {
            return Ok(true);
        };
        let key = format!("adopt:{}", held.lease.lane.chat);
        let started = Instant::now();
        let outcome = ingest(&self.node, to, &key, Step::Adopt(state)).await?;
        tracing::info!(lane = %held.lease.lane, took = ?started.elapsed(), "a chat's document moved with it");
        Ok(!matches!(outcome, None | Some(IngestOutcome::Full)))
    }
}
