//! Hearing what is published.

use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::PubSubStream;

/// A subscription that said nothing for so long is to be opened anew: a connection that only listens does not notice that
/// the other end is gone.
pub(crate) const QUIET: Duration = Duration::from_secs(15);

/// A message of a channel.
#[derive(Debug)]
pub(crate) struct Message {
    /// What was published.
    pub(crate) payload: Vec<u8>,
}

/// Subscribed channels on a connection of their own.
pub(crate) struct Subscription {
    pub(super) stream: PubSubStream,
}

impl Subscription {
    /// The next message; `None` when the connection was lost: subscribe again, and look for what was missed.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        let Some(message) = self.stream.next().await else {
            metrics::counter!("botloom_bus_lost_total").increment(1);
            return None;
        };
        Some(Message {
            payload: message.get_payload_bytes().to_vec(),
        })
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subscription")
    }
}
