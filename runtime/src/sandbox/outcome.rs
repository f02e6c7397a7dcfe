//! How a call of bot code can end, as the executor and the bot's author see it.

use std::fmt;
use std::time::Duration;

use botloom_core::bot_js::Output;

/// How a call ended. Every call has exactly one.
#[derive(Debug)]
pub enum Outcome {
    /// `handle` returned something that fits.
    Ok(Box<Output>),
    /// `handle` threw, or left a rejected promise behind.
    ScriptError(ScriptError),
    /// More wall time than the budget. Whether the engine stopped it or the process was killed does not show.
    CpuLimit,
    /// More heap than one revision may have.
    MemoryLimit,
    /// Recursion deeper than the stack.
    StackLimit,
    /// The answer is larger than allowed; the text says which part.
    OutputLimit(String),
    /// More promise jobs than [`MAX_JOBS`](super::MAX_JOBS).
    JobLimit,
    /// The answer is not what `docs/bot-js.md` describes; the text says how.
    BadResult(String),
    /// The worker process ended by itself during the call.
    WorkerCrashed,
    /// The source does not compile, does not evaluate in time, or has no `handle`.
    LoadFailed(ScriptError),
}

impl Outcome {
    /// Stable name: `ok`, `script_error`, `cpu_limit` …
    pub const fn name(&self) -> &'static str {
        NAMES[self.index()]
    }

    /// Position in [`NAMES`].
    pub(super) const fn index(&self) -> usize {
        match self {
            Self::Ok(_) => 0,
            Self::ScriptError(_) => 1,
            Self::CpuLimit => 2,
            Self::MemoryLimit => 3,
            Self::StackLimit => 4,
            Self::OutputLimit(_) => 5,
            Self::JobLimit => 6,
            Self::BadResult(_) => 7,
            Self::WorkerCrashed => 8,
            Self::LoadFailed(_) => 9,
        }
    }

    /// One sentence for the bot's author; empty for `ok`. Holds nothing but what the bot's own code caused.
    pub fn message(&self) -> String {
        match self {
            Self::Ok(_) => String::new(),
            Self::ScriptError(error) | Self::LoadFailed(error) => error.to_string(),
            Self::CpuLimit => "the call took longer than its time budget".to_owned(),
            Self::MemoryLimit => "the call needed more memory than a bot may use".to_owned(),
            Self::StackLimit => "the call recursed too deeply".to_owned(),
            Self::OutputLimit(reason) | Self::BadResult(reason) => reason.clone(),
            Self::JobLimit => format!("the call ran more than {} promise jobs", super::MAX_JOBS),
            Self::WorkerCrashed => "the process that ran the call ended unexpectedly".to_owned(),
        }
    }
}

/// Names of all outcomes, for metrics.
pub(super) const NAMES: [&str; 10] = [
    "ok",
    "script_error",
    "cpu_limit",
    "memory_limit",
    "stack_limit",
    "output_limit",
    "job_limit",
    "bad_result",
    "worker_crashed",
    "load_failed",
];

/// An error of bot code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScriptError {
    /// The stable code of a message that reads `code: text`.
    pub code: Option<String>,
    /// What was thrown, at most [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES), without control characters.
    pub message: String,
    /// Where in `bot.js`, if known.
    pub position: Option<Position>,
}

/// A place in `bot.js`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl ScriptError {
    pub(super) fn new(message: &str, line: u32, column: u32) -> Self {
        let message: String = message
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let is_code = |code: &&str| {
            (2..=64).contains(&code.len())
                && code.starts_with(|c: char| c.is_ascii_lowercase())
                && code
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        let code = message
            .split_once(": ")
            .map(|(code, _)| code)
            .filter(is_code)
            .map(str::to_owned);
        let position = (line > 0).then_some(Position { line, column });
        Self {
            code,
            message,
            position,
        }
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.position {
            Some(Position { line, column }) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

/// Where a call ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RanAt {
    /// Process id of the worker.
    pub pid: u32,
    /// Whether the revision was loaded before the call came.
    pub warm: bool,
}

/// The end of one call.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub outcome: Outcome,
    /// From sending `Call` (or from the end of the call before it, if the worker was busy) to the typed outcome.
    /// Neither process start nor `Load` are in it.
    pub wall: Duration,
    /// The JSON text that `handle` returned, if it returned one, also when it does not fit. At most 128 KiB.
    pub json: String,
    /// Where it ran; `None` if it never reached a worker.
    pub at: Option<RanAt>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_can_carry_a_code() {
        let error = ScriptError::new("transition_limit: 64 steps\u{1b}[0m\n", 2, 5);
        assert_eq!(error.code.as_deref(), Some("transition_limit"));
        assert_eq!(
            error.to_string(),
            "transition_limit: 64 steps [0m  (line 2, column 5)"
        );
        for message in ["TypeError: x", "no code here", ": x", "a: x", "ünï: x"] {
            assert_eq!(ScriptError::new(message, 0, 0).code, None, "{message}");
        }
    }
}
