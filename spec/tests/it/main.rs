//! The crate as its users see it.

mod budget;
mod canonical_form;
mod codes;
mod diffs;
mod examples;
mod forty_mistakes;
mod properties;
mod schema;
mod support;
