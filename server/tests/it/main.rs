//! The product as its users meet it: the real binary, real sockets, real files, a simulated Telegram.

mod support;

mod architecture;
mod bad_input;
mod cli;
mod crash;
mod deploy_faults;
mod drain;
mod flips;
mod main_story;
mod polling;
mod tree;
