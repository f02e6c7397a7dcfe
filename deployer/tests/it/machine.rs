//! The state machine: the road, every exit, and that nothing else moves it.

use botloom_core::hash::Sha256Hash;
use botloom_core::model::{DeployError, Deployment, Stage, TaskStatus};
use botloom_core::{BotId, Epoch, RevHash, TaskId, TimestampMs};
use botloom_deployer::machine::{Action, Event, next};
use proptest::prelude::*;

fn queued() -> Deployment {
    Deployment {
        task: TaskId::generate(),
        bot: BotId::new("pizza-demo").expect("a slug"),
        status: TaskStatus::Queued,
        stage: Stage::Preflight,
        stages: Vec::new(),
        from_rev: None,
        to_rev: RevHash(Sha256Hash::of("rev")),
        seen_epoch: Epoch(4),
        epoch: None,
        rollback: false,
        min_sandboxes: 1,
        error: None,
        watch_until: None,
        reason: None,
        author: None,
        created_at: TimestampMs(0),
        updated_at: TimestampMs(0),
        version: 1,
    }
}

fn done() -> Event {
    Event::Done { detail: None }
}

fn failed() -> Event {
    Event::Failed(DeployError {
        code: "artifact-corrupt".to_owned(),
        detail: "changed".to_owned(),
    })
}

/// The row in every state it can be in, by the shortest road.
fn every_state() -> Vec<Deployment> {
    let mut states = vec![queued()];
    let mut row = queued();
    let road = [
        Event::Begin,
        done(),
        done(),
        done(),
        done(),
        Event::Flipped { epoch: Epoch(5) },
        done(),
    ];
    for (at, event) in (1..).zip(road) {
        (row, _) = next(row, event, TimestampMs(at));
        states.push(row.clone());
        let (ended, _) = next(row.clone(), failed(), TimestampMs(99));
        if ended.status == TaskStatus::Failed {
            states.push(ended);
        }
    }
    states
}

#[test]
fn the_road_from_queued_to_succeeded() {
    let mut row = queued();
    let mut actions = Vec::new();
    let road = [
        Event::Begin,
        done(),
        done(),
        done(),
        done(),
        Event::Flipped { epoch: Epoch(5) },
        done(),
    ];
    for (at, event) in (1..).zip(road) {
        let (moved, action) = next(row, event, TimestampMs(at));
        row = moved;
        actions.push(action);
    }
    let mut expected: Vec<Action> = Stage::ALL.into_iter().map(Action::Run).collect();
    expected.push(Action::End);
    assert_eq!(actions, expected);
    assert_eq!((row.status, row.epoch), (TaskStatus::Succeeded, Some(Epoch(5))));
    assert_eq!(
        row.stages.iter().map(|record| record.name).collect::<Vec<_>>(),
        Stage::ALL
    );
    assert!(row.stages.iter().all(|record| record.finished_at.is_some()));
}

#[test]
fn up_to_the_flip_a_failure_ends_it_where_it_happened() {
    for row in every_state() {
        let (ended, action) = next(row.clone(), failed(), TimestampMs(50));
        if row.status == TaskStatus::Running && row.stage <= Stage::Flip {
            assert_eq!((ended.status, action), (TaskStatus::Failed, Action::End));
            assert_eq!((ended.stage, ended.epoch), (row.stage, None));
            assert_eq!(ended.error.unwrap().code, "artifact-corrupt");
        } else {
            assert_eq!(ended, row, "{:?} {:?} must not fail", row.status, row.stage);
        }
    }
}

#[test]
fn a_worker_that_takes_over_repeats_the_stage_and_changes_nothing() {
    for row in every_state()
        .into_iter()
        .filter(|row| row.status == TaskStatus::Running)
    {
        let (same, action) = next(row.clone(), Event::Begin, TimestampMs(50));
        assert_eq!((same, action), (row.clone(), Action::Run(row.stage)));
    }
}

#[test]
fn an_end_is_an_end() {
    for row in every_state().into_iter().filter(|row| row.status.is_final()) {
        for event in [Event::Begin, done(), failed(), Event::Flipped { epoch: Epoch(9) }] {
            assert_eq!(
                next(row.clone(), event, TimestampMs(50)),
                (row.clone(), Action::End)
            );
        }
    }
}

#[test]
fn every_state_that_is_no_end_has_an_exit() {
    for row in every_state().into_iter().filter(|row| !row.status.is_final()) {
        let events = [Event::Begin, done(), failed(), Event::Flipped { epoch: Epoch(5) }];
        let exits = events
            .into_iter()
            .filter(|event| next(row.clone(), event.clone(), TimestampMs(50)).0 != row);
        assert!(exits.count() > 0, "{:?} {:?} has no exit", row.status, row.stage);
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Begin),
        Just(done()),
        Just(failed()),
        (1u64..9).prop_map(|epoch| Event::Flipped { epoch: Epoch(epoch) }),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_stages_come_in_order_and_only_a_flip_sets_an_epoch(events in proptest::collection::vec(any_event(), 0..30)) {
        let mut row = queued();
        for event in events {
            let flip = matches!(event, Event::Flipped { .. }) && row.stage == Stage::Flip && row.status == TaskStatus::Running;
            let (moved, action) = next(row.clone(), event, TimestampMs(1));
            prop_assert_eq!(moved.epoch.is_some(), row.epoch.is_some() || flip);
            prop_assert!(moved.stages.windows(2).all(|pair| pair[0].name < pair[1].name));
            prop_assert_eq!(action == Action::End, moved.status != TaskStatus::Running);
            if moved.epoch.is_some() {
                prop_assert_ne!(moved.status, TaskStatus::Failed);
            }
            row = moved;
        }
    }
}
