//! The guarded way out: the only sockets that bot code can cause to be opened, apart from Telegram's.
//!
//! A request passes four walls in this order, and each alone keeps it out of the private network: the URL must be plain
//! `https` on port 443 to a *name* on the revision's allow-list ([`target`]); every address of that name must be public
//! ([`address`]); the socket goes to one of exactly those addresses and the peer is compared afterwards ([`dial`]);
//! redirects and proxies are not followed at all. The name is resolved once for each request, so there is no second
//! answer to slip in.

mod address;
mod client;
mod dev_hosts;
mod dial;
mod exchange;
mod headers;
mod json;
mod resolve;
mod target;

pub use address::is_public;
pub(crate) use client::Attempt;
pub use client::Guard;
pub use dev_hosts::{DevHosts, InvalidDevHosts};
pub use resolve::{Resolve, SystemResolver};
pub(crate) use target::{AllowList, is_callable};
