//! Kills, and what they excuse: a message whose sender died between Telegram's answer and the note of it is sent again.

use std::time::SystemTime;

use super::process::Server;

/// How long a send may go without its note on a busy machine, milliseconds.
const UNNOTED_MS: i64 = 2_000;

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

    /// Checks that each message that was sent twice, known by when it was first sent, was under way when a node was killed,
    /// and that each kill had no more of them than `connections` can bring forth.
    pub(crate) fn excuse(&self, doubled: &[i64], connections: usize) {
        let under_way = |kill: &i64, sent: &i64| (kill - UNNOTED_MS..=*kill).contains(sent);
        for sent in doubled {
            assert!(
                self.0.iter().any(|kill| under_way(kill, sent)),
                "a message was sent twice though nobody died: first at {sent}, kills at {:?}",
                self.0
            );
        }
        for kill in &self.0 {
            let excused = doubled.iter().filter(|sent| under_way(kill, sent)).count();
            assert!(excused <= connections, "{excused} messages doubled by one kill");
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
