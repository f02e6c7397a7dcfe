//! `POST /simulate`: a conversation with a bot that is not live.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::api::Api;
use crate::support::process::Server;
use crate::support::specs::pizza;
use crate::support::stub::Stub;
use crate::support::world::PATIENCE;

fn texts(turn: &Value) -> Vec<&str> {
    let messages = turn["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message["params"]["text"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pizza_is_ordered_and_nothing_is_left_of_it() {
    let server = Server::start(&[("BOTLOOM_SANDBOX_BUDGET_MS", "1000")]).await;
    let api = Api::set_up(&server).await;
    let script = json!([
        { "send": "/order" },
        { "send": "50" },
        { "wait": 60 },
        { "send": "40" },
        { "api": {
            "method": "POST", "url": "https://api.pizza.example/price", "body": { "total": { "amount": 12.5 } },
        } },
        { "send": "+4930123456" },
        { "user": { "id": 7, "firstName": "Иван", "languageCode": "ru" } },
        { "send": "/start" },
    ]);
    let body = json!({ "spec": pizza(), "script": script });
    let answer = api.post("/simulate", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.json();
    let turns = told["turns"].as_array().unwrap();
    let entries: Vec<_> = turns.iter().map(|turn| turn["entry"].as_u64().unwrap()).collect();
    assert_eq!(entries, [0, 1, 3, 5, 7]);
    assert_eq!(texts(&turns[0]), ["Which size, 30 or 40 cm?"]);
    assert_eq!(texts(&turns[1]), ["30 or 40, please."]);
    assert_eq!(turns[0]["at"], "2026-01-01T12:00:00.000Z");
    assert_eq!(turns[2]["at"], "2026-01-01T12:01:00.000Z");
    assert_eq!(turns[2]["stateBefore"].get("size"), None);
    assert_eq!(turns[2]["stateAfter"]["size"], 40);
    assert_eq!(turns[3]["stateBefore"], turns[2]["stateAfter"]);
    assert_eq!(turns[3]["calls"][0]["url"], "https://api.pizza.example/price");
    assert_eq!(turns[3]["calls"][0]["body"], json!({ "size": 40 }));
    assert_eq!(turns[3]["calls"][0]["answered"], true);
    assert_eq!(turns[3]["stateAfter"]["price"], 12.5);
    let order = texts(&turns[3]);
    assert!(order.iter().any(|text| text.contains("12.5")), "{order:?}");
    assert_eq!(texts(&turns[4]), ["Здравствуйте, Иван! Что желаете?"]);
    assert!(turns.iter().all(|turn| turn["failed"].is_null()), "{told}");

    // The clock stands still until it is told to go on: an intent is in its cooldown meanwhile.
    let script = json!([{ "send": "thanks" }, { "send": "thanks" }, { "wait": 61 }, { "send": "thanks" }]);
    let body_of_thanks = json!({ "spec": pizza(), "script": script });
    let thanks = api.post("/simulate", &body_of_thanks).await.json();
    let answered: Vec<usize> = (0..3).map(|turn| texts(&thanks["turns"][turn]).len()).collect();
    assert_eq!(answered, [1, 0, 1], "{thanks}");

    // The same again is the same answer; nothing was stored, not even a bot.
    assert_eq!(api.post("/simulate", &body).await.json(), told);
    assert_eq!(api.get("/bots").await.json()["items"], json!([]));

    // A version of a bot, and a call that nothing was prepared for.
    api.create_bot(&pizza()).await;
    api.post("/spec", &pizza()).await;
    let script = json!([{ "send": "/order" }, { "send": "30" }, { "send": "+4930123456" }]);
    let body =
        json!({ "botId": "pizza-demo", "version": 1, "begins": "1970-01-01T00:00:00Z", "script": script });
    let told = api.post("/simulate", &body).await.json();
    assert_eq!(told["turns"][0]["at"], "1970-01-01T00:00:00.000Z");
    assert_eq!(told["turns"][2]["calls"][0]["answered"], false, "{told}");
    assert!(
        texts(&told["turns"][2]).contains(&"Our oven is cold, try again later."),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_real_ones_if_that_is_asked_for() {
    let shop = Stub::start(&[(503, "{}"), (200, r#"{"total": {"amount": 12.5}}"#)]).await;
    let hosts = format!("api.pizza.example=http://{}", shop.address);
    let settings = [
        ("BOTLOOM_SANDBOX_BUDGET_MS", "1000"),
        ("BOTLOOM_DEV_HOSTS", hosts.as_str()),
    ];
    let server = Server::start(&settings).await;
    let api = Api::set_up(&server).await;
    let script = json!([{ "send": "/order" }, { "send": "40" }, { "send": "+4930123456" }]);
    let mut body = json!({ "spec": pizza(), "script": script });
    api.post("/simulate", &body).await;
    assert!(
        shop.asked().is_empty(),
        "calls are real only if that is asked for"
    );

    // The shop fails once and is asked again, as for a live bot.
    body["http"] = json!("live");
    let told = api.post("/simulate", &body).await.json();
    let call = &told["turns"][2]["calls"][0];
    assert_eq!(call["status"], 200, "{told}");
    assert_eq!(call["response"], json!({ "total": { "amount": 12.5 } }));
    assert_eq!((&call["answered"], &call["error"]), (&json!(true), &Value::Null));
    assert_eq!(told["turns"][2]["stateAfter"]["price"], 12.5);
    assert_eq!(told["turns"][2]["stateBefore"], told["turns"][1]["stateAfter"]);
    assert_eq!(told["leftOut"], 0);
    assert_eq!(shop.asked().len(), 2);
    assert_eq!(shop.asked()[1].body, json!({ "size": 40 }));

    // Another conversation is another one to the service.
    api.post("/simulate", &body).await;
    let keys: Vec<_> = shop
        .asked()
        .iter()
        .map(|asked| asked.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[1], keys[2]);
    let log = api.get("/audit?verb=bot.simulated-live").await.json();
    assert_eq!(log["items"].as_array().unwrap().len(), 2, "{log}");

    // What a spec may not call is not called here either.
    let denied = json!({ "spec": pizza(), "script": script, "http": "live" });
    let text = denied
        .to_string()
        .replace("https://api.pizza.example/", "https://other.example/");
    let refused = api.request("POST", "/simulate", &[], text).await.unwrap();
    assert_eq!(
        refused.status, 400,
        "the spec names a host that it may not call: {refused:?}"
    );
    let prepared = json!({ "api": { "method": "GET", "url": "https://x.example/", "body": {} } });
    body["script"].as_array_mut().unwrap().push(prepared);
    let both = api.post("/simulate", &body).await;
    assert_eq!(both.status, 422, "{both:?}");
    assert_eq!(both.json()["errors"][0]["pointer"], "/script");
}

/// A shop that answers nobody before it opens.
struct ClosedShop {
    address: SocketAddr,
    /// A key for each question, however often it is repeated.
    asked: Arc<Mutex<HashSet<HeaderValue>>>,
    open: watch::Sender<bool>,
}

impl ClosedShop {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, open) = (Arc::default(), watch::Sender::new(false));
        let (keys, opens) = (Arc::<Mutex<HashSet<_>>>::clone(&asked), open.subscribe());
        let answer = move |headers: HeaderMap| {
            let mut opens = opens.clone();
            keys.lock().unwrap().insert(headers["idempotency-key"].clone());
            async move {
                opens.wait_for(|open| *open).await.unwrap();
                (
                    [("content-type", "application/json")],
                    r#"{"total": {"amount": 12.5}}"#,
                )
            }
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked, open }
    }

    async fn until_asked(&self, times: usize) {
        let asked = async {
            while self.asked.lock().unwrap().len() < times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap();
    }
}

/// The example bot, which waits for the shop as long as a bot may: longer than a whole conversation with real calls.
fn patient_pizza() -> Value {
    let mut spec = pizza();
    let flows = spec["flows"].as_array_mut().unwrap().iter_mut();
    let mut steps = flows.flat_map(|flow| flow["steps"].as_array_mut().unwrap());
    let price = steps.find(|step| step["id"] == "price").unwrap();
    price["timeoutMs"] = json!(5_000);
    price["retries"] = json!(3);
    spec
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_makes_real_calls_in_one_conversation_at_a_time() {
    let shop = ClosedShop::start().await;
    let hosts = format!("api.pizza.example=http://{}", shop.address);
    let settings = [
        ("BOTLOOM_SANDBOX_BUDGET_MS", "1000"),
        ("BOTLOOM_DEV_HOSTS", hosts.as_str()),
    ];
    let server = Server::start(&settings).await;
    let ann = Api::set_up(&server).await;
    let bob = ann.invite(&server, "bob@example.com", "editor").await;
    let script = json!([{ "send": "/order" }, { "send": "40" }, { "send": "+4930123456" }]);
    let prepared = json!({ "spec": patient_pizza(), "script": script });
    let mut live = prepared.clone();
    live["http"] = json!("live");
    let begin = |api: &Api| {
        let (api, live) = (api.clone(), live.clone());
        tokio::spawn(async move { api.post_once("/simulate", &live).await })
    };

    let anns = begin(&ann);
    shop.until_asked(1).await;
    let second = ann.post_once("/simulate", &live).await;
    assert_eq!(second.status, 429, "{second:?}");
    let kind = second.json()["type"].as_str().unwrap().to_owned();
    assert!(kind.ends_with("/too-many-simulations"), "{kind}");
    assert_eq!(second.header("retry-after"), "12");
    // The other place of the node is there for others.
    let bobs = begin(&bob);
    assert_eq!(ann.post_once("/simulate", &prepared).await.status, 200);
    shop.until_asked(2).await;
    assert_eq!(bob.post_once("/simulate", &live).await.status, 429);

    shop.open.send_replace(true);
    for conversation in [anns, bobs] {
        let answer = conversation.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["turns"][2]["stateAfter"]["price"], 12.5);
    }
    assert_eq!(ann.post_once("/simulate", &live).await.status, 200);
}
