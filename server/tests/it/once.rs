//! One `Idempotency-Key`, one effect, one answer: with a hundred callers at once, and when the server dies over it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http::Answer;
use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::World;

stories!(
    a_hundred_callers_with_one_key_get_one_answer,
    a_key_whose_server_died_is_finished_by_a_retry
);

async fn deploy(api: &Api, revision: &str, key: &str) -> Result<Answer, String> {
    let body = json!({ "botId": "once-bot", "revHash": revision }).to_string();
    api.request("POST", "/deploy", &[("idempotency-key", key)], body)
        .await
}

async fn deployments(api: &Api) -> Vec<Value> {
    let listed = api.get("/deployments?botId=once-bot").await.json();
    listed["items"].as_array().unwrap().clone()
}

async fn a_hundred_callers_with_one_key_get_one_answer(storage: Storage) {
    let world = World::start(storage, &[]).await;
    let spec = specs::chain("once-bot", "");
    world.api.create_bot(&spec).await;
    let revision = world.api.build(&spec).await;

    let mut callers = tokio::task::JoinSet::new();
    for number in 0..100 {
        let node = match number % (world.others.len() + 1) {
            0 => &world.server,
            other => &world.others[other - 1],
        };
        let (api, revision) = (world.api.at(node), revision.clone());
        callers.spawn(async move { deploy(&api, &revision, "k-1").await.unwrap() });
    }
    let answers = callers.join_all().await;
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.body),
            (202.try_into().unwrap(), &answers[0].body),
            "{answer:?}"
        );
        assert_eq!(answer.header("location"), answers[0].header("location"));
    }
    let first = answers
        .iter()
        .filter(|answer| answer.header("idempotent-replayed").is_empty());
    assert_eq!(first.count(), 1, "one of them did the work");
    assert_eq!(deployments(&world.api).await.len(), 1);
}

async fn a_key_whose_server_died_is_finished_by_a_retry(storage: Storage) {
    let mut world = World::start(storage, &[]).await;
    let spec = specs::chain("once-bot", "");
    world.api.create_bot(&spec).await;
    let revision = world.api.build(&spec).await;
    // Once before anything was done, once before the answer was kept.
    for (key, fault) in [("k-1", "key-claimed"), ("k-2", "key-worked")] {
        world.only_first(&[("BOTLOOM_FAULT", fault)]).await;
        let cut_off = deploy(&world.api, &revision, key).await;
        assert!(cut_off.is_err(), "{cut_off:?}");
        assert_eq!(world.server.ended().await, None, "killed at {fault}");
    }
    let api = world.taken_over().await;
    let deadline = Instant::now() + Duration::from_secs(90);
    let mut tasks = Vec::new();
    // The one that was begun before the crash comes to its end first: a bot has one deployment at a time.
    for key in ["k-2", "k-1"] {
        let answer = loop {
            let answer = deploy(&api, &revision, key).await.unwrap();
            if answer.status != 409 {
                break answer;
            }
            assert_eq!(
                answer.json()["type"],
                "/problems/idempotency-in-progress",
                "{key}"
            );
            assert_eq!(answer.header("retry-after"), "1");
            assert!(Instant::now() < deadline, "the key is never free again");
        };
        assert_eq!(answer.status, 202, "{answer:?}");
        let task = answer.json()["taskId"].as_str().unwrap().to_owned();
        let ended = api.ended(&format!("/deployments/{task}")).await;
        assert_eq!(ended["status"], "succeeded", "{ended}");
        tasks.push(task);
    }
    let all = deployments(&api).await;
    let ids: Vec<_> = all.iter().filter_map(|one| one["taskId"].as_str()).collect();
    assert_eq!(ids, [&*tasks[1], &*tasks[0]], "each key has one effect");
}
