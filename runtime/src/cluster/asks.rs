//! Doing what the deployer asks of every node. Notices make it fast; without them this node looks every 150 ms.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use botloom_core::model::{Ask, AskAnswer};
use botloom_core::ports::{Notice, OpenAsk, SandboxError, Sandboxes, StoreResult};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::node::Node;
use crate::sandboxes::LocalSandboxes;

/// How often to look without a notice. A deployment asks three times in a row, and a rollback is to be live within a
/// second although every notice of it may be lost.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How long an ask may take here. A deployment asks twice before it flips, and a node that is cut off from a store may hold
/// it up for 5 s in all.
const WITHIN: Duration = Duration::from_millis(2_400);
/// Asks under way at a time that load programs.
const AT_ONCE: usize = 8;

/// Answers asks in the name of one node.
#[derive(Debug)]
pub(crate) struct Answering {
    local: LocalSandboxes,
    /// Asks that are answered or being answered, of those that are open.
    taken: Mutex<HashSet<Uuid>>,
    places: Semaphore,
}

impl Answering {
    pub(crate) fn new(local: LocalSandboxes) -> Self {
        Self {
            local,
            taken: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
        }
    }

    fn node(&self) -> &Node {
        &self.local.node
    }

    /// Looks and answers until `end`.
    pub(crate) async fn run(self: Arc<Self>, end: CancellationToken) {
        let mut notices = self.node().ports.bus.subscribe();
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(error = %error, "what is asked of the nodes cannot be read");
            }
            let look = tokio::time::sleep(LOOK_EVERY);
            tokio::pin!(look);
            loop {
                tokio::select! {
                    () = end.cancelled() => return,
                    () = &mut look => break,
                    notice = notices.recv() => match notice {
                        Ok(Notice::Asked) | Err(RecvError::Lagged(_)) => break,
                        Ok(_) => {}
                        Err(RecvError::Closed) => {
                            (&mut look).await;
                            notices = self.node().ports.bus.subscribe();
                            break;
                        }
                    },
                }
            }
        }
    }

    async fn look(self: &Arc<Self>) -> StoreResult<()> {
        let open = self.node().ports.nodes.open_asks().await?;
        let fresh: Vec<OpenAsk> = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let ids: HashSet<Uuid> = open.iter().map(|ask| ask.id).collect();
            taken.retain(|id| ids.contains(id));
            open.into_iter().filter(|ask| taken.insert(ask.id)).collect()
        };
        for ask in fresh {
            let this = Arc::clone(self);
            tokio::spawn(async move {
                let answer = this.obey(&ask.ask).await;
                if let Err(error) = this.node().ports.nodes.answer(ask.id, &answer).await {
                    tracing::warn!(ask = %ask.id, error = %error, "an answer was not taken, it will be given again");
                    this.again(&ask.id);
                }
            });
        }
        Ok(())
    }

    /// Forgets that an ask was taken: the next look finds it, if it is still open.
    fn again(&self, ask: &Uuid) {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(ask);
    }

    async fn obey(&self, ask: &Ask) -> AskAnswer {
        if let Ask::Raise { bot, revision } = ask {
            // Never behind programs that load: a flip waits for it.
            self.local.barrier(bot, *revision, Duration::ZERO).await;
            return AskAnswer::Done;
        }
        let done = timeout(WITHIN, self.load(ask)).await;
        let (code, detail) = match done.unwrap_or(Err(SandboxError::Timeout)) {
            Ok(answer) => return answer,
            Err(SandboxError::Outcome { outcome, detail }) => return AskAnswer::Outcome { outcome, detail },
            Err(SandboxError::NoNode) => return AskAnswer::Away,
            Err(SandboxError::Timeout) => {
                tracing::warn!(
                    ?ask,
                    "this node is too busy for what is asked, the others go on without it"
                );
                return AskAnswer::Away;
            }
            Err(SandboxError::Artifact { code, detail }) => (code, detail),
        };
        let temporary = matches!(code, "unavailable" | "storage-full");
        tracing::warn!(?ask, code, detail, "this node cannot load a revision");
        if temporary && !self.would_lose(ask).await {
            return AskAnswer::Away;
        }
        AskAnswer::Artifact {
            code: code.to_owned(),
            detail,
        }
    }

    /// Whether a flip would take something from this node that works: it has the active revision in memory, or there is none.
    /// Otherwise what is active cannot run here either, and the others need not wait, which matters most for a rollback.
    async fn would_lose(&self, ask: &Ask) -> bool {
        let (Ask::Stage { bot, .. }
        | Ask::Prewarm { bot, .. }
        | Ask::Probe { bot, .. }
        | Ask::Raise { bot, .. }) = ask;
        let active = timeout(LOOK_EVERY, self.node().ports.lanes.revision(bot)).await;
        match active {
            Ok(Ok(Some(active))) => self.node().revisions.holds(&active.rev),
            Ok(Ok(None)) => true,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    async fn load(&self, ask: &Ask) -> Result<AskAnswer, SandboxError> {
        let _place = self.places.acquire().await;
        match ask {
            Ask::Stage { bot, rev } => self.local.stage(bot, rev).await.map(|()| AskAnswer::Done),
            Ask::Prewarm { bot, rev, min } => {
                self.local.prewarm(bot, rev, *min).await.map(|()| AskAnswer::Done)
            }
            Ask::Probe { bot, rev } => self.local.probe(bot, rev).await.map(|report| AskAnswer::Probed {
                messages: report.messages,
                wall_us: report.wall_us,
            }),
            Ask::Raise { .. } => Ok(AskAnswer::Done),
        }
    }
}
