//! Putting a node together, and taking it down.

use std::sync::Arc;

use axum::Router;
use botloom_core::ports::{Ports, Sandboxes, Simulations};
use botloom_core::vault::Vault;
use botloom_telegram::Client;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bots::Bots;
use crate::cluster::{Answering, Membership};
use crate::effects::{Guard, Matcher, Resolve};
use crate::executor::Executor;
use crate::ingress::{self, Door, Load};
use crate::meters::Meters;
use crate::node::{self, Node};
use crate::options::Options;
use crate::outbound::Sender;
use crate::outcomes::Tally;
use crate::polling::Poller;
use crate::reports::reports;
use crate::revisions::Revisions;
use crate::sandbox::{self, Pool};
use crate::sandboxes::LocalSandboxes;
use crate::simulations::PoolSimulations;
use crate::slots::Slots;

/// Calls at a time for each sandbox worker, and the share of one bot in them: enough to keep all workers busy.
const CALLS: (usize, usize) = (8, 2);
/// The share of one bot in the turns that run: a quarter.
const SHARE: usize = 4;

/// What a node needs of others.
#[derive(Debug)]
pub struct Deps {
    /// Storage, bus, clock.
    pub ports: Ports,
    /// Opens tokens and webhook secrets.
    pub vault: Vault,
    /// The Bot API.
    pub telegram: Client,
    /// Sandbox workers. They must outlive the node's drain.
    pub pool: Pool,
    /// Names for `apiCall`s; [`crate::SystemResolver`] outside of tests.
    pub resolver: Arc<dyn Resolve>,
}

/// A running node. Clones are the same node.
#[derive(Debug, Clone)]
pub struct Handle {
    node: Arc<Node>,
    executor: Arc<Executor>,
    door: Arc<Door>,
    drained: CancellationToken,
}

/// How a node does.
#[derive(Debug, Clone)]
pub struct Status {
    /// It takes nothing new any more.
    pub draining: bool,
    /// Nodes that take on bots, as this one sees them; 0 while it cannot see the list.
    pub nodes: usize,
    /// Its sandbox workers.
    pub sandbox: sandbox::Status,
}

/// Starts a node. It runs until `shutdown`, then finishes what it began ([`Handle::drained`]).
///
/// Must be called inside a Tokio runtime, after the process has installed its metrics recorder.
pub fn start(deps: Deps, options: Options, shutdown: &CancellationToken) -> Handle {
    let Deps {
        ports,
        vault,
        telegram,
        pool,
        resolver,
    } = deps;
    let (reports, writer) = reports(Arc::clone(&ports.clock));
    let guard = Guard::new(resolver, options.dev_hosts.clone(), options.api_call_longest);
    let draining = shutdown.child_token();
    let turns = Slots::new(options.turns, options.turns / SHARE);
    let places = (turns.clone(), options.turns);
    let membership = Membership::new(
        Arc::clone(&ports.nodes),
        places,
        options.generates,
        draining.clone(),
    );
    let node = Arc::new(Node {
        turns,
        membership: Arc::new(membership),
        bots: Bots::new(Arc::clone(&ports.catalog), Arc::clone(&ports.bus), vault),
        revisions: Revisions::new(Arc::clone(&ports.catalog), Arc::clone(&ports.artifacts)),
        calls: Slots::new(pool.workers() * CALLS.0, pool.workers() * CALLS.1),
        pool,
        matcher: Matcher::default(),
        guard,
        telegram,
        reports,
        meters: Meters::default(),
        outcomes: Arc::new(Tally::new(Arc::clone(&ports.outcomes))),
        tasks: TaskTracker::new(),
        draining,
        ports,
        options,
    });
    let load = Load::new(&node.options);
    let sender = Arc::new(Sender::new(Arc::clone(&node)));
    let executor = Arc::new(Executor::new(
        Arc::clone(&node),
        Arc::clone(&sender),
        load.clone(),
    ));
    let door = Arc::new(Door::new(Arc::clone(&node), Arc::clone(&executor), load.clone()));
    let poller = Arc::new(Poller {
        node: Arc::clone(&node),
        door: Arc::clone(&door),
    });

    let reconcile = node.options.reconcile;
    // What the other nodes and the deployer need of this one as long as anything of it runs.
    let (outlasting, ended) = (TaskTracker::new(), CancellationToken::new());
    outlast(
        &outlasting,
        &ended,
        "membership",
        &node.membership,
        Membership::run,
    );
    let answering = Arc::new(Answering::new(LocalSandboxes {
        node: Arc::clone(&node),
        executor: Arc::clone(&executor),
    }));
    outlast(&outlasting, &ended, "asks", &answering, Answering::run);
    outlast(&outlasting, &ended, "outcomes", &node.outcomes, Tally::run);
    outlasting.close();

    supervise(&node, "bots", &node, move |node| {
        node.bots.clone().run(reconcile, node.draining.clone())
    });
    supervise(&node, "load", &node, move |node| load.clone().run(node));
    supervise(&node, "turns", &executor, Executor::claim_turns);
    supervise(&node, "parking", &executor, Executor::sweep_parking);
    supervise(&node, "notices", &executor, Executor::follow_notices);
    supervise(&node, "messages", &sender, Sender::claim_messages);
    supervise(&node, "tokens", &sender, Sender::follow_tokens);
    supervise(&node, "shares", &sender, Sender::follow_shares);
    supervise(&node, "polling", &poller, Poller::run);

    let (drained, written) = (CancellationToken::new(), CancellationToken::new());
    let writing = tokio::spawn(writer.run(
        Arc::clone(&node.ports.analytics),
        Arc::clone(&node.ports.events),
        written.clone(),
    ));
    tokio::spawn({
        let (node, drained) = (Arc::clone(&node), drained.clone());
        async move {
            node.draining.cancelled().await;
            node.tasks.close();
            if tokio::time::timeout(node.options.drain_within, node.tasks.wait())
                .await
                .is_err()
            {
                tracing::warn!(tasks = node.tasks.len(), "what still runs is left to its leases");
            }
            ended.cancel();
            outlasting.wait().await;
            written.cancel();
            if writing.await.is_err() {
                tracing::error!("the writer of telemetry had panicked");
            }
            drained.cancel();
        }
    });
    Handle {
        node,
        executor,
        door,
        drained,
    }
}

/// Supervises a part made of something shared.
fn supervise<T, F, Fut>(node: &Arc<Node>, name: &'static str, part: &Arc<T>, run: F)
where
    T: Send + Sync + 'static,
    F: Fn(Arc<T>) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let part = Arc::clone(part);
    node.supervise(name, move || run(Arc::clone(&part)));
}

/// Supervises a part that goes on while the node drains, until `end`.
fn outlast<T, F, Fut>(tasks: &TaskTracker, end: &CancellationToken, name: &'static str, part: &Arc<T>, run: F)
where
    T: Send + Sync + 'static,
    F: Fn(Arc<T>, CancellationToken) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (part, token) = (Arc::clone(part), end.clone());
    node::supervise(tasks, end.clone(), name, move || {
        run(Arc::clone(&part), token.clone())
    });
}

impl Handle {
    /// Simulated conversations in this node's sandboxes.
    pub fn simulations(&self) -> Arc<dyn Simulations> {
        Arc::new(PoolSimulations::new(
            self.node.pool.clone(),
            self.node.guard.clone(),
        ))
    }

    /// `POST /wh/{botId}`. Serve it with a `ConnectInfo<SocketAddr>` of the caller, not of a proxy in between.
    pub fn router(&self) -> Router {
        ingress::router(Arc::clone(&self.node), Arc::clone(&self.door))
    }

    /// This node alone as the deployer and the control plane see it; [`crate::cluster_sandboxes`] is all of them.
    pub fn sandboxes(&self) -> Arc<dyn Sandboxes> {
        Arc::new(LocalSandboxes {
            node: Arc::clone(&self.node),
            executor: Arc::clone(&self.executor),
        })
    }

    /// How the node does.
    pub fn status(&self) -> Status {
        Status {
            draining: self.node.draining.is_cancelled(),
            nodes: self.node.membership.moves().borrow().len(),
            sandbox: self.node.pool.status(),
        }
    }

    /// Resolves after the shutdown when everything has ended, or [`Options::drain_within`] has passed.
    pub async fn drained(&self) {
        self.drained.cancelled().await;
    }
}
