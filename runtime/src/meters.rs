//! The runtime's metrics. Handles are made once: looking a counter up by its name for every update would cost more than
//! parsing the update. No label ever names a chat or a bot.

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

/// All of them. Made after the process has installed its recorder.
#[derive(Debug)]
pub(crate) struct Meters {
    /// Updates at the door.
    pub(crate) accepted: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) overflows: Counter,
    pub(crate) malformed: Counter,
    pub(crate) refused_busy: Counter,
    pub(crate) refused_unavailable: Counter,
    pub(crate) wrong_secrets: Counter,
    /// Updates executed.
    pub(crate) handled: Counter,
    pub(crate) ignored: Counter,
    pub(crate) failed: Counter,
    pub(crate) dead_in: Counter,
    pub(crate) stale: Counter,
    pub(crate) fenced: Counter,
    pub(crate) handle_seconds: Histogram,
    pub(crate) queue_seconds: Histogram,
    pub(crate) lanes_ready: Gauge,
    pub(crate) updates_waiting: Gauge,
    pub(crate) messages_waiting: Gauge,
    pub(crate) oldest_update_seconds: Gauge,
    /// Messages.
    pub(crate) sent: Counter,
    pub(crate) send_seconds: Histogram,
    pub(crate) flood_waits: Counter,
    pub(crate) send_retries: Counter,
    pub(crate) send_expired: Counter,
    pub(crate) dead_out: Counter,
    pub(crate) ambiguous_resent: Counter,
    pub(crate) ambiguous_skipped: Counter,
    /// Polling.
    pub(crate) poll_conflicts: Counter,
}

impl Default for Meters {
    fn default() -> Self {
        describe_counter!("botloom_updates_total", "Updates at the door by outcome");
        describe_counter!("botloom_updates_run_total", "Updates executed by outcome");
        describe_counter!("botloom_messages_total", "Messages to Telegram by outcome");
        describe_counter!(
            "botloom_outbound_ambiguous_total",
            "Sends whose outcome nobody knows, by what was done about it"
        );
        describe_counter!(
            "botloom_poll_conflicts_total",
            "Answers of getUpdates that somebody else reads the updates"
        );
        describe_counter!(
            "botloom_analytics_dropped_total",
            "Rows of telemetry that were not stored"
        );
        describe_counter!("botloom_events_dropped_total", "Live events that were not logged");
        describe_counter!(
            "botloom_revision_failures_total",
            "Active revisions that could not be run, by code"
        );
        describe_counter!(
            "botloom_restarted_parts_total",
            "Background parts that ended early and were started again"
        );
        describe_histogram!("botloom_handle_seconds", "Wall time of bot code for one commit");
        describe_histogram!(
            "botloom_queue_seconds",
            "From accepting an update to its first start"
        );
        describe_histogram!("botloom_send_seconds", "One call of the Bot API");
        describe_gauge!("botloom_lanes_ready", "Chats that wait for a place");
        describe_gauge!("botloom_updates_waiting", "Updates in all lanes");
        describe_gauge!("botloom_messages_waiting", "Messages in all outboxes");
        describe_gauge!(
            "botloom_oldest_update_seconds",
            "Age of the oldest update that waits"
        );
        let update = |outcome| counter!("botloom_updates_total", "outcome" => outcome);
        let run = |outcome| counter!("botloom_updates_run_total", "outcome" => outcome);
        let message = |outcome| counter!("botloom_messages_total", "outcome" => outcome);
        let ambiguous = |policy| counter!("botloom_outbound_ambiguous_total", "policy" => policy);
        Self {
            accepted: update("accepted"),
            duplicates: update("duplicate"),
            overflows: update("overflow"),
            malformed: update("malformed"),
            refused_busy: update("busy"),
            refused_unavailable: update("unavailable"),
            wrong_secrets: update("wrong_secret"),
            handled: run("handled"),
            ignored: run("ignored"),
            failed: run("failed"),
            dead_in: run("dead_lettered"),
            stale: run("stale"),
            fenced: run("fenced"),
            handle_seconds: histogram!("botloom_handle_seconds"),
            queue_seconds: histogram!("botloom_queue_seconds"),
            lanes_ready: gauge!("botloom_lanes_ready"),
            updates_waiting: gauge!("botloom_updates_waiting"),
            messages_waiting: gauge!("botloom_messages_waiting"),
            oldest_update_seconds: gauge!("botloom_oldest_update_seconds"),
            sent: message("sent"),
            send_seconds: histogram!("botloom_send_seconds"),
            flood_waits: message("flood_wait"),
            send_retries: message("retried"),
            send_expired: message("expired"),
            dead_out: message("dead_lettered"),
            ambiguous_resent: ambiguous("resend"),
            ambiguous_skipped: ambiguous("skip"),
            poll_conflicts: counter!("botloom_poll_conflicts_total"),
        }
    }
}
