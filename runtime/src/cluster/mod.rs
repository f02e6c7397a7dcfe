//! Several nodes as one runtime: who is there (`membership`), what the deployer asks of all of them (`asks`), and the
//! deployer's side of it (`sandboxes`), which needs no node of its own.

mod asks;
mod membership;
mod sandboxes;

pub(crate) use asks::Answering;
pub(crate) use membership::{Listing, Membership};
pub use sandboxes::cluster_sandboxes;
