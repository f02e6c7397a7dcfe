//! Kills, and what they excuse: a message whose sender died between Telegram's answer and the note of it is sent again.

use std::collections::HashSet;
use std::time::SystemTime;

use super::load::Doubled;
use super::process::Server;

/// How long a send may go without its note on a busy machine, milliseconds.
const UNNOTED_MS: i64 = 2_000;
/// How long after the kill Telegram may still take what was on its way, milliseconds.
const ON_ITS_WAY_MS: i64 = 500;

/// When nodes were killed, Unix milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Kills(Vec<i64>);

impl Kills {
    /// Kills a node and starts it again.
    pub(crate) async fn again(&mut self, node: &mut Server) {
        node.kill();
        self.0.push(now_ms());
        node.spawn(&[]);
        node.ready().await;
    }

    /// Checks that each message that was sent twice was under way when a node was killed, and is the only one of its chat
    /// that was.
    pub(crate) fn excuse(&self, doubled: &[Doubled]) {
        let mut excused = HashSet::new();
        for Doubled { chat, at_ms } in doubled {
            let under_way = |kill: &&i64| (**kill - UNNOTED_MS..=**kill + ON_ITS_WAY_MS).contains(at_ms);
            let kill = self
                .0
                .iter()
                .filter(under_way)
                .min_by_key(|kill| (**kill - at_ms).abs());
            let Some(kill) = kill else {
                panic!(
                    "a message was sent twice though nobody died: to {chat} at {at_ms}, kills at {:?}",
                    self.0
                )
            };
            assert!(
                excused.insert((*chat, *kill)),
                "two messages to {chat} were doubled by one kill"
            );
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
