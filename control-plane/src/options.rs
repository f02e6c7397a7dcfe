//! How the API behaves.

use std::time::Duration;

use botloom_telegram::Token;
use url::Url;

use crate::oidc::OidcOptions;

/// Settings of the API.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where people and Telegram reach this installation (`BOTLOOM_PUBLIC_URL`). Needed for webhooks. `https` makes
    /// session cookies secure.
    pub public_url: Option<Url>,
    /// Another origin that a browser may call from with a session (`BOTLOOM_CONSOLE_ORIGIN`).
    pub console_origin: Option<Url>,
    /// The identity provider at which people log in. Needs the public URL.
    pub oidc: Option<OidcOptions>,
    /// Whether people log in with e-mail and password (`BOTLOOM_PASSWORD_LOGIN`). Without it they need a provider.
    pub password_login: bool,
    /// Root of the Bot API (`BOTLOOM_TELEGRAM_API_ROOT`). Telegram's own asks for HTTPS and certain ports of a webhook.
    pub telegram_api_root: Url,
    /// The bot that has people make bots (`BOTLOOM_MANAGER_BOT_TOKEN`).
    pub manager_bot: Option<Token>,
    /// Deliveries of Telegram at a time per bot, 1 to 100.
    pub webhook_max_connections: u8,
    /// How often a node looks for webhooks that are due for their check.
    pub webhook_look: Duration,
    /// Longest wait for Telegram inside a request. Shorter than the client's own limit: people are waiting.
    pub telegram_timeout: Duration,
    /// Numbers that bound what callers may do.
    pub limits: Limits,
    /// Cost of a password hash.
    pub password_cost: PasswordCost,
    /// Pause between two heartbeat comments of an event stream.
    pub heartbeat: Duration,
    /// How often an event stream looks at its session and at the log without having been told to. At most 5 s, so that
    /// a revoked session's stream ends in time even when the hint is lost.
    pub stream_poll: Duration,
    /// How long a stream's reader may stall with a full buffer before the stream is ended.
    pub stream_stall: Duration,
}

/// Numbers that bound what callers may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body in bytes.
    pub body_bytes: usize,
    /// Longest wait for a request's body.
    pub body_timeout: Duration,
    /// Longest time a request may take in all; event streams have begun by then.
    pub deadline: Duration,
    /// Requests a second of one address (IPv6: of one /64), in the long run.
    pub address_per_second: u32,
    /// Requests of one address at once.
    pub address_burst: u32,
    /// Logins that an address may begin at an identity provider, a minute.
    pub identity_logins: u32,
    /// Requests a second of one user, in the long run.
    pub user_per_second: u32,
    /// Requests of one user at once.
    pub user_burst: u32,
    /// Failed logins a minute of one account from one address. An account is refused after twice as many from
    /// everywhere, an address after four times as many for whatever accounts.
    pub failed_logins: u32,
    /// Event streams of one user.
    pub streams_per_user: u32,
    /// Exports of bots that one user takes at a time.
    pub exports_per_user: u32,
    /// Projects that one user may own; who has more keeps them.
    pub projects_per_user: u32,
    /// Password hashes computed at a time; the others wait.
    pub password_hashes: usize,
    /// Specs judged, compared or built for a simulation at a time; the others wait.
    pub specs_at_a_time: usize,
    /// Longest wait of a request for the answer of another one with the same `Idempotency-Key`. Shorter than `deadline`.
    pub key_wait: Duration,
}

/// Cost of argon2id. The default is one of the settings that OWASP's password storage sheet recommends.
#[derive(Debug, Clone, Copy)]
pub struct PasswordCost {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: None,
            console_origin: None,
            oidc: None,
            password_login: true,
            telegram_api_root: Url::parse("https://api.telegram.org").expect("a constant that parses"),
            manager_bot: None,
            webhook_max_connections: 40,
            webhook_look: Duration::from_secs(1),
            telegram_timeout: Duration::from_secs(8),
            limits: Limits::default(),
            password_cost: PasswordCost::default(),
            heartbeat: Duration::from_secs(15),
            stream_poll: Duration::from_secs(2),
            stream_stall: Duration::from_secs(5),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            body_timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(20),
            address_per_second: 60,
            address_burst: 400,
            identity_logins: 60,
            user_per_second: 30,
            user_burst: 200,
            failed_logins: 5,
            streams_per_user: 6,
            exports_per_user: 2,
            projects_per_user: 100,
            password_hashes: 2,
            specs_at_a_time: 2,
            key_wait: Duration::from_secs(10),
        }
    }
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            iterations: 2,
        }
    }
}

/// The API cannot be made with these options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidOptions(pub(crate) &'static str);

impl Options {
    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        let web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.host().is_some();
        let bare = |url: &Url| {
            url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let limits = &self.limits;
        let positive = [
            limits.address_per_second,
            limits.address_burst,
            limits.identity_logins,
            limits.user_per_second,
            limits.user_burst,
            limits.failed_logins,
        ];
        if !self.public_url.as_ref().is_none_or(|url| web(url) && bare(url)) {
            Err(InvalidOptions(
                "the public URL must be http or https, without user, query and fragment",
            ))
        } else if !self
            .console_origin
            .as_ref()
            .is_none_or(|url| web(url) && bare(url) && url.path() == "/")
        {
            Err(InvalidOptions(
                "the console's origin must be http or https and have no path",
            ))
        } else if !self.password_login && self.oidc.is_none() {
            Err(InvalidOptions(
                "nobody could log in: without an identity provider people need passwords",
            ))
        } else if !(1..=100).contains(&self.webhook_max_connections) {
            Err(InvalidOptions("Telegram delivers over 1 to 100 connections"))
        } else if positive.contains(&0) || limits.password_hashes == 0 || limits.specs_at_a_time == 0 {
            Err(InvalidOptions("limits must be at least 1"))
        } else if limits.key_wait >= limits.deadline {
            Err(InvalidOptions(
                "requests must not wait for others with their key until the deadline",
            ))
        } else if self.stream_poll.is_zero() || self.stream_poll > Duration::from_secs(5) {
            Err(InvalidOptions(
                "event streams must look at their session at least every 5 s",
            ))
        } else {
            Ok(())
        }
    }
}
