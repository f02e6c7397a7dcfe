//! The runtime as the deployer sees it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use botloom_core::bot_js::{Bot, Chat, Context, Event, Message, User};
use botloom_core::hash::RevHash;
use botloom_core::ids::{BotId, ChatId};
use botloom_core::ports::{ActiveRevision, ProbeReport, SandboxError, Sandboxes};
use botloom_core::time::TimestampMs;

use crate::effects::Denied;
use crate::executor::Executor;
use crate::node::Node;
use crate::program::Program;
use crate::revisions::RevisionError;
use crate::step_loop::{self, Failure, Host, Job, Overtaken};

/// Who and where a probe pretends to be.
const PROBED: i64 = 1;

/// This node alone: an installation with embedded storage has one.
#[derive(Debug, Clone)]
pub(crate) struct LocalSandboxes {
    pub(crate) node: Arc<Node>,
    pub(crate) executor: Arc<Executor>,
}

impl LocalSandboxes {
    fn alive(&self) -> Result<(), SandboxError> {
        if self.node.draining.is_cancelled() {
            Err(SandboxError::NoNode)
        } else {
            Ok(())
        }
    }

    async fn program(&self, bot: &BotId, rev: &RevHash) -> Result<Arc<Program>, SandboxError> {
        self.alive()?;
        self.node
            .revisions
            .get(bot, rev)
            .await
            .map_err(|error| unreadable(&error))
    }
}

#[async_trait]
impl Sandboxes for LocalSandboxes {
    async fn live_nodes(&self) -> u32 {
        u32::from(self.alive().is_ok())
    }

    async fn stage(&self, bot: &BotId, rev: &RevHash) -> Result<(), SandboxError> {
        self.alive()?;
        self.node
            .revisions
            .stage(bot, rev)
            .await
            .map_err(|error| unreadable(&error))
    }

    async fn prewarm(&self, bot: &BotId, rev: &RevHash, min: u32) -> Result<(), SandboxError> {
        let program = self.program(bot, rev).await?;
        let copies = usize::try_from(min.max(1)).unwrap_or(1);
        match self.node.pool.prewarm(&program.source, copies).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(outcome)) => Err(SandboxError::Outcome {
                outcome: outcome.name().to_owned(),
                detail: outcome.message(),
            }),
            Err(error) => {
                tracing::warn!(%bot, %rev, error = %error, "a revision could not be loaded");
                Err(SandboxError::NoNode)
            }
        }
    }

    async fn probe(&self, bot: &BotId, rev: &RevHash) -> Result<ProbeReport, SandboxError> {
        let program = self.program(bot, rev).await?;
        let known = self.node.bots.known(bot);
        let now = self.node.now();
        let job = Job {
            program: &program,
            event: &Event {
                update_id: 0,
                kind: "message",
                text: "/start",
                command: Some("start".to_owned()),
                args: "",
            },
            context: &Context {
                user: Some(User {
                    id: PROBED,
                    first_name: "Probe",
                    last_name: None,
                    username: None,
                    language_code: None,
                }),
                chat: Some(Chat {
                    id: PROBED,
                    kind: "private",
                    title: None,
                }),
                message: Some(Message {
                    id: 1,
                    date: now.0 / 1_000,
                }),
                now: step_loop::local_time(now, &program.zone),
                bot: Bot {
                    username: known.as_ref().and_then(|bot| bot.username.as_deref()),
                },
            },
            state: None,
            key: "probe",
            now,
            fresh: true,
        };
        let host = Host {
            pool: &self.node.pool,
            matcher: &self.node.matcher,
            api: &Denied,
            places: &self.node.calls,
            overtaken: Overtaken::never(),
        };
        let done = step_loop::run(&host, &job).await.map_err(failed)?;
        let chat = ChatId::from(PROBED);
        let mut messages = 0;
        for action in done.actions {
            step_loop::message(action, &chat, TimestampMs(0), ("probe", None))
                .map_err(|detail| failed(Failure::bad_result(detail)))?;
            messages += 1;
        }
        Ok(ProbeReport {
            messages,
            wall_us: u64::try_from(done.wall.as_micros()).unwrap_or(u64::MAX),
        })
    }

    async fn barrier(&self, bot: &BotId, revision: ActiveRevision, _timeout: Duration) {
        // There is no other node. Every update of this one looks at the floor before it starts, an `apiCall` of one
        // that runs is cut off, and what else it wants is refused when it commits.
        self.executor.raise(bot, revision.epoch);
    }
}

fn unreadable(error: &RevisionError) -> SandboxError {
    SandboxError::Artifact {
        code: error.code(),
        detail: error.outside(),
    }
}

fn failed(failure: Failure) -> SandboxError {
    match failure {
        Failure::Program { outcome, detail } => SandboxError::Outcome {
            outcome: outcome.to_owned(),
            detail,
        },
        Failure::NoSandbox(_) | Failure::Overtaken => SandboxError::NoNode,
    }
}
