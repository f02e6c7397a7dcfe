//! What a bot's telemetry says: named questions over a bounded time.

use std::collections::HashMap;

use botloom_core::grid::{Grid, Piece, Width};
use botloom_core::ids::BotId;
use botloom_core::ports::{Analytics, AnalyticsQuery, AnalyticsRow};
use botloom_core::time::TimestampMs;

use tracing::Instrument;

use super::actor::Actor;
use super::{Error, access};
use crate::auth::policy::Action;
use crate::state::App;

const DAY_MS: i64 = 86_400_000;

/// Longest time of one question, and that which is meant where none is given.
pub(crate) const fn longest(width: Width) -> (i64, i64) {
    match width {
        Width::Day => (400 * DAY_MS, 30 * DAY_MS),
        Width::Hour => (31 * DAY_MS, 2 * DAY_MS),
    }
}

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// Everything in one row, with the chats that are new.
    Totals,
    /// A query that has one row for each thing.
    Things(AnalyticsQuery),
    /// A query that has one row for each piece of time.
    Series(AnalyticsQuery, Grid),
}

/// An answer as a table.
#[derive(Debug)]
pub(crate) struct Answered {
    /// Names of the numbers of a row.
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
}

/// A row of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: String,
    /// Beginning of the piece of time, in a series.
    pub(crate) start: Option<TimestampMs>,
    pub(crate) values: Vec<u64>,
}

/// Asks about `from <= at < to`.
pub(crate) async fn ask(
    app: &App,
    actor: Actor,
    bot: &BotId,
    (from, to): (TimestampMs, TimestampMs),
    question: Question,
) -> Result<Answered, Error> {
    access::bot(app, actor, bot, Action::Read).await?;
    let place = app.questions.clone().acquire_owned().await;
    let place = place.map_err(|_| Error::Internal("no place for a question"))?;
    let (store, bot) = (app.deps.ports.analytics.clone(), bot.clone());
    // A store goes on with a query when nobody waits any more: the place is taken until it ends.
    let asking = async move {
        let _place = place;
        answer(&*store, &bot, (from, to), question).await
    };
    let answered = tokio::spawn(asking.in_current_span()).await;
    answered.map_err(|_| Error::Internal("a question panicked"))?
}

async fn answer(
    store: &dyn Analytics,
    bot: &BotId,
    (from, to): (TimestampMs, TimestampMs),
    question: Question,
) -> Result<Answered, Error> {
    Ok(match question {
        Question::Totals => {
            let query = AnalyticsQuery::Totals;
            let totals = store.query(bot, from, to, &query).await?;
            let chats = AnalyticsQuery::Chats(Grid::utc_days());
            let days = store.query(bot, from, to, &chats).await?;
            let new = days.iter().filter_map(|day| day.values.get(1)).sum();
            let mut columns = query.columns()[1..].to_vec();
            columns.push("chatsNew");
            let width = columns.len() - 1;
            let mut values = totals
                .into_iter()
                .next()
                .map_or_else(|| vec![0; width], |row| row.values);
            values.push(new);
            let row = Row {
                key: String::new(),
                start: None,
                values,
            };
            Answered {
                columns,
                rows: vec![row],
            }
        }
        Question::Things(query) => Answered {
            columns: query.columns()[1..].to_vec(),
            rows: store
                .query(bot, from, to, &query)
                .await?
                .into_iter()
                .map(|row| Row {
                    key: row.key,
                    start: None,
                    values: row.values,
                })
                .collect(),
        },
        Question::Series(query, grid) => {
            let columns = query.columns()[1..].to_vec();
            let rows = store.query(bot, from, to, &query).await?;
            Answered {
                rows: filled(grid.pieces(from, to), rows, columns.len()),
                columns,
            }
        }
    })
}

/// One row for each piece, with zeros where nothing happened.
fn filled(pieces: Vec<Piece>, rows: Vec<AnalyticsRow>, columns: usize) -> Vec<Row> {
    let mut known: HashMap<String, Vec<u64>> = rows.into_iter().map(|row| (row.key, row.values)).collect();
    pieces
        .into_iter()
        .map(|piece| Row {
            values: known.remove(&piece.label).unwrap_or_else(|| vec![0; columns]),
            start: Some(piece.start),
            key: piece.label,
        })
        .collect()
}
