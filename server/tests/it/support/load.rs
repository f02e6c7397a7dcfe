//! Many chats that write to a chain bot, posted as Telegram posts: in order within a chat, again until acknowledged, and
//! a part of it more than once. Afterwards the answers show whether anything was lost, doubled or changed places.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use botloom_telegram::simulator::{Event, Filter};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::webhook::Webhook;
use super::world::World;

/// How long an update waits for its acknowledgement before it is posted again; less than Telegram's, to keep a story
/// with a stopped node short.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// How long nothing may be sent before answers count as missing: longer than any lease and pause.
const SILENCE: Duration = Duration::from_secs(40);

/// How much is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) chats: i64,
    /// Updates of each chat; without end where `None`.
    pub(crate) updates: Option<i64>,
    /// Posts at a time.
    pub(crate) connections: usize,
}

#[derive(Debug)]
struct Shared {
    webhook: Webhook,
    slots: Semaphore,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    stop: AtomicBool,
}

/// Running.
#[derive(Debug)]
pub(crate) struct Load {
    slug: String,
    bot: i64,
    shared: Arc<Shared>,
    chats: JoinSet<(i64, i64)>,
}

/// An answer that was sent twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doubled {
    pub(crate) chat: i64,
    /// When it was sent first, Unix milliseconds.
    pub(crate) at_ms: i64,
}

/// What Telegram took.
#[derive(Debug, Clone)]
struct Answer {
    at_ms: i64,
    text: String,
}

/// What was written: the last number of each chat.
#[derive(Debug)]
pub(crate) struct Written {
    slug: String,
    bot: i64,
    chats: BTreeMap<i64, i64>,
}

impl Load {
    /// Starts to write to a bot, known by its slug and its number at Telegram.
    pub(crate) fn start(world: &World, slug: &str, bot: i64, plan: Plan) -> Self {
        let shared = Arc::new(Shared {
            webhook: Webhook::of(world, slug, bot),
            slots: Semaphore::new(plan.connections),
            acknowledged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let mut chats = JoinSet::new();
        for chat in 1..=plan.chats {
            let shared = Arc::clone(&shared);
            chats.spawn(async move { (chat, shared.chat(chat, plan.updates).await) });
        }
        Self {
            slug: slug.to_owned(),
            bot,
            shared,
            chats,
        }
    }

    /// Posts that were acknowledged, doubles included.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Posts that were answered 429 or 503.
    pub(crate) fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Posts that nobody answered.
    pub(crate) fn unanswered(&self) -> u64 {
        self.shared.unanswered.load(Ordering::Relaxed)
    }

    /// Nearly all posts were taken at once: what is on the door's way would refuse most of them, a machine that stalls
    /// now and then refuses a few, and they came again.
    pub(crate) fn is_taken(&self, world: &World) {
        let (refused, unanswered) = (self.refused(), self.unanswered());
        assert!(
            (refused + unanswered) * 100 < self.acknowledged(),
            "{refused} refused, {unanswered} unanswered\n{}",
            world.logs()
        );
    }

    /// Waits until so many posts were acknowledged.
    pub(crate) async fn until(&self, acknowledged: u64) {
        let (mut seen, mut since) = (0, Instant::now());
        while self.acknowledged() < acknowledged {
            if self.acknowledged() > seen {
                (seen, since) = (self.acknowledged(), Instant::now());
            }
            assert!(
                since.elapsed() < SILENCE,
                "nothing is acknowledged any more, after {seen} posts"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until so many more posts were acknowledged.
    pub(crate) async fn more(&self, posts: u64) {
        self.until(self.acknowledged() + posts).await;
    }

    /// Ends a load without end; every chat ends behind an acknowledged update.
    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until all was posted.
    pub(crate) async fn posted(self) -> Written {
        Written {
            slug: self.slug,
            bot: self.bot,
            chats: self.chats.join_all().await.into_iter().collect(),
        }
    }
}

impl Shared {
    /// One chat: every third update twice, every seventh time an old one once more. Answers its last number.
    async fn chat(&self, chat: i64, updates: Option<i64>) -> i64 {
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) && updates.is_none_or(|updates| number < updates) {
            number += 1;
            self.deliver(chat, number).await;
            if number % 3 == 0 {
                self.deliver(chat, number).await;
            }
            if number % 7 == 0 {
                self.deliver(chat, number - 5).await;
            }
        }
        number
    }

    /// Posts an update until it is acknowledged.
    async fn deliver(&self, chat: i64, number: i64) {
        let _slot = self.slots.acquire().await.unwrap();
        let (update, text) = (chat * 1_000_000 + number, format!("/n {number}"));
        loop {
            let sent = self.webhook.post(update, chat, &text);
            match tokio::time::timeout(ANSWER_WITHIN, sent).await {
                Ok(Ok(answer)) if answer.status == 200 => break,
                Ok(Ok(answer)) => {
                    assert!(
                        matches!(answer.status.as_u16(), 429 | 503),
                        "only overload may refuse: {answer:?}"
                    );
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Err(_)) | Err(_) => {
                    self.unanswered.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

impl Written {
    /// Updates of all chats.
    pub(crate) fn updates(&self) -> i64 {
        self.chats.values().sum()
    }

    /// Waits for the answers and checks that every chat has all of them, in order, and that nothing was set aside.
    /// Answers which were sent once more right after, which is what a sender leaves behind that dies in the middle.
    pub(crate) async fn answered(&self, world: &World) -> Vec<Doubled> {
        let sent = self.settled(world).await;
        for direction in ["in", "out"] {
            let path = format!("/bots/{}/dead-letters?direction={direction}", self.slug);
            assert_eq!(world.api.get(&path).await.json()["items"], json!([]));
        }
        let mut doubled = Vec::new();
        for (chat, last) in &self.chats {
            let mut answers = sent.get(chat).cloned().unwrap_or_default();
            let again = answers.windows(2).filter(|pair| pair[0].text == pair[1].text);
            doubled.extend(again.map(|pair| Doubled {
                chat: *chat,
                at_ms: pair[0].at_ms,
            }));
            answers.dedup_by(|later, earlier| later.text == earlier.text);
            let answers: Vec<String> = answers.into_iter().map(|answer| answer.text).collect();
            let expected: Vec<String> = (1..=*last).map(chain).collect();
            assert_eq!(answers, expected, "chat {chat}");
        }
        doubled
    }

    /// Waits until every chat has its last answer; answers all by chat, in the order in which Telegram took them.
    async fn settled(&self, world: &World) -> BTreeMap<i64, Vec<Answer>> {
        let mut sent: BTreeMap<i64, Vec<Answer>> = BTreeMap::new();
        let (mut after, mut since) = (0, Instant::now());
        loop {
            let filter = Filter {
                after,
                bot: Some(self.bot),
                method: Some("sendMessage".to_owned()),
                ..Filter::default()
            };
            let entries = world.telegram.journal(&filter);
            for entry in &entries {
                (after, since) = (entry.seq, Instant::now());
                if let Event::Call {
                    chat: Some(chat),
                    params,
                    executed: true,
                    ..
                } = &entry.event
                {
                    let text = params["text"].as_str().unwrap_or_default().to_owned();
                    let at_ms = entry.at_ms;
                    sent.entry(*chat).or_default().push(Answer { at_ms, text });
                }
            }
            if entries.is_empty() {
                let complete = |(chat, last): &(&i64, &i64)| {
                    sent.get(chat)
                        .and_then(|answers| answers.last())
                        .is_some_and(|answer| answer.text == chain(**last))
                };
                let missing = self.chats.iter().filter(|chat| !complete(chat)).count();
                if missing == 0 {
                    return sent;
                }
                assert!(
                    since.elapsed() < SILENCE,
                    "{missing} chats lack answers, the first: {:?}\n{}",
                    self.chats
                        .iter()
                        .find(|chat| !complete(chat))
                        .map(|(chat, last)| (chat, last, sent.get(chat))),
                    world.logs()
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// The answer to an update of a chain bot.
fn chain(number: i64) -> String {
    if number == 1 {
        "->1".to_owned()
    } else {
        format!("{}->{number}", number - 1)
    }
}
