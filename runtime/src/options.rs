//! Every number of the runtime that an operator or a test may change.

use std::time::Duration;

use botloom_core::ports::LaneLimits;

use crate::effects::DevHosts;

/// Settings of a runtime node. Every field has a default that fits one small machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the backend's lanes were made with. Leases are renewed and turns are bounded after these numbers, so they
    /// must be the same.
    pub lanes: LaneLimits,
    /// Turns that run at a time. Far above the number of sandbox workers on purpose: turns wait for the disk and for
    /// `apiCall`s, and group commit needs company. Default 256.
    pub turns: usize,
    /// Longest time of one `apiCall` with its retries and pauses; a retry that would begin later is not made.
    /// Default 60 s.
    pub api_call_longest: Duration,
    /// Names whose `apiCall`s go to a development server. Default none.
    pub dev_hosts: DevHosts,
    /// How long the door waits for the store before it answers 503. Default 300 ms.
    pub persist_within: Duration,
    /// Updates that wait for the store at a time; the door answers 503 to more. Default 4,096.
    pub persisting: usize,
    /// Waiting updates of one bot above which its door answers 429. Default 50,000.
    pub bot_backlog: u64,
    /// How old the updates that a bot starts may be before its door answers 429 (if more than a full lane of them
    /// wait). Default 30 s.
    pub bot_lag: Duration,
    /// How long a started update may rely on the revision it was claimed with. Default 300 ms; the deployer waits for
    /// as long.
    pub revision_lease: Duration,
    /// How long lanes of bots without a revision rest before they are looked at again. Below the lease of a lane.
    /// Default 4 s.
    pub park: Duration,
    /// Whether this process also takes tasks of generation, which its beats say. Default false.
    pub generates: bool,
    /// How often rows of bots are read again, in case a notice was lost. Default 2 s.
    pub reconcile: Duration,
    /// Sending.
    pub send: SendLimits,
    /// Polling.
    pub poll: PollOptions,
    /// How long shutting down may take before what still runs is left to its leases. Default 10 s.
    pub drain_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lanes: LaneLimits::default(),
            turns: 256,
            api_call_longest: Duration::from_mins(1),
            dev_hosts: DevHosts::default(),
            persist_within: Duration::from_millis(300),
            persisting: 4_096,
            bot_backlog: 50_000,
            bot_lag: Duration::from_secs(30),
            revision_lease: Duration::from_millis(300),
            park: Duration::from_secs(4),
            generates: false,
            reconcile: Duration::from_secs(2),
            send: SendLimits::default(),
            poll: PollOptions::default(),
            drain_within: Duration::from_secs(10),
        }
    }
}

impl Options {
    /// So many fifths of the lease of a lane.
    pub(crate) fn lease_part(&self, fifths: u32) -> Duration {
        Duration::from_millis(self.lanes.lease_ms.unsigned_abs()) * fifths / 5
    }

    /// So many fifteenths of the lease of a sender.
    pub(crate) fn out_lease_part(&self, fifteenths: u32) -> Duration {
        Duration::from_millis(self.lanes.out_lease_ms.unsigned_abs()) * fifteenths / 15
    }
}

/// Limits of sending. Telegram publishes none; the defaults are those of its FAQ. 0 switches a rate off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SendLimits {
    /// Messages per second of one bot: bulk always, replies only from the moment Telegram refuses several chats of the
    /// bot, and then growing again by a tenth per quiet minute. Default 30.
    pub bot_per_s: f64,
    /// Bulk messages per second of one bot. Default 25.
    pub bulk_per_s: f64,
    /// Messages per second in a private chat. Default 1.
    pub chat_per_s: f64,
    /// Messages at once in a private chat that was quiet. Default 3.
    pub chat_burst: u32,
    /// Messages per minute in a group or channel. Default 20.
    pub group_per_min: f64,
    /// Messages at once in a group or channel that was quiet. Default 5.
    pub group_burst: u32,
    /// Requests to the Bot API at a time. Default 512.
    pub requests: usize,
    /// The share of one bot in them while others need them. Default 16.
    pub requests_per_bot: usize,
    /// Chats that are being sent to or about to be (waiting less than 5 s) at a time. Default 4,096.
    pub chats: usize,
    /// Tries of a message that Telegram does not answer. Default 8.
    pub tries: u32,
    /// Pause after the first failed try; doubles up to a minute. Default 1 s.
    pub first_retry: Duration,
}

impl Default for SendLimits {
    fn default() -> Self {
        Self {
            bot_per_s: 30.0,
            bulk_per_s: 25.0,
            chat_per_s: 1.0,
            chat_burst: 3,
            group_per_min: 20.0,
            group_burst: 5,
            requests: 512,
            requests_per_bot: 16,
            chats: 4_096,
            tries: 8,
            first_retry: Duration::from_secs(1),
        }
    }
}

/// How bots without a webhook are asked for.
#[derive(Debug, Clone, Copy)]
pub struct PollOptions {
    /// Most bots polled by this node. Default 1,000.
    pub bots: usize,
    /// How long Telegram holds an empty answer back, at most 50 s. Default 25 s.
    pub hold: Duration,
    /// Pause after a first failure; doubles up to `longest_pause`. Default 1 s.
    pub first_pause: Duration,
    /// Default 30 s.
    pub longest_pause: Duration,
}

impl Default for PollOptions {
    fn default() -> Self {
        Self {
            bots: 1_000,
            hold: Duration::from_secs(25),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
        }
    }
}
