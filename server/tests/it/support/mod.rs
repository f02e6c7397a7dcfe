//! What the stories need: a server as a child process, a client of its API, a simulated Telegram, a stub of somebody's API.

pub mod api;
pub mod http;
pub mod process;
pub mod specs;
pub mod stub;
pub mod world;
