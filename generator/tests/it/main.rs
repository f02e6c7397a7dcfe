//! Tests of the generator.

mod attacks;
mod build;
mod conversations;
mod examples;
mod filter;
mod golden;
mod prelude;
mod printing;
mod semantics;
mod support;
mod worker;
