//! Suite of the telemetry. Each case gets an empty store.
//!
//! Longer than most files: every question is asked of the same small history, told once.

use std::sync::Arc;

use super::CaseResult;
use super::cases::{T0, cases, race};
use crate::grid::{Grid, Width};
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, ChatId};
use crate::ports::analytics::event::{
    API_CALL, DEPLOYED, ERROR, FLOW_COMPLETED, FLOW_STARTED, MESSAGE_SENT, STEP_COMPLETED, UPDATE_HANDLED,
};
use crate::ports::{
    Analytics, AnalyticsEvent, AnalyticsQuery, AnalyticsRow, DEFAULT_RETENTION_MS, StoreResult,
};
use crate::time::TimestampMs;

/// What the suite is run against.
pub type Subject = Arc<dyn Analytics>;

cases!(($) analytics_conformance, analytics, Subject, [
    events_are_counted_by_name,
    an_id_is_counted_once,
    concurrent_repeats_are_counted_once,
    large_batches_are_stored_whole,
    messages_are_counted_in_and_out_per_day,
    chats_are_counted_once_a_day,
    a_chat_is_new_on_its_first_day_only,
    the_funnel_counts_chats_per_completed_step,
    chats_leave_a_flow_at_their_last_step,
    errors_are_counted_by_reason,
    percentiles_are_times_that_really_were,
    deploys_are_told_in_order_of_time,
    totals_count_everything_once,
    flows_are_counted_by_starts_and_ends,
    calls_are_counted_by_how_they_ended,
    time_is_cut_by_the_clocks_of_a_place,
    a_chat_is_new_in_the_hour_in_which_it_first_wrote,
    queries_keep_to_their_time_and_bot,
    old_events_are_deleted,
]);

const DAY_MS: i64 = 86_400_000;
const FAR: TimestampMs = TimestampMs(i64::MAX);

fn bot() -> BotId {
    BotId::new("a-bot").expect("a valid id")
}

fn event(id: i64, name: &str, chat: i64) -> AnalyticsEvent {
    AnalyticsEvent {
        id: format!("a-bot:{id}"),
        bot: bot(),
        chat: ChatId::from(chat),
        rev: Some(RevHash(Sha256Hash::of("rev"))),
        at: T0,
        expires_at: T0.plus(DEFAULT_RETENTION_MS),
        event: name.to_owned(),
        flow: None,
        step: None,
        fields: r#"{"text":"ok \" \u0000 🍕"}"#.to_owned(),
    }
}

fn in_flow(id: i64, chat: i64, name: &str, flow: &str, step: Option<&str>) -> AnalyticsEvent {
    AnalyticsEvent {
        flow: Some(flow.to_owned()),
        step: step.map(str::to_owned),
        ..event(id, name, chat)
    }
}

fn step(id: i64, chat: i64, flow: &str, step: &str) -> AnalyticsEvent {
    in_flow(id, chat, STEP_COMPLETED, flow, Some(step))
}

/// T0 is 2026-11-20T18:40:00Z; this is the end of that day.
const MIDNIGHT: TimestampMs = T0.plus(19_200_000);

fn funnel(flow: &str) -> AnalyticsQuery {
    AnalyticsQuery::Funnel {
        flow: flow.to_owned(),
    }
}

async fn ask(analytics: &Subject, query: AnalyticsQuery) -> StoreResult<Vec<(String, Vec<u64>)>> {
    ask_within(analytics, TimestampMs(0), FAR, query).await
}

async fn ask_within(
    analytics: &Subject,
    from: TimestampMs,
    to: TimestampMs,
    query: AnalyticsQuery,
) -> StoreResult<Vec<(String, Vec<u64>)>> {
    let rows = analytics.query(&bot(), from, to, &query).await?;
    let columns = query.columns().len();
    assert!(
        rows.iter().all(|row| row.values.len() + 1 == columns),
        "{query:?} has {columns} columns: {rows:?}"
    );
    Ok(rows.into_iter().map(|row| (row.key, row.values)).collect())
}

fn rows<const N: usize>(expected: &[(&str, [u64; N])]) -> Vec<(String, Vec<u64>)> {
    expected
        .iter()
        .map(|(key, values)| ((*key).to_owned(), values.to_vec()))
        .collect()
}

async fn events_are_counted_by_name(analytics: Subject) -> CaseResult {
    assert_eq!(ask(&analytics, AnalyticsQuery::Events).await?, []);
    analytics.record(&[]).await?;
    let batch = [
        event(1, "b", 1),
        event(2, "a", 1),
        event(3, "b", 1),
        event(4, "Ж", 2),
    ];
    analytics.record(&batch).await?;
    let counted = ask(&analytics, AnalyticsQuery::Events).await?;
    assert_eq!(counted, rows(&[("a", [1]), ("b", [2]), ("Ж", [1])]));
    Ok(())
}

async fn an_id_is_counted_once(analytics: Subject) -> CaseResult {
    analytics.record(&[event(1, "a", 1), event(1, "a", 1)]).await?;
    analytics
        .record(&[event(2, "a", 1), event(1, "b", 1), event(3, "a", 1)])
        .await?;
    assert_eq!(
        ask(&analytics, AnalyticsQuery::Events).await?,
        rows(&[("a", [3])])
    );
    Ok(())
}

async fn concurrent_repeats_are_counted_once(analytics: Subject) -> CaseResult {
    let batch: Vec<_> = (0..100).map(|id| event(id, "a", id)).collect();
    let answers = race(10, |_| {
        let (analytics, batch) = (Arc::clone(&analytics), batch.clone());
        async move { analytics.record(&batch).await }
    });
    for answer in answers.await {
        answer?;
    }
    assert_eq!(
        ask(&analytics, AnalyticsQuery::Events).await?,
        rows(&[("a", [100])])
    );
    Ok(())
}

async fn large_batches_are_stored_whole(analytics: Subject) -> CaseResult {
    let batch: Vec<_> = (0..2_345).map(|id| event(id, "a", id)).collect();
    analytics.record(&batch).await?;
    assert_eq!(
        ask(&analytics, AnalyticsQuery::Events).await?,
        rows(&[("a", [2_345])])
    );
    Ok(())
}

async fn messages_are_counted_in_and_out_per_day(analytics: Subject) -> CaseResult {
    let mut batch = vec![
        event(1, UPDATE_HANDLED, 1),
        event(2, MESSAGE_SENT, 1),
        event(3, MESSAGE_SENT, 1),
        event(4, "a", 1),
        event(5, UPDATE_HANDLED, 2),
        event(6, MESSAGE_SENT, 2),
    ];
    batch[4].at = MIDNIGHT.plus(-1);
    batch[5].at = MIDNIGHT;
    analytics.record(&batch).await?;
    let counted = ask(&analytics, AnalyticsQuery::Messages(Grid::utc_days())).await?;
    assert_eq!(counted, rows(&[("2026-11-20", [2, 2]), ("2026-11-21", [0, 1])]));
    Ok(())
}

fn handled(times: &[(i64, i64, TimestampMs)]) -> Vec<AnalyticsEvent> {
    times
        .iter()
        .map(|&(id, chat, at)| AnalyticsEvent {
            at,
            ..event(id, UPDATE_HANDLED, chat)
        })
        .collect()
}

async fn chats_are_counted_once_a_day(analytics: Subject) -> CaseResult {
    let mut batch = handled(&[
        (1, 1, T0),
        (2, 1, MIDNIGHT.plus(-1)),
        (3, 2, MIDNIGHT.plus(-1)),
        (4, 1, MIDNIGHT),
        (5, 3, MIDNIGHT.plus(2 * DAY_MS)),
    ]);
    // What the bot does by itself makes no chat active.
    batch.push(event(6, MESSAGE_SENT, 9));
    analytics.record(&batch).await?;
    let counted = ask(&analytics, AnalyticsQuery::Chats(Grid::utc_days())).await?;
    let expected = [
        ("2026-11-20", [2, 2]),
        ("2026-11-21", [1, 0]),
        ("2026-11-23", [1, 1]),
    ];
    assert_eq!(counted, rows(&expected));
    Ok(())
}

async fn a_chat_is_new_on_its_first_day_only(analytics: Subject) -> CaseResult {
    let later = handled(&[(2, 1, MIDNIGHT), (4, 2, MIDNIGHT.plus(5))]);
    let earlier = handled(&[(1, 1, T0), (3, 1, T0.plus(9))]);
    analytics.record(&later).await?;
    analytics.record(&earlier).await?;
    let from_midnight =
        ask_within(&analytics, MIDNIGHT, FAR, AnalyticsQuery::Chats(Grid::utc_days())).await?;
    assert_eq!(from_midnight, rows(&[("2026-11-21", [2, 1])]));
    // Within one day too: the chat wrote before and after these moments, but not between them.
    let between = ask_within(
        &analytics,
        T0.plus(1),
        T0.plus(9),
        AnalyticsQuery::Chats(Grid::utc_days()),
    )
    .await?;
    assert_eq!(between, []);
    let after = ask_within(
        &analytics,
        T0.plus(9),
        T0.plus(10),
        AnalyticsQuery::Chats(Grid::utc_days()),
    )
    .await?;
    assert_eq!(after, rows(&[("2026-11-20", [1, 0])]));
    let across = ask_within(
        &analytics,
        T0.plus(1),
        MIDNIGHT.plus(1),
        AnalyticsQuery::Chats(Grid::utc_days()),
    )
    .await?;
    assert_eq!(across, rows(&[("2026-11-20", [1, 0]), ("2026-11-21", [1, 0])]));
    Ok(())
}

async fn the_funnel_counts_chats_per_completed_step(analytics: Subject) -> CaseResult {
    let batch = [
        step(1, 1, "order", "size"),
        step(2, 1, "order", "size"),
        step(3, 2, "order", "size"),
        step(4, 1, "order", "address"),
        step(5, 3, "help", "topic"),
        in_flow(6, 7, "validation_failed", "order", Some("size")),
        in_flow(7, 7, STEP_COMPLETED, "order", None),
    ];
    analytics.record(&batch).await?;
    let counted = ask(&analytics, funnel("order")).await?;
    assert_eq!(counted, rows(&[("address", [1, 1]), ("size", [2, 1])]));
    assert_eq!(ask(&analytics, funnel("none")).await?, []);
    Ok(())
}

async fn chats_leave_a_flow_at_their_last_step(analytics: Subject) -> CaseResult {
    let mut batch = vec![
        // Chat 1 finishes, in updates of one moment whose numbers have different lengths.
        in_flow(8, 1, FLOW_STARTED, "order", None),
        step(9, 1, "order", "size"),
        step(10, 1, "order", "address"),
        in_flow(11, 1, FLOW_COMPLETED, "order", None),
        // Chat 2 leaves after the first step; a wrong answer is no step further.
        in_flow(20, 2, FLOW_STARTED, "order", None),
        step(21, 2, "order", "size"),
        in_flow(22, 2, "validation_failed", "order", Some("address")),
        // Chat 3 begins and does nothing.
        in_flow(30, 3, FLOW_STARTED, "order", None),
        // Chat 4 begins anew and does nothing.
        in_flow(40, 4, FLOW_STARTED, "order", None),
        step(41, 4, "order", "size"),
        in_flow(42, 4, FLOW_STARTED, "order", None),
        // Chat 2 goes on in another flow.
        step(23, 2, "help", "topic"),
    ];
    // Times order before ids do.
    batch[8].at = T0.plus(1);
    batch[9].at = T0.plus(2);
    batch[10].at = T0.plus(3);
    batch.reverse();
    analytics.record(&batch).await?;
    let counted = ask(&analytics, funnel("order")).await?;
    assert_eq!(
        counted,
        rows(&[("", [4, 2]), ("address", [1, 0]), ("size", [3, 1])])
    );
    Ok(())
}

async fn errors_are_counted_by_reason(analytics: Subject) -> CaseResult {
    let failed = |id, reason: &str| AnalyticsEvent {
        fields: format!(r#"{{"reason":"{reason}","detail":"x"}}"#),
        ..event(id, ERROR, id)
    };
    let batch = [
        failed(1, "cpu_limit"),
        failed(2, "telegram-403"),
        failed(3, "cpu_limit"),
        event(4, ERROR, 4),
        AnalyticsEvent {
            event: "a".to_owned(),
            ..failed(5, "none")
        },
    ];
    analytics.record(&batch).await?;
    let counted = ask(&analytics, AnalyticsQuery::Errors).await?;
    assert_eq!(
        counted,
        rows(&[("", [1]), ("cpu_limit", [2]), ("telegram-403", [1])])
    );
    Ok(())
}

async fn percentiles_are_times_that_really_were(analytics: Subject) -> CaseResult {
    let took = |id: i64, at: TimestampMs, ms: u64| AnalyticsEvent {
        at,
        fields: format!(r#"{{"latencyMs":{ms}}}"#),
        ..event(id, UPDATE_HANDLED, id)
    };
    let (next, third) = (MIDNIGHT, MIDNIGHT.plus(DAY_MS));
    // 1 to 200 on the first day, in no order; five values on the second; one on the third, and one that says nothing.
    let mut batch: Vec<_> = (0..200)
        .map(|n| took(n, T0, (n.unsigned_abs() * 77) % 200 + 1))
        .collect();
    let few = [40, 15, 50, 20, 35];
    batch.extend((300..).zip(few).map(|(id, ms)| took(id, next, ms)));
    batch.push(took(400, third, 7));
    batch.push(AnalyticsEvent {
        at: third,
        ..event(401, UPDATE_HANDLED, 1)
    });
    batch.push(AnalyticsEvent {
        event: "a".to_owned(),
        ..took(402, third, 9_999)
    });
    analytics.record(&batch).await?;
    let told = ask(&analytics, AnalyticsQuery::Latency(Grid::utc_days())).await?;
    let expected = [
        ("2026-11-20", [200, 100, 190, 198]),
        ("2026-11-21", [5, 35, 50, 50]),
        ("2026-11-22", [1, 7, 7, 7]),
    ];
    assert_eq!(told, rows(&expected));
    Ok(())
}

async fn deploys_are_told_in_order_of_time(analytics: Subject) -> CaseResult {
    let (first, second) = (RevHash(Sha256Hash::of("1")), RevHash(Sha256Hash::of("2")));
    let live = |epoch: i64, rev: RevHash| AnalyticsEvent {
        rev: Some(rev),
        at: T0.plus(epoch),
        fields: format!(r#"{{"epoch":{epoch}}}"#),
        ..event(epoch, DEPLOYED, 0)
    };
    // The third goes back to the first; its marker is recorded again a moment later.
    let again = AnalyticsEvent {
        at: T0.plus(8),
        ..live(3, first)
    };
    let batch = [live(3, first), live(1, first), live(2, second), again];
    analytics.record(&batch).await?;
    let told = ask(&analytics, AnalyticsQuery::Deploys).await?;
    let at = |epoch: u64| T0.0.unsigned_abs() + epoch;
    let (one, two) = (first.to_string(), second.to_string());
    let expected = [(&*one, [at(1), 1]), (&*two, [at(2), 2]), (&*one, [at(3), 3])];
    assert_eq!(told, rows(&expected));
    Ok(())
}

/// Hours of a place whose clocks are half an hour off.
fn hours() -> Grid {
    Grid::in_zone(Width::Hour, "Asia/Kolkata", T0.plus(-DAY_MS), T0.plus(DAY_MS)).expect("a known zone")
}

async fn totals_count_everything_once(analytics: Subject) -> CaseResult {
    let none = ask(&analytics, AnalyticsQuery::Totals).await?;
    assert_eq!(none, rows(&[("", [0, 0, 0, 0, 0, 0])]));
    let batch = [
        event(1, UPDATE_HANDLED, 1),
        event(2, UPDATE_HANDLED, 1),
        event(3, UPDATE_HANDLED, 2),
        event(4, MESSAGE_SENT, 9),
        event(5, ERROR, 1),
        called(6, "ok", 5),
        called(7, "timeout", 5),
        event(8, "a", 3),
    ];
    analytics.record(&batch).await?;
    let totals = ask(&analytics, AnalyticsQuery::Totals).await?;
    assert_eq!(totals, rows(&[("", [3, 1, 1, 2, 2, 1])]));
    Ok(())
}

async fn flows_are_counted_by_starts_and_ends(analytics: Subject) -> CaseResult {
    let batch = [
        in_flow(1, 1, FLOW_STARTED, "order", None),
        in_flow(2, 1, FLOW_STARTED, "order", None),
        in_flow(3, 2, FLOW_STARTED, "order", None),
        in_flow(4, 2, FLOW_COMPLETED, "order", None),
        in_flow(5, 2, FLOW_STARTED, "help", None),
        step(6, 2, "help", "topic"),
        event(7, FLOW_STARTED, 3),
    ];
    analytics.record(&batch).await?;
    let counted = ask(&analytics, AnalyticsQuery::Flows).await?;
    assert_eq!(counted, rows(&[("help", [1, 0, 1]), ("order", [3, 1, 2])]));
    Ok(())
}

fn called(id: i64, reason: &str, ms: u64) -> AnalyticsEvent {
    AnalyticsEvent {
        fields: format!(r#"{{"reason":"{reason}","latencyMs":{ms},"host":"api.example.org"}}"#),
        ..event(id, API_CALL, 1)
    }
}

async fn calls_are_counted_by_how_they_ended(analytics: Subject) -> CaseResult {
    let mut batch = vec![
        called(1, "ok", 10),
        called(2, "ok", 30),
        called(3, "ok", 20),
        called(4, "status-503", 7),
        called(5, "timeout", 5_000),
    ];
    batch[4].at = MIDNIGHT;
    // An update of the same moment is no call.
    batch.push(AnalyticsEvent {
        event: UPDATE_HANDLED.to_owned(),
        ..called(6, "ok", 1)
    });
    analytics.record(&batch).await?;
    let ended = ask(&analytics, AnalyticsQuery::ApiCalls).await?;
    let expected = [
        ("ok", [3, 20, 30, 30]),
        ("status-503", [1, 7, 7, 7]),
        ("timeout", [1, 5_000, 5_000, 5_000]),
    ];
    assert_eq!(ended, rows(&expected));
    let over = ask(&analytics, AnalyticsQuery::ApiCallsOver(Grid::utc_days())).await?;
    assert_eq!(over, rows(&[("2026-11-20", [4, 1]), ("2026-11-21", [1, 1])]));
    Ok(())
}

async fn time_is_cut_by_the_clocks_of_a_place(analytics: Subject) -> CaseResult {
    // The night in which Berlin's clocks go back, 2026-10-25: its day has 25 hours.
    let midnight = TimestampMs(1_792_879_200_000);
    let hour = |hours: i64| midnight.plus(hours * 3_600_000);
    let batch = handled(&[
        (1, 1, hour(0).plus(-1)),
        (2, 1, hour(0)),
        (3, 1, hour(2).plus(5)),
        (4, 2, hour(3).plus(5)),
        (5, 1, hour(25).plus(-1)),
        (6, 3, hour(25)),
    ]);
    analytics.record(&batch).await?;
    let (from, to) = (hour(-24), hour(48));
    let cut = |width| Grid::in_zone(width, "Europe/Berlin", from, to).expect("a known zone");
    let days = ask_within(&analytics, from, to, AnalyticsQuery::Messages(cut(Width::Day))).await?;
    let expected = [
        ("2026-10-24", [1, 0]),
        ("2026-10-25", [4, 0]),
        ("2026-10-26", [1, 0]),
    ];
    assert_eq!(days, rows(&expected));
    let chats = ask_within(&analytics, from, to, AnalyticsQuery::Chats(cut(Width::Day))).await?;
    let expected = [
        ("2026-10-24", [1, 1]),
        ("2026-10-25", [2, 1]),
        ("2026-10-26", [1, 1]),
    ];
    assert_eq!(chats, rows(&expected));
    // Two o'clock comes twice and is two hours, in UTC as in Berlin.
    let hours = ask_within(
        &analytics,
        hour(2),
        hour(4),
        AnalyticsQuery::Messages(cut(Width::Hour)),
    )
    .await?;
    let expected = [("2026-10-25T00:00", [1, 0]), ("2026-10-25T01:00", [1, 0])];
    assert_eq!(hours, rows(&expected));
    let labels: Vec<String> = cut(Width::Hour)
        .pieces(hour(2), hour(4))
        .into_iter()
        .map(|piece| piece.label)
        .collect();
    assert_eq!(labels, hours.into_iter().map(|row| row.0).collect::<Vec<_>>());
    Ok(())
}

async fn a_chat_is_new_in_the_hour_in_which_it_first_wrote(analytics: Subject) -> CaseResult {
    // T0 is 18:40 in UTC, ten minutes into an hour of Kolkata.
    let minute = 60_000;
    let batch = handled(&[
        (1, 1, T0.plus(-11 * minute)),
        (2, 1, T0),
        (3, 2, T0.plus(minute)),
        (4, 2, T0.plus(49 * minute)),
        (5, 2, T0.plus(51 * minute)),
    ]);
    analytics.record(&batch).await?;
    let (from, to) = (T0.plus(-20 * minute), T0.plus(60 * minute));
    let told = ask_within(&analytics, from, to, AnalyticsQuery::Chats(hours())).await?;
    let expected = [
        ("2026-11-20T18:00", [1, 1]),
        ("2026-11-20T19:00", [2, 1]),
        ("2026-11-20T20:00", [1, 0]),
    ];
    assert_eq!(told, rows(&expected));
    let later = ask_within(&analytics, T0, to, AnalyticsQuery::Chats(hours())).await?;
    assert_eq!(later[0].1, [2, 1], "chat 1 wrote before");
    Ok(())
}

async fn queries_keep_to_their_time_and_bot(analytics: Subject) -> CaseResult {
    let other = BotId::new("b-bot")?;
    let each = |id: i64, chat: i64, at: TimestampMs| {
        let latency = r#"{"latencyMs":1,"reason":"r","epoch":1}"#.to_owned();
        [
            step(id, chat, "order", "size"),
            event(id + 100, UPDATE_HANDLED, chat),
            event(id + 200, ERROR, chat),
            event(id + 300, DEPLOYED, chat),
        ]
        .map(|event| AnalyticsEvent {
            at,
            fields: latency.clone(),
            ..event
        })
    };
    let mut batch: Vec<_> = (0..4).flat_map(|id| each(id, id, T0.plus(id))).collect();
    batch.extend(each(50, 1, T0.plus(1)).map(|event| AnalyticsEvent {
        bot: other.clone(),
        ..event
    }));
    analytics.record(&batch).await?;
    // How much of an answer belongs to one moment: the first number of a row, or the row itself.
    let sum = |query: &AnalyticsQuery, rows: Vec<AnalyticsRow>| match query {
        AnalyticsQuery::Deploys => rows.len() as u64,
        _ => rows.iter().map(|row| row.values[0]).sum::<u64>(),
    };
    for (query, of_one) in [
        (AnalyticsQuery::Events, 4),
        (AnalyticsQuery::Messages(Grid::utc_days()), 1),
        (AnalyticsQuery::Chats(Grid::utc_days()), 1),
        (funnel("order"), 1),
        (AnalyticsQuery::Totals, 1),
        (AnalyticsQuery::Errors, 1),
        (AnalyticsQuery::ErrorsOver(hours()), 1),
        (AnalyticsQuery::Chats(hours()), 1),
        (AnalyticsQuery::Latency(Grid::utc_days()), 1),
        (AnalyticsQuery::Deploys, 1),
    ] {
        for (from, to, expected) in [(0, 4, 4), (1, 3, 2), (2, 2, 0), (4, 9, 0)] {
            let rows = analytics
                .query(&bot(), T0.plus(from), T0.plus(to), &query)
                .await?;
            assert_eq!(
                sum(&query, rows),
                expected * of_one,
                "{query:?} from {from} to {to}"
            );
        }
        let rows = analytics.query(&other, T0, T0.plus(9), &query).await?;
        assert_eq!(sum(&query, rows), of_one, "{query:?} of the other bot");
    }
    Ok(())
}

async fn old_events_are_deleted(analytics: Subject) -> CaseResult {
    let mut batch: Vec<_> = (0..4)
        .map(|id| AnalyticsEvent {
            at: T0.plus(id),
            ..event(id, "a", id)
        })
        .collect();
    let other = BotId::new("b-bot")?;
    batch.push(AnalyticsEvent {
        bot: other.clone(),
        ..event(99, "a", 1)
    });
    analytics.record(&batch).await?;
    assert_eq!(analytics.expire(&bot(), T0).await?, 0);
    assert_eq!(analytics.expire(&bot(), T0.plus(3)).await?, 3);
    assert_eq!(
        ask(&analytics, AnalyticsQuery::Events).await?,
        rows(&[("a", [1])])
    );
    let rest = analytics
        .query(&other, TimestampMs(0), FAR, &AnalyticsQuery::Events)
        .await?;
    assert_eq!(rest.len(), 1, "bots expire for themselves");
    Ok(())
}
