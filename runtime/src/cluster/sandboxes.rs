//! Port `Sandboxes` over port `Nodes`: every node is asked, and answers when it did it.
//!
//! Messages of the bus only make it faster. Answers are looked for every 75 ms and nodes look for asks every 150 ms,
//! so with all messages lost a step takes about 0.2 s longer. A node that is gone or cut off holds a step up for at most
//! 5 s and is then left out: it reads what it needs when it comes back, and its leases keep it from old revisions. A node
//! that is there, runs the bot and cannot load its next revision ends the step: a flip would stop the bot on that node.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use botloom_core::hash::RevHash;
use botloom_core::ids::BotId;
use botloom_core::model::{Ask, AskAnswer, NodeBeat, NodeId};
use botloom_core::ports::{
    ActiveRevision, Bus, Nodes, Notice, ProbeReport, SandboxError, Sandboxes, StoreResult,
};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// How long all nodes together may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often answers are looked for without a notice.
const LOOK_EVERY: Duration = Duration::from_millis(75);

/// The runtime nodes of an installation, for a deployer or a control plane anywhere in it.
pub fn cluster_sandboxes(nodes: Arc<dyn Nodes>, bus: Arc<dyn Bus>) -> Arc<dyn Sandboxes> {
    Arc::new(ClusterSandboxes { nodes, bus })
}

#[derive(Debug)]
struct ClusterSandboxes {
    nodes: Arc<dyn Nodes>,
    bus: Arc<dyn Bus>,
}

/// Something that was put before the nodes.
struct Asked {
    id: Uuid,
    notices: Receiver<Notice>,
    until: Instant,
}

/// Answers so far, and the nodes that have not answered.
struct Heard {
    answers: Vec<(NodeId, AskAnswer)>,
    missing: Vec<NodeId>,
}

impl Heard {
    fn all(&self) -> bool {
        self.missing.is_empty()
    }

    /// The first answer that no other node can make good.
    fn refusal(&self) -> Option<SandboxError> {
        self.answers.iter().find_map(|(node, answer)| match answer {
            AskAnswer::Outcome { outcome, detail } => Some(SandboxError::Outcome {
                outcome: outcome.clone(),
                detail: detail.clone(),
            }),
            AskAnswer::Artifact { code, detail } => {
                tracing::warn!(%node, code, "a node cannot read a revision");
                Some(SandboxError::Artifact {
                    code: known_code(code),
                    detail: detail.clone(),
                })
            }
            AskAnswer::Done | AskAnswer::Probed { .. } | AskAnswer::Away => None,
        })
    }

    fn someone_did(&self) -> bool {
        self.answers
            .iter()
            .any(|(_, answer)| matches!(answer, AskAnswer::Done))
    }

    fn probed(&self) -> Option<ProbeReport> {
        self.answers.iter().find_map(|(_, answer)| match answer {
            AskAnswer::Probed { messages, wall_us } => Some(ProbeReport {
                messages: *messages,
                wall_us: *wall_us,
            }),
            _ => None,
        })
    }
}

impl ClusterSandboxes {
    /// Puts something before the nodes, to be done `within`; the store may be away for a moment.
    async fn ask(&self, ask: &Ask, within: Duration) -> Result<Asked, SandboxError> {
        let until = Instant::now() + within;
        let asked = Asked {
            id: Uuid::now_v7(),
            notices: self.bus.subscribe(),
            until,
        };
        while Instant::now() < until {
            match bounded(until, self.nodes.ask(asked.id, ask, PATIENCE)).await {
                Some(Ok(())) => return Ok(asked),
                Some(Err(error)) => tracing::warn!(error = %error, "the nodes cannot be asked"),
                None => break,
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(SandboxError::Timeout)
    }

    /// The answers so far and who is missing; `None` if the store is away. `counts` says who has to answer.
    async fn heard(&self, asked: &Asked, counts: fn(&NodeBeat) -> bool) -> Option<Heard> {
        let read = async {
            // In this order: a node that comes in between is missing, not overlooked.
            let answers = self.nodes.answers(asked.id).await?;
            let live = self.nodes.live().await?;
            StoreResult::Ok((answers, live))
        };
        let (answers, live) = bounded(asked.until, read)
            .await?
            .inspect_err(|error| tracing::warn!(error = %error, "answers of the nodes cannot be read"))
            .ok()?;
        let answered: HashSet<NodeId> = answers.iter().map(|(node, _)| *node).collect();
        let missing = live
            .into_iter()
            .filter(|beat| counts(beat) && !answered.contains(&beat.node))
            .map(|beat| beat.node)
            .collect();
        Some(Heard { answers, missing })
    }

    /// Waits until there may be another answer. `false`: time is over.
    async fn wait(asked: &mut Asked) -> bool {
        let look = tokio::time::sleep_until(asked.until.min(Instant::now() + LOOK_EVERY));
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = &mut look => break,
                notice = asked.notices.recv() => match notice {
                    Ok(Notice::Answered { ask }) if ask == asked.id => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => {
                        (&mut look).await;
                        break;
                    }
                },
            }
        }
        Instant::now() < asked.until
    }

    /// Nodes that take on bots. A store that is away for a moment is asked again; `None`: it stays away.
    async fn live(&self) -> Option<Vec<NodeBeat>> {
        let until = Instant::now() + PATIENCE;
        loop {
            match bounded(until, self.nodes.live()).await? {
                Ok(live) => return Some(live.into_iter().filter(takes_bots).collect()),
                Err(error) => tracing::warn!(error = %error, "the list of nodes cannot be read"),
            }
            bounded(until, tokio::time::sleep(LOOK_EVERY)).await?;
        }
    }

    /// Whether there is a node at all.
    async fn any(&self) -> Result<(), SandboxError> {
        match self.live().await {
            Some(live) if live.is_empty() => Err(SandboxError::NoNode),
            Some(_) => Ok(()),
            None => Err(SandboxError::Timeout),
        }
    }

    /// Asks all nodes and waits until all did it that are still there.
    async fn all(&self, ask: Ask) -> Result<(), SandboxError> {
        self.any().await?;
        let mut asked = self.ask(&ask, PATIENCE).await?;
        let mut last = None;
        loop {
            if let Some(heard) = self.heard(&asked, takes_bots).await {
                if let Some(refusal) = heard.refusal() {
                    return Err(refusal);
                }
                if heard.all() {
                    let did = heard.someone_did();
                    return if did { Ok(()) } else { Err(SandboxError::NoNode) };
                }
                last = Some(heard);
            }
            if !Self::wait(&mut asked).await {
                break;
            }
        }
        match last {
            Some(heard) if heard.someone_did() => {
                tracing::warn!(?ask, left_out = ?heard.missing, "nodes did not answer in time and are left out");
                Ok(())
            }
            _ => Err(SandboxError::Timeout),
        }
    }
}

#[async_trait]
impl Sandboxes for ClusterSandboxes {
    async fn live_nodes(&self) -> u32 {
        let live = self.live().await.unwrap_or_default();
        u32::try_from(live.len()).unwrap_or(u32::MAX)
    }

    async fn stage(&self, bot: &BotId, rev: &RevHash) -> Result<(), SandboxError> {
        let (bot, rev) = (bot.clone(), *rev);
        self.all(Ask::Stage { bot, rev }).await
    }

    async fn prewarm(&self, bot: &BotId, rev: &RevHash, min: u32) -> Result<(), SandboxError> {
        let (bot, rev) = (bot.clone(), *rev);
        self.all(Ask::Prewarm { bot, rev, min }).await
    }

    async fn probe(&self, bot: &BotId, rev: &RevHash) -> Result<ProbeReport, SandboxError> {
        self.any().await?;
        let (bot, rev) = (bot.clone(), *rev);
        let mut asked = self.ask(&Ask::Probe { bot, rev }, PATIENCE).await?;
        loop {
            if let Some(heard) = self.heard(&asked, takes_bots).await {
                if let Some(report) = heard.probed() {
                    return Ok(report);
                }
                if let Some(refusal) = heard.refusal() {
                    return Err(refusal);
                }
                if heard.all() {
                    return Err(SandboxError::NoNode);
                }
            }
            if !Self::wait(&mut asked).await {
                return Err(SandboxError::Timeout);
            }
        }
    }

    async fn barrier(&self, bot: &BotId, revision: ActiveRevision, within: Duration) {
        let until = Instant::now() + within;
        let bot = bot.clone();
        let ask = Ask::Raise { bot, revision };
        if let Ok(mut asked) = self.ask(&ask, within).await {
            loop {
                // The list is read after the flip: who starts updates on what it read before is on it.
                let heard = self.heard(&asked, runs_turns).await;
                if heard.is_some_and(|heard| heard.all()) {
                    return;
                }
                if !Self::wait(&mut asked).await {
                    break;
                }
            }
        }
        tokio::time::sleep_until(until).await;
    }
}

/// Whether a node takes on bots.
fn takes_bots(beat: &NodeBeat) -> bool {
    beat.runs_bots
}

/// Whether a node may run updates, perhaps only to end what it began.
fn runs_turns(beat: &NodeBeat) -> bool {
    beat.turns > 0
}

async fn bounded<T>(until: Instant, work: impl Future<Output = T>) -> Option<T> {
    timeout(until.saturating_duration_since(Instant::now()), work)
        .await
        .ok()
}

/// The code of an artifact error that came as text.
fn known_code(code: &str) -> &'static str {
    [
        "artifact-missing",
        "artifact-corrupt",
        "unavailable",
        "storage-full",
    ]
    .into_iter()
    .find(|known| *known == code)
    .unwrap_or("artifact-corrupt")
}
