//! A change of the installation's address to one that does not work: it holds itself, goes on by itself, and can be taken back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use botloom_core::ids::BotId;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Clinic, Node, ROUND_MS, eventually, id, number};

/// More than move in a minute.
const BOTS: usize = 20;
const STEP_MS: i64 = 5_000;

/// What Telegram delivers to.
struct Door {
    url: String,
    broken: Arc<AtomicBool>,
    _guard: DropGuard,
}

impl Door {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let broken = Arc::new(AtomicBool::new(false));
        let is_broken = Arc::clone(&broken);
        let answer = async move || {
            if is_broken.load(Ordering::SeqCst) {
                // Otherwise Telegram comes again more and more seldom.
                (StatusCode::BAD_GATEWAY, [("retry-after", "1")])
            } else {
                (StatusCode::OK, [("x-taken", "yes")])
            }
        };
        let stop = CancellationToken::new();
        let router = Router::new().fallback(answer);
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(serving.into_future());
        Self {
            url,
            broken,
            _guard: stop.drop_guard(),
        }
    }

    fn breaks(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

/// An installation whose address changes.
struct Move {
    clinic: Clinic,
    old: Door,
    new: Door,
    node: Node,
    /// Calls of `setWebhook` before it.
    before: usize,
}

impl Move {
    /// As many bots have moved as may within a minute, and all of them are well.
    async fn begun() -> Self {
        let (old, new) = (Door::open().await, Door::open().await);
        let clinic = Clinic::at(&old.url, BOTS).await;
        let node = clinic.node();
        clinic.idle().await;
        for bot in 0..BOTS {
            clinic.becomes(bot, "healthy", &[]).await;
        }
        node.stop().await;
        let before = clinic.set_calls(0).len();
        let clinic = Clinic {
            public: Some(new.url.clone()),
            ..clinic
        };
        let node = clinic.node();
        let begun = Self {
            clinic,
            old,
            new,
            node,
            before,
        };
        begun
            .until("sixteen have moved", async |it| it.moved().len() == 16)
            .await;
        begun.clinic.idle().await;
        begun
    }

    /// How often each bot's webhook was set since, by bot.
    fn calls(&self, door: &Door, skip: usize) -> BTreeMap<i64, usize> {
        let mut by_bot = BTreeMap::new();
        for (bot, params) in self.clinic.set_calls(skip) {
            if params["url"].as_str().unwrap().starts_with(&door.url) {
                *by_bot.entry(bot).or_default() += 1;
            }
        }
        by_bot
    }

    fn moved(&self) -> BTreeMap<i64, usize> {
        self.calls(&self.new, self.before)
    }

    /// Bots that have moved, and those that have not.
    fn sides(&self) -> (Vec<usize>, Vec<usize>) {
        let moved = self.moved();
        (0..BOTS).partition(|bot| moved.contains_key(&number(*bot)))
    }

    /// Lets time pass until it holds.
    async fn until(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let mut steps = 0;
        while !holds(self).await {
            self.clinic.pass(STEP_MS).await;
            steps += 1;
            assert!(
                steps < 200,
                "it never came to be that {what}: {}",
                self.progress().await
            );
        }
    }

    /// Has somebody write to bots whose address is broken, and checks see it, while no time passes.
    async fn fail(&self, bots: &[usize]) {
        let telegram = &self.clinic.server.telegram;
        for bot in bots {
            let ada = telegram.person("Ada");
            telegram.say(number(*bot), ada.id, "hello?").unwrap();
        }
        for bot in bots {
            eventually("a delivery failed", async || {
                self.clinic.info(*bot).await.last_error_date.is_some()
            })
            .await;
            self.look_at(&id(*bot)).await;
            eventually("a check sees it", async || {
                let (status, codes) = self.clinic.verdict(*bot).await;
                status == "drifted" && codes.iter().any(|code| code == "delivery-failing")
            })
            .await;
        }
        self.clinic.idle().await;
    }

    async fn look_at(&self, bot: &BotId) {
        let ports = &self.clinic.server.ports;
        let now = ports.clock.now();
        ports.catalog.hasten_webhook_check(bot, now).await.unwrap();
    }

    async fn progress(&self) -> Value {
        let path = "/webhooks/progress";
        self.clinic.owner.get(path).await.expect(200).json()
    }

    /// Three of those that moved get no updates, and it is held.
    async fn held() -> Self {
        let it = Box::pin(Self::begun()).await;
        it.new.breaks(true);
        let (moved, rest) = it.sides();
        it.fail(&moved[..3]).await;
        for _ in 0..60 {
            it.clinic.pass(STEP_MS).await;
        }
        assert_eq!(it.moved().len(), 16, "nobody follows for five minutes");
        let progress = it.progress().await;
        assert_eq!(progress["left"], 4, "{progress}");
        let held = &progress["moveHeld"];
        assert!(held["since"].is_string(), "{progress}");
        assert_eq!(
            (&held["moved"], &held["failing"], &held["rest"]),
            (&16.into(), &3.into(), &4.into())
        );
        for bot in &rest {
            assert!(it.clinic.info(*bot).await.url.starts_with(&it.old.url));
        }
        it
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_to_an_address_that_does_not_work_holds_itself_and_goes_on_when_it_works() {
    let it = Box::pin(Move::held()).await;
    let (moved, _) = it.sides();
    // Also with a node that was not there when it began.
    let _other = it.clinic.node();
    it.clinic.pass(ROUND_MS).await;
    assert_eq!(it.moved().len(), 16);
    it.new.breaks(false);
    for bot in &moved[..3] {
        eventually("it gets its updates", async || {
            it.clinic.info(*bot).await.pending_update_count == 0
        })
        .await;
    }
    it.until("everybody has moved", async |it| it.moved().len() == BOTS)
        .await;
    let all: BTreeMap<i64, usize> = (0..BOTS).map(|bot| (number(bot), 1)).collect();
    assert_eq!(it.moved(), all, "each once");
    it.until("nothing is held", async |it| {
        let progress = it.progress().await;
        progress["moveHeld"].is_null() && progress["left"] == 0
    })
    .await;
    for bot in 0..BOTS {
        it.clinic.becomes(bot, "healthy", &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn setting_the_address_back_moves_back_those_that_were_moved_and_nobody_else() {
    let it = Box::pin(Move::held()).await;
    let (moved, _) = it.sides();
    let Move {
        clinic,
        old,
        new,
        node,
        before,
    } = it;
    node.stop().await;
    let calls = clinic.set_calls(0).len();
    let clinic = Clinic {
        public: Some(old.url.clone()),
        ..clinic
    };
    let node = clinic.node();
    let it = Move {
        clinic,
        old,
        new,
        node,
        before,
    };
    eventually(
        "it is told how many are to be moved back, and that nothing is held",
        async || {
            let progress = it.progress().await;
            let back = it.calls(&it.old, calls).len();
            progress["left"].as_u64().unwrap() + back as u64 == 16 && progress["moveHeld"].is_null()
        },
    )
    .await;
    it.until("all are back", async |it| it.calls(&it.old, calls).len() == 16)
        .await;
    for _ in 0..20 {
        it.clinic.pass(STEP_MS).await;
    }
    let back: BTreeMap<i64, usize> = moved.iter().map(|bot| (number(*bot), 1)).collect();
    assert_eq!(
        it.calls(&it.old, calls),
        back,
        "each that was moved, once, and nobody else"
    );
    for bot in &moved[..3] {
        eventually("what waited arrives", async || {
            it.clinic.info(*bot).await.pending_update_count == 0
        })
        .await;
    }
    it.until("all are well", async |it| it.progress().await["healthy"] == BOTS)
        .await;
    assert_eq!(it.progress().await["left"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_at_both_addresses_is_not_held_against_the_new_one() {
    let it = Box::pin(Move::begun()).await;
    let (moved, rest) = it.sides();
    it.old.breaks(true);
    it.new.breaks(true);
    it.fail(&rest[..2]).await;
    it.fail(&moved[..3]).await;
    it.until("everybody has moved", async |it| it.moved().len() == BOTS)
        .await;
}
