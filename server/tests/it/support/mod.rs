//! What the stories need: a server as a child process, a client of its API, a simulated Telegram, a stub of somebody's API,
//! load, and what stands between a server and its services.

pub(crate) mod api;
pub(crate) mod authority;
pub(crate) mod balancer;
pub(crate) mod collector;
pub(crate) mod desk;
pub(crate) mod front;
pub(crate) mod http;
pub(crate) mod kills;
pub(crate) mod load;
pub(crate) mod lossy;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod scripted;
pub(crate) mod services;
pub(crate) mod specs;
pub(crate) mod stories;
pub(crate) mod stub;
pub(crate) mod webhook;
pub(crate) mod world;
