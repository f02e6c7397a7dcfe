//! The runtime's metrics. Handles are made once: looking a counter up by its name for every update would cost more than
//! parsing the update. No label ever names a chat or a bot. `docs/metrics.md` says what each of them means.

use botloom_core::ports::Direction;
use botloom_telegram::CallError;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Statuses of answers of the Bot API that are counted apart.
const ANSWERS: [&str; 10] = [
    "200", "400", "401", "403", "404", "409", "429", "5xx", "other", "none",
];
/// Reasons of dead letters that are counted apart; what Telegram or a later version invents is `other`.
const REASONS: [&str; 21] = [
    "ambiguous",
    "bad-call",
    "bad_result",
    "cpu_limit",
    "expired",
    "job_limit",
    "load_failed",
    "malformed",
    "memory_limit",
    "never-ended",
    "output_limit",
    "overflow",
    "script_error",
    "stack_limit",
    "state-corrupt",
    "telegram-400",
    "telegram-403",
    "telegram-404",
    "telegram-409",
    "telegram-unreachable",
    "worker_crashed",
];

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
    pub(crate) persist_seconds: Histogram,
    /// Updates executed.
    pub(crate) handled: Counter,
    pub(crate) ignored: Counter,
    pub(crate) failed: Counter,
    pub(crate) dead_in: Counter,
    pub(crate) stale: Counter,
    pub(crate) fenced: Counter,
    pub(crate) handle_seconds: Histogram,
    pub(crate) queue_seconds: Histogram,
    pub(crate) commit_seconds: Histogram,
    pub(crate) lanes_ready: Gauge,
    pub(crate) updates_waiting: Gauge,
    pub(crate) messages_waiting: Gauge,
    pub(crate) lanes_leased: Gauge,
    pub(crate) lanes_delayed: Gauge,
    pub(crate) queue_age_seconds: Gauge,
    pub(crate) turns_running: Gauge,
    /// Messages.
    pub(crate) sent: Counter,
    pub(crate) send_seconds: Histogram,
    pub(crate) pace_seconds: Histogram,
    pub(crate) delivery_seconds: Histogram,
    answers: [Counter; ANSWERS.len()],
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
            persist_seconds: histogram!("botloom_persist_seconds"),
            handled: run("handled"),
            ignored: run("ignored"),
            failed: run("failed"),
            dead_in: run("dead_lettered"),
            stale: run("stale"),
            fenced: run("fenced"),
            handle_seconds: histogram!("botloom_handle_seconds"),
            queue_seconds: histogram!("botloom_queue_seconds"),
            commit_seconds: histogram!("botloom_commit_seconds"),
            lanes_ready: gauge!("botloom_lanes_ready"),
            updates_waiting: gauge!("botloom_updates_waiting"),
            messages_waiting: gauge!("botloom_messages_waiting"),
            lanes_leased: gauge!("botloom_lanes_leased"),
            lanes_delayed: gauge!("botloom_lanes_delayed"),
            queue_age_seconds: gauge!("botloom_queue_age_seconds"),
            turns_running: gauge!("botloom_turns_running"),
            sent: message("sent"),
            send_seconds: histogram!("botloom_send_seconds"),
            pace_seconds: histogram!("botloom_pace_seconds"),
            delivery_seconds: histogram!("botloom_delivery_seconds"),
            answers: ANSWERS.map(|status| counter!("botloom_telegram_answers_total", "status" => status)),
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

impl Meters {
    /// Counts an answer of the Bot API to a message.
    pub(crate) fn answered(&self, outcome: &Result<(), CallError>) {
        let status = match outcome {
            Ok(()) => "200",
            Err(CallError::Api { code, .. }) => match code {
                400 => "400",
                401 => "401",
                403 => "403",
                404 => "404",
                409 => "409",
                429 => "429",
                500..=599 => "5xx",
                _ => "other",
            },
            Err(CallError::BadAnswer { .. }) => "other",
            Err(CallError::Connect { .. } | CallError::Ambiguous { .. } | CallError::BadCall { .. }) => {
                "none"
            }
        };
        let at = ANSWERS.iter().position(|known| *known == status);
        self.answers[at.expect("every status above is in the list")].increment(1);
    }
}

/// Counts dead letters by their reason.
pub(crate) fn count_dead_letters(direction: Direction, reason: &str, letters: u64) {
    let reason = if reason.starts_with("telegram-5") {
        "telegram-5xx"
    } else {
        REASONS.iter().find(|known| **known == reason).unwrap_or(&"other")
    };
    counter!("botloom_dead_letters_total", "direction" => direction.as_str(), "reason" => reason)
        .increment(letters);
}
