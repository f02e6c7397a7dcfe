//! The API as a whole: what every handler shares, and the handle that the composition root holds.

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::FromRef;
use botloom_core::TimestampMs;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{self, Error};
use crate::auth::attempts::Attempts;
use crate::auth::password::Passwords;
use crate::deps::{Deps, Watch};
use crate::doctor::{self, Pacer};
use crate::events::{Hub, Streams};
use crate::heavy::Heavy;
use crate::idempotency::Running;
use crate::limits::Rates;
use crate::oidc::Provider;
use crate::options::{InvalidOptions, Options};
use crate::{managed, profiles, router, sweep};

/// Questions to analytics at a time, of this node.
const QUESTIONS: usize = 2;
/// Conversations with real calls of one user at a time, on this node.
const LIVE_SIMULATIONS: u32 = 1;
/// A shutdown waits for what is unfinished as long as so many of the longest calls to Telegram take: looking at a token, having
/// it replaced, setting the webhook. Where a node is ended 30 s after it was told to, that is enough time for the rest.
const CALLS_AT_THE_END: u32 = 3;

/// What every handler shares.
pub(crate) type App = Arc<Shared>;

/// See [`App`].
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) deps: Deps,
    pub(crate) options: Options,
    pub(crate) passwords: Passwords,
    /// For what is done with whole specs.
    pub(crate) specs: Heavy,
    pub(crate) attempts: Attempts,
    pub(crate) rates: Rates,
    pub(crate) streams: Streams,
    pub(crate) pacer: Pacer,
    pub(crate) exports: Streams,
    /// Conversations with real calls: a node has few places for them, and nobody is to take them all.
    pub(crate) live_simulations: Streams,
    /// The identity provider, where there is one.
    pub(crate) oidc: Option<Provider>,
    pub(crate) hub: Hub,
    /// What Telegram asked of the manager bot.
    pub(crate) manager_rest: managed::Rest,
    /// Places for questions to analytics: most of a store is for what bots and people wait for.
    pub(crate) questions: Arc<Semaphore>,
    pub(crate) running: Running,
    /// What must not stop half done.
    pub(crate) unfinished: TaskTracker,
    /// How long a shutdown waits for it, once there is one.
    settles_until: OnceLock<Instant>,
    /// Ends event streams, so that a shutdown need not wait for them.
    pub(crate) stop: CancellationToken,
}

impl FromRef<App> for Watch {
    fn from_ref(app: &App) -> Self {
        app.deps.watch.clone()
    }
}

impl Shared {
    pub(crate) fn now(&self) -> TimestampMs {
        self.deps.ports.clock.now()
    }
}

/// Does work that a shutdown waits for: [`ControlPlane::settled`]. That it goes on when whoever asked for it hangs up holds for
/// every request that changes something.
pub(crate) async fn see_through<T>(app: &App, work: impl Future<Output = T>) -> T {
    app.unfinished.track_future(work).await
}

/// The HTTP API. Clones are the same API.
#[derive(Clone)]
pub struct ControlPlane {
    app: App,
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("options", &self.app.options)
            .finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// An API that is not served yet. `shutdown` ends its event streams.
    ///
    /// Computes one password hash, so it takes some tens of milliseconds.
    pub fn new(deps: Deps, options: Options, shutdown: CancellationToken) -> Result<Self, InvalidOptions> {
        options.check()?;
        let oidc = options
            .oidc
            .clone()
            .map(|provider| Provider::new(provider, options.public_url.as_ref()))
            .transpose()?;
        let shared = Shared {
            oidc,
            passwords: Passwords::new(options.password_cost, options.limits.password_hashes)?,
            specs: Heavy::new(options.limits.specs_at_a_time),
            attempts: Attempts::new(options.limits.failed_logins),
            rates: Rates::new(&options.limits)?,
            streams: Streams::new(options.limits.streams_per_user),
            pacer: Pacer::default(),
            exports: Streams::new(options.limits.exports_per_user),
            live_simulations: Streams::new(LIVE_SIMULATIONS),
            hub: Hub::default(),
            manager_rest: managed::Rest::default(),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            running: Running::default(),
            unfinished: TaskTracker::new(),
            settles_until: OnceLock::new(),
            deps,
            options,
            stop: shutdown,
        };
        Ok(Self {
            app: Arc::new(shared),
        })
    }

    /// All routes of the API. Serve it with a `ConnectInfo<SocketAddr>` of the caller, not of a proxy in between: addresses bound
    /// what a caller may do, and are noted. It has a fallback of its own (404 as a problem), so a router without one can be merged into it.
    pub fn router(&self) -> Router {
        router::router(self.app.clone())
    }

    /// Makes the first owner and their project unless somebody exists; answers whether it did. For
    /// `BOTLOOM_OWNER_EMAIL` and `BOTLOOM_OWNER_PASSWORD` at the start.
    pub async fn ensure_owner(&self, email: &str, password: &str) -> Result<bool, Error> {
        app::accounts::ensure_owner(&self.app, email, password).await
    }

    /// Checks whether Telegram delivers, publishes commands and descriptions of live revisions there, hears from the manager
    /// bot which bots people made, and forgets sessions, idempotency keys and rate limits that have expired, until `shutdown`.
    /// Then waits as [`ControlPlane::settled`].
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(
            sweep::run(&self.app, &shutdown),
            doctor::run(&self.app, &shutdown),
            profiles::run(&self.app, &shutdown),
            managed::run(&self.app, &shutdown),
        );
        self.settled().await;
    }

    /// Waits until nothing is half done any more that was begun for somebody: tokens that Telegram is replacing, webhooks that
    /// it is setting. Until three times [`Options::telegram_timeout`] after the first who waits. For shutdowns: stores must stay
    /// open so long.
    pub async fn settled(&self) {
        let Shared {
            unfinished, options, ..
        } = &*self.app;
        unfinished.close();
        let longest = options.telegram_timeout * CALLS_AT_THE_END;
        let end = *self.app.settles_until.get_or_init(|| Instant::now() + longest);
        if tokio::time::timeout_at(end, unfinished.wait()).await.is_err() {
            tracing::warn!(
                left = unfinished.len(),
                "what Telegram was asked for is left half done"
            );
        }
    }
}
