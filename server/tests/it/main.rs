//! The product as its users meet it: the real binary, real sockets, real files, a simulated Telegram.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![expect(
    clippy::print_stderr,
    reason = "stories of faults tell the numbers that they saw"
)]

mod support;

mod abuse;
mod applying;
mod architecture;
mod asking;
mod bad_input;
mod bots;
mod canary;
mod cli;
mod crash;
mod deploy_faults;
mod drain;
mod flips;
mod folder;
mod following;
mod logging_in;
mod main_story;
mod metrics;
mod nodes;
mod oidc;
mod once;
mod operating;
mod own_sessions;
mod people;
mod polling;
mod proxies;
mod releases;
mod rotation;
mod simulating;
mod telegram_bots;
mod traces;
mod tree;
mod unhealthy;
mod webhooks;
