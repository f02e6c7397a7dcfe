//! Events as lines for ClickHouse, and its answers as rows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use botloom_core::ports::{AnalyticsEvent, AnalyticsRow, StoreError, StoreResult};
use serde::Serialize;

/// A row of `analytics_events`.
#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    bot_id: &'a str,
    chat: &'a str,
    rev: String,
    at: i64,
    expires_at: i64,
    event: &'a str,
    flow: &'a str,
    step: &'a str,
    fields: &'a str,
    written: u64,
}

/// Makes lines out of events.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Time of the last row, in nanoseconds: no two rows of a process have the same.
    last: AtomicU64,
}

impl Rows {
    /// One JSON line for each event, in order.
    pub(super) fn lines(&self, events: &[AnalyticsEvent]) -> Vec<Vec<u8>> {
        events.iter().map(|event| self.line(event)).collect()
    }

    fn line(&self, event: &AnalyticsEvent) -> Vec<u8> {
        let row = Row {
            id: &event.id,
            bot_id: event.bot.as_str(),
            chat: event.chat.as_str(),
            rev: event.rev.map(|rev| rev.to_string()).unwrap_or_default(),
            at: event.at.0,
            expires_at: event.expires_at.0,
            event: &event.event,
            flow: event.flow.as_deref().unwrap_or_default(),
            step: event.step.as_deref().unwrap_or_default(),
            fields: &event.fields,
            // Of rows with one id the table keeps the greatest, and the first one is to stay.
            written: u64::MAX - self.moment(),
        };
        let mut line = serde_json::to_vec(&row).expect("a row is texts and numbers");
        line.push(b'\n');
        line
    }

    fn moment(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX / 2);
        let before = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(now.max(last + 1))
            })
            .unwrap_or_default();
        now.max(before + 1)
    }
}

/// Reads an answer in the format `JSONCompactEachRow`: a text, then whole numbers.
pub(super) fn answers(lines: &[u8]) -> StoreResult<Vec<AnalyticsRow>> {
    lines
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            answer(line)
                .ok_or_else(|| StoreError::Corrupt("an answer of ClickHouse has another form".to_owned()))
        })
        .collect()
}

fn answer(line: &[u8]) -> Option<AnalyticsRow> {
    let cells: Vec<serde_json::Value> = serde_json::from_slice(line).ok()?;
    let (key, values) = cells.split_first()?;
    Some(AnalyticsRow {
        key: key.as_str()?.to_owned(),
        values: values
            .iter()
            .map(serde_json::Value::as_u64)
            .collect::<Option<_>>()?,
    })
}
