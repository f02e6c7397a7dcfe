//! The crate as its users see it.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first surprise, also in its helpers"
)]

mod budget;
mod canonical_form;
mod codes;
mod diffs;
mod examples;
mod forty_mistakes;
mod profiles;
mod properties;
mod schema;
mod support;
