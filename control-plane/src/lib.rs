//! The HTTP API: routes, rules, auth, problems, events.
//!
//! [`ControlPlane::new`] takes what the API needs of the outside ([`Deps`]) and how it behaves ([`Options`]);
//! [`ControlPlane::router`] serves it, [`ControlPlane::run`] checks webhooks, has Telegram show what live revisions say of
//! themselves, hears which bots people made, and forgets what has expired.
//!
//! Read `router.rs` first: it is the list of all routes. `routes/` holds the HTTP shape of each, `app/` the rules
//! without a word of HTTP, `auth/` who may do what, `oidc/` the identity provider, `doctor/` whether Telegram delivers,
//! `problem.rs` how failures look.

mod app;
mod archive;
mod auth;
mod code;
mod deps;
mod doctor;
mod etag;
mod events;
mod heavy;
mod http;
mod idempotency;
mod limits;
mod managed;
mod oidc;
mod openapi;
mod options;
mod pages;
mod problem;
mod profiles;
mod router;
mod routes;
mod state;
mod sweep;

pub use app::Error;
pub use deps::{Dependency, Deps, Readiness, Watch};
pub use oidc::{Authorities, InvalidAuthorities, OidcError, OidcOptions};
pub use openapi::openapi_json;
pub use options::{InvalidOptions, Limits, Options, PasswordCost};
pub use router::watched;
pub use state::ControlPlane;
