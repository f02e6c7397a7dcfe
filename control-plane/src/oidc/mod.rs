//! OpenID Connect 1.0, as far as a relying party needs it: the authorization code flow with PKCE, state and nonce, at one
//! provider. Who may come in is not decided here but in `app/federation.rs`.

mod attempt;
mod authorities;
mod error;
mod http;
mod options;
mod provider;
mod return_to;

pub(crate) use attempt::{ATTEMPT_MS, AttemptSecret};
pub use authorities::{Authorities, InvalidAuthorities};
pub use error::OidcError;
pub use options::OidcOptions;
pub(crate) use provider::{Provider, Verified, shown};
pub(crate) use return_to::ReturnTo;
