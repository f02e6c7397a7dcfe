//! 429 by the flood model, and every scripted fault.

use botloom_telegram::simulator::{
    Action, Counters, Event, Fault, Filter, FloodModel, JournalMode, NewPlace, Options, Rate,
};
use botloom_telegram::{CallError, Class, classify};
use serde_json::json;

use crate::{BOT, Scene, client_of, refusal};

fn fault(action: Action) -> Fault {
    Fault {
        bot: Some(BOT),
        method: Some("sendmessage".into()),
        chat: None,
        skip: 0,
        count: Some(1),
        executed: false,
        action,
    }
}

fn answer(code: u16) -> Action {
    Action::Answer {
        code,
        description: None,
        retry_after: None,
        migrate_to_chat_id: None,
    }
}

#[tokio::test]
async fn one_chat_too_fast() {
    let s = Scene::with(Options::default()).await;
    let bea = s.sim.person("Bea");
    s.sim.say(BOT, bea.id, "hi").unwrap();
    let mut refused = None;
    for n in 0..20 {
        if let Err(error) = s.text(&n.to_string()).await {
            refused = Some((n, error));
            break;
        }
    }
    let (n, error) = refused.expect("twenty messages at once are a flood");
    assert!(n >= 5, "a short burst passes");
    assert_eq!(classify(&error, "sendMessage"), Class::RetryAfter { secs: 1 });
    let CallError::Api {
        code: 429,
        description,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(description, "Too Many Requests: retry after 1");
    s.call("sendMessage", json!({ "chat_id": bea.id, "text": "x" }))
        .await
        .expect("other chats are not concerned");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    s.text("later").await.unwrap();
}

#[tokio::test]
async fn the_header_says_the_same_as_the_body() {
    let s = Scene::new().await;
    s.sim.add_fault(fault(Action::Answer {
        code: 429,
        description: None,
        retry_after: Some(9),
        migrate_to_chat_id: None,
    }));
    let url = s
        .sim
        .url()
        .join(&format!("/bot{}/sendMessage?chat_id=1&text=x", crate::TOKEN))
        .unwrap();
    let response = crate::control::http("GET", &url, "").await;
    assert_eq!(response.0, 429);
    assert!(
        response.1.to_lowercase().contains("retry-after: 9\r\n"),
        "{}",
        response.1
    );
    assert_eq!(response.2["parameters"], json!({ "retry_after": 9 }));
}

#[tokio::test]
async fn groups_and_all_chats_of_a_bot() {
    let rate = |count, burst| {
        Some(Rate {
            count,
            per_secs: 60.0,
            burst,
        })
    };
    let flood = FloodModel {
        chat: None,
        group: rate(20, 2),
        bulk: rate(20, 6),
        set_webhook: None,
        penalty_secs: 10,
    };
    let s = Scene::with(Options {
        flood,
        ..Options::default()
    })
    .await;
    let place = NewPlace {
        kind: "group".into(),
        title: "G".into(),
        id: None,
        username: None,
        bots: vec![BOT],
    };
    let group = s.sim.add_place(place).unwrap();
    let to_group = || s.call("sendMessage", json!({ "chat_id": group, "text": "x" }));
    to_group().await.unwrap();
    let id = to_group().await.unwrap()["message_id"].clone();
    assert_eq!(refusal(to_group().await).1, "Too Many Requests: retry after 3");
    assert_eq!(
        refusal(to_group().await).1,
        "Too Many Requests: retry after 13",
        "impatience costs"
    );
    let edit = s
        .call(
            "editMessageText",
            json!({ "chat_id": group, "message_id": id, "text": "y" }),
        )
        .await;
    assert_eq!(refusal(edit).0, 429, "edits count in groups");
    for _ in 0..4 {
        s.text("x").await.unwrap();
    }
    assert_eq!(refusal(s.text("x").await).0, 429, "six of all chats together");
}

#[tokio::test]
async fn refusals_on_command() {
    let s = Scene::new().await;
    let mut skipped = fault(answer(500));
    skipped.skip = 1;
    skipped.count = Some(2);
    s.sim.add_fault(skipped);
    s.text("passes").await.unwrap();
    s.call("getMe", json!({})).await.expect("another method");
    for _ in 0..2 {
        let error = s.text("x").await.unwrap_err();
        assert_eq!(
            classify(&error, "sendMessage"),
            Class::Transient { ambiguous: true }
        );
    }
    s.text("passes again").await.unwrap();
    s.sim.add_fault(fault(answer(403)));
    assert_eq!(
        classify(&s.text("x").await.unwrap_err(), "sendMessage"),
        Class::ChatGone
    );
    s.sim.add_fault(fault(Action::Answer {
        code: 400,
        description: None,
        retry_after: None,
        migrate_to_chat_id: Some(-100_200),
    }));
    assert_eq!(
        classify(&s.text("x").await.unwrap_err(), "sendMessage"),
        Class::Migrated { to: -100_200 }
    );
    s.sim.add_fault(fault(answer(401)));
    assert_eq!(
        classify(&s.text("x").await.unwrap_err(), "sendMessage"),
        Class::Unauthorized
    );
    assert!(s.sim.faults().is_empty(), "all used up");
    assert_eq!(
        s.sim.messages(BOT, s.ann.id, 0, 10).len(),
        3,
        "nothing of it was executed"
    );
}

#[tokio::test]
async fn executed_but_not_told() {
    let s = Scene::new().await;
    for action in [answer(502), Action::Reset] {
        let mut fault = fault(action);
        fault.executed = true;
        s.sim.add_fault(fault);
        let error = s.text("x").await.unwrap_err();
        assert_eq!(
            classify(&error, "sendMessage"),
            Class::Transient { ambiguous: true },
            "{error:?}"
        );
    }
    assert_eq!(s.sim.messages(BOT, s.ann.id, 0, 10).len(), 3);
    let calls = s.sim.journal(&Filter {
        method: Some("sendMessage".into()),
        ..Filter::default()
    });
    let told: Vec<_> = calls
        .iter()
        .map(|entry| match &entry.event {
            Event::Call { status, executed, .. } => (*status, *executed),
            Event::Delivery { .. } => unreachable!("filtered"),
        })
        .collect();
    assert_eq!(told, [(502, true), (0, true)]);
}

#[tokio::test]
async fn hanging_and_cut_connections() {
    let s = Scene::new().await;
    s.sim.add_fault(fault(Action::Reset));
    let error = s.text("x").await.unwrap_err();
    assert!(matches!(error, CallError::Ambiguous { .. }), "{error:?}");
    s.sim.add_fault(fault(Action::Hang { ms: 100 }));
    let error = s.text("x").await.unwrap_err();
    assert!(matches!(error, CallError::Ambiguous { .. }), "{error:?}");
    s.sim.add_fault(fault(Action::Delay { ms: 100 }));
    s.text("late").await.unwrap();
    s.sim.add_fault(fault(Action::Reset));
    s.sim.clear_faults();
    s.text("well").await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_held_is_executed_when_the_faults_are_ended() {
    let s = Scene::new().await;
    let sent = || s.sim.counters().calls.get("sendMessage").copied();
    let until_held = async || {
        while !s.sim.faults().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    s.sim.add_fault(fault(Action::Hold));
    let opened = async {
        until_held().await;
        s.call("getMe", json!({})).await.expect("others are not held");
        assert_eq!(sent(), None, "nothing is done before");
        s.sim.clear_faults();
    };
    let (held, ()) = tokio::join!(s.text("held"), opened);
    held.unwrap();
    assert_eq!(sent(), Some(1));
    // One whose caller went is not executed, nor one that the end of the simulator finds.
    s.sim.add_fault(fault(Action::Hold));
    tokio::select! {
        outcome = s.text("given up") => panic!("{outcome:?}"),
        () = until_held() => {}
    }
    s.sim.add_fault(fault(Action::Hold));
    let ended = async {
        until_held().await;
        s.sim.shutdown().await;
    };
    let (held, ()) = tokio::join!(s.text("held for ever"), ended);
    assert!(matches!(held, Err(CallError::Ambiguous { .. })), "{held:?}");
    assert_eq!(sent(), Some(1));
}

#[tokio::test]
async fn counters_without_entries() {
    let s = Scene::with(Options {
        journal: JournalMode::Counters,
        ..Options::default()
    })
    .await;
    s.text("x").await.unwrap();
    let _ = s.text("").await;
    assert!(s.sim.journal(&Filter::default()).is_empty());
    let Counters {
        calls,
        answers,
        updates,
        ..
    } = s.sim.counters();
    assert_eq!(
        (calls["sendMessage"], answers[&200], answers[&400], updates),
        (2, 1, 1, 1)
    );
    s.sim.reset();
    assert_eq!(s.sim.counters(), Counters::default());
}

#[tokio::test]
async fn the_journal_is_bounded_and_in_order() {
    let s = Scene::with(Options {
        journal_limit: 50,
        flood: FloodModel::off(),
        ..Options::default()
    })
    .await;
    let client = client_of(&s.sim);
    let calls = (0..120).map(|n| {
        let (client, token, chat) = (client.clone(), s.token.clone(), s.ann.id);
        async move {
            let params = json!({ "chat_id": chat, "text": n.to_string() });
            client
                .call::<_, serde_json::Value>(&token, "sendMessage", &params)
                .await
                .unwrap();
        }
    });
    futures_util::future::join_all(calls).await;
    let entries = s.sim.journal(&Filter::default());
    assert_eq!(entries.len(), 50);
    assert!(entries.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    let rest = s.sim.journal(&Filter {
        after: entries[39].seq,
        ..Filter::default()
    });
    assert_eq!(rest, entries[40..]);
    // The order of the journal is the order of the chat.
    let ids: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Call { message_id, .. } => *message_id,
            Event::Delivery { .. } => None,
        })
        .collect();
    assert!(ids.len() == 50 && ids.is_sorted());
}
