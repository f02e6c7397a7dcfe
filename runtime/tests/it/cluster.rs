//! Several nodes over one storage: what the deployer asks of all, flips that one node cannot hear of, homes.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use botloom_core::homes::home;
use botloom_core::model::{Ask, AskAnswer, IngressMode, NodeBeat, NodeId};
use botloom_core::ports::{ActiveRevision, BEAT_EVERY, Nodes, SandboxError, Sandboxes};
use botloom_runtime::{DevHosts, cluster_sandboxes};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::support::{Bot, Deaf, ECHO, Peer, Seat, Setup, SharedNodes, World, eventually, text_update};

/// What the deployer gives a flip: the life of a revision lease and a margin.
const BARRIER: Duration = Duration::from_millis(400);

struct Cluster {
    world: World,
    peer: Peer,
    nodes: SharedNodes,
    /// The deployer's, which is no node that runs bots.
    sandboxes: Arc<dyn Sandboxes>,
}

/// Two nodes that hear of nothing.
async fn deaf(mut setup: Setup) -> Cluster {
    let nodes = SharedNodes::default();
    setup.cluster = Some(nodes.clone());
    let world = Box::pin(World::with(setup)).await;
    let peer = Box::pin(world.join(&nodes, Deaf::new())).await;
    let sandboxes = cluster_sandboxes(nodes.seat(Deaf::new()), Deaf::new());
    let all: Arc<dyn Sandboxes> = Arc::clone(&sandboxes);
    eventually("both nodes are on the list", async || {
        all.live_nodes().await == 2
            && [&world.node, &peer.node]
                .iter()
                .all(|node| node.status().nodes == 2)
    })
    .await;
    Cluster {
        world,
        peer,
        nodes,
        sandboxes,
    }
}

impl Cluster {
    /// Makes a stored revision live as the deployer does, barrier included, and answers once it would be reported.
    async fn flip(&self, bot: &Bot, bot_js: &str) -> ActiveRevision {
        let catalog = &self.world.ports.catalog;
        let rev = self.world.store(&bot.id, bot_js).await;
        let seen = catalog.bot(&bot.id).await.unwrap().unwrap().epoch;
        let epoch = catalog.activate(&bot.id, seen, rev).await.unwrap().unwrap();
        let revision = ActiveRevision { epoch, rev };
        let lanes = &self.world.ports.lanes;
        lanes.set_revision(&bot.id, revision).await.unwrap();
        self.sandboxes.barrier(&bot.id, revision, BARRIER).await;
        revision
    }
}

/// A node that says that it lives and does nothing else, for as long as the future is polled.
async fn only_beats(seat: &Seat) {
    let beat = NodeBeat {
        node: seat.me(),
        runs_bots: true,
        generates: false,
        free_turns: 1,
        turns: 1,
        version: "0".into(),
    };
    loop {
        seat.beat(&beat).await.unwrap();
        tokio::time::sleep(BEAT_EVERY).await;
    }
}

#[tokio::test]
async fn every_node_does_what_is_asked_though_every_message_is_lost() {
    let cluster = deaf(Setup::default()).await;
    let bot = cluster.world.bare_bot("asked").await;
    let rev = cluster.world.store(&bot.id, ECHO).await;
    let all = &cluster.sandboxes;
    all.stage(&bot.id, &rev).await.unwrap();
    all.prewarm(&bot.id, &rev, 1).await.unwrap();
    let report = all.probe(&bot.id, &rev).await.unwrap();
    assert_eq!(report.messages, 1);
    let me = cluster.peer.seat.me();
    let answered = cluster.nodes.answered_by(me);
    assert!(answered >= 2, "the peer answered {answered} asks");

    let broken = cluster.world.store(&bot.id, "export function handle( {").await;
    let refused = all.prewarm(&bot.id, &broken, 1).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Outcome { outcome, .. } if outcome == "load_failed"));
    let absent = botloom_core::RevHash(botloom_core::Sha256Hash::of("absent"));
    let refused = all.stage(&bot.id, &absent).await.unwrap_err();
    assert!(
        matches!(
            refused,
            SandboxError::Artifact {
                code: "artifact-missing",
                ..
            }
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_left_out_and_one_that_goes_down_is_not_asked() {
    let cluster = deaf(Setup::default()).await;
    let bot = cluster.world.bare_bot("patient").await;
    let rev = cluster.world.store(&bot.id, ECHO).await;
    let all = &cluster.sandboxes;
    let mute = cluster.nodes.seat(Deaf::new());
    let started = Instant::now();
    tokio::select! {
        () = only_beats(&mute) => unreachable!(),
        staged = all.stage(&bot.id, &rev) => staged.unwrap(),
    }
    assert!(started.elapsed() >= Duration::from_secs(4), "it was waited for");
    mute.leave().await.unwrap();

    cluster.peer.shutdown.cancel();
    cluster.peer.node.drained().await;
    assert_eq!(all.live_nodes().await, 1, "it left the list");
    all.stage(&bot.id, &rev).await.unwrap();
    cluster.world.shutdown.cancel();
    cluster.world.node.drained().await;
    assert_eq!(all.stage(&bot.id, &rev).await, Err(SandboxError::NoNode));
    let answer = tokio::select! {
        () = only_beats(&mute) => unreachable!(),
        staged = async {
            // The list takes a moment to have it.
            eventually("it is on the list", async || all.live_nodes().await == 1).await;
            all.stage(&bot.id, &rev).await
        } => staged,
    };
    assert_eq!(answer, Err(SandboxError::Timeout), "nobody did it");
}

/// A flip would stop a bot that works there, for as long as the store is slow.
#[tokio::test]
async fn a_node_that_runs_a_bot_and_cannot_read_its_next_revision_refuses_it() {
    let cluster = deaf(Setup::default()).await;
    let (world, peer, all) = (&cluster.world, &cluster.peer, &cluster.sandboxes);
    let slow = |answer| {
        matches!(
            answer,
            Err(SandboxError::Artifact {
                code: "unavailable",
                ..
            })
        )
    };
    let first = world.bare_bot("first").await;
    let rev = world.store(&first.id, ECHO).await;
    peer.artifacts.stall(true);
    assert!(slow(all.stage(&first.id, &rev).await), "nothing is active yet");
    peer.artifacts.stall(false);

    let bot = world.bot("steady", ECHO).await;
    let active = world.ports.lanes.revision(&bot.id).await.unwrap().unwrap();
    let next = world.store(&bot.id, &format!("{ECHO} // next")).await;
    peer.artifacts.stall(true);
    all.stage(&bot.id, &next)
        .await
        .expect("what is active cannot run there either, so there is nothing to wait for");
    peer.artifacts.stall(false);
    all.prewarm(&bot.id, &active.rev, 1).await.unwrap();
    peer.artifacts.stall(true);
    assert!(slow(all.stage(&bot.id, &next).await));
    assert!(slow(all.prewarm(&bot.id, &next, 1).await));
    all.prewarm(&bot.id, &active.rev, 1)
        .await
        .expect("what is in memory needs no store");
    peer.artifacts.stall(false);
    all.stage(&bot.id, &next).await.unwrap();
    all.prewarm(&bot.id, &next, 1).await.unwrap();
}

#[tokio::test]
async fn an_ask_that_is_repeated_is_answered_again() {
    let cluster = deaf(Setup::default()).await;
    let bot = cluster.world.bare_bot("again").await;
    let rev = cluster.world.store(&bot.id, ECHO).await;
    let seat = cluster.nodes.seat(Deaf::new());
    let ask = Ask::Prewarm {
        bot: bot.id.clone(),
        rev,
        min: 1,
    };
    for id in [uuid::Uuid::now_v7(), uuid::Uuid::now_v7()] {
        for _ in 0..2 {
            seat.ask(id, &ask, Duration::from_secs(30)).await.unwrap();
        }
        eventually("both did it", async || {
            let answers = seat.answers(id).await.unwrap();
            answers.len() == 2 && answers.iter().all(|(_, answer)| *answer == AskAnswer::Done)
        })
        .await;
    }
}

/// Answers `{}` to every request, and keeps requests of one path waiting while told to.
struct Gate {
    paths: Arc<Mutex<Vec<String>>>,
    shut: watch::Sender<bool>,
    address: std::net::SocketAddr,
}

impl Gate {
    async fn before(path: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Self {
            paths: Arc::default(),
            shut: watch::Sender::new(true),
            address: listener.local_addr().unwrap(),
        };
        let (paths, shut) = (Arc::clone(&gate.paths), gate.shut.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (paths, mut shut) = (Arc::clone(&paths), shut.subscribe());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    stream.read_line(&mut line).await.unwrap();
                    let asked = line.split(' ').nth(1).unwrap_or_default().to_owned();
                    let waits = asked == path;
                    paths.lock().unwrap().push(asked);
                    if waits {
                        let _ = shut.wait_for(|shut| !shut).await;
                    }
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
                    // The caller may have given up.
                    let _ = stream.write_all(answer).await;
                });
            }
        });
        gate
    }

    fn setup(&self) -> Setup {
        let mut setup = Setup::default();
        let hosts = format!("api.shop.example=http://{}", self.address);
        setup.options.dev_hosts = DevHosts::parse(&hosts).unwrap();
        setup
    }

    fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }
}

/// Calls `/<tag>/1` and `/<tag>/2`, then says its tag.
fn calling(tag: &str) -> String {
    format!(
        "export function handle({{ resume }}) {{
  const nth = resume === undefined ? 1 : resume.cont + 1;
  if (nth === 3) return {{ state: null, actions: [{{ method: 'sendMessage', params: {{ text: '{tag}' }} }}] }};
  return {{ state: null, effect: {{ type: 'apiCall', cont: nth, method: 'GET', url: 'https://api.shop.example/{tag}/' + nth,
    headers: {{}}, query: {{}}, body: null, timeoutMs: 30000, retries: 0, backoff: {{ baseMs: 1, factor: 1 }} }} }};
}}"
    )
}

/// The node got its turn before a flip, stood still until the flip was reported, and could hear of nothing.
#[tokio::test]
async fn a_turn_from_before_a_flip_does_not_start_on_the_old_revision() {
    let gate = Gate::before("/none").await;
    let cluster = deaf(gate.setup()).await;
    let bot = cluster.world.bot("standing-still", &calling("old")).await;
    let url = cluster.peer.url.clone();
    cluster.peer.lanes.delay_answers(true);
    let update = text_update(1, 5, "x").to_string();
    let path = format!("/wh/{}", bot.id);
    let delivered = cluster.world.post_to(&url, &path, Some(&bot.secret), update);
    let flipped = async {
        eventually("the turn is granted", async || {
            cluster.world.ports.lanes.stats().await.unwrap().leased == 1
        })
        .await;
        cluster.peer.seat.cut(true);
        cluster.flip(&bot, &calling("new")).await;
        cluster.peer.lanes.delay_answers(false);
    };
    let (answer, ()) = tokio::join!(delivered, flipped);
    assert_eq!(answer.status, 200);
    cluster.peer.seat.cut(false);
    eventually("it is answered", async || cluster.world.texts(&bot, 5) == ["new"]).await;
    assert_eq!(gate.paths(), ["/new/1", "/new/2"]);
}

/// An update of the old revision waits for an API while the bot flips on a node that can hear of nothing.
#[tokio::test]
async fn an_update_from_before_a_flip_calls_nothing_more() {
    let gate = Gate::before("/old/1").await;
    let cluster = deaf(gate.setup()).await;
    let bot = cluster.world.bot("half-way", &calling("old")).await;
    let update = text_update(1, 5, "x").to_string();
    let path = format!("/wh/{}", bot.id);
    let answer = cluster
        .world
        .post_to(&cluster.peer.url, &path, Some(&bot.secret), update)
        .await;
    assert_eq!(answer.status, 200);
    eventually("it is under way", async || gate.paths() == ["/old/1"]).await;
    cluster.peer.seat.cut(true);
    cluster.flip(&bot, &calling("new")).await;
    gate.shut.send_replace(false);
    cluster.peer.seat.cut(false);
    eventually("it is answered", async || cluster.world.texts(&bot, 5) == ["new"]).await;
    assert_eq!(gate.paths(), ["/old/1", "/new/1", "/new/2"]);
}

/// A flip waits for a node that goes down, as long as it runs what it began.
#[tokio::test]
async fn a_node_that_goes_down_is_told_of_flips_and_has_no_homes() {
    let gate = Gate::before("/old/1").await;
    let cluster = deaf(gate.setup()).await;
    let bot = cluster.world.bot("farewell", &calling("old")).await;
    let update = text_update(1, 5, "x").to_string();
    let path = format!("/wh/{}", bot.id);
    cluster
        .world
        .post_to(&cluster.peer.url, &path, Some(&bot.secret), update)
        .await;
    eventually("it is under way", async || gate.paths() == ["/old/1"]).await;
    cluster.peer.shutdown.cancel();
    let seat = &cluster.peer.seat;
    eventually("it has no homes, but is there", async || {
        let live = seat.live().await.unwrap();
        let beat = live.iter().find(|beat| beat.node == seat.me());
        beat.is_some_and(|beat| !beat.runs_bots && beat.turns > 0)
    })
    .await;
    cluster.flip(&bot, &calling("new")).await;
    eventually("another node does it", async || {
        cluster.world.texts(&bot, 5) == ["new"]
    })
    .await;
    gate.shut.send_replace(false);
    cluster.peer.node.drained().await;
    assert_eq!(gate.paths(), ["/old/1", "/new/1", "/new/2"]);
    assert_eq!(cluster.sandboxes.live_nodes().await, 1);
}

/// Flips do not wait for it.
#[tokio::test]
async fn a_node_that_is_missing_on_the_list_starts_nothing() {
    let cluster = deaf(Setup::default()).await;
    let (world, peer) = (&cluster.world, &cluster.peer);
    let bot = world.bot("unlisted", ECHO).await;
    world.lanes.stall(true);
    peer.seat.cut(true);
    eventually("it is off the list", async || peer.node.status().nodes == 0).await;
    let update = text_update(1, 5, "x").to_string();
    let path = format!("/wh/{}", bot.id);
    let answer = world.post_to(&peer.url, &path, Some(&bot.secret), update).await;
    assert_eq!(answer.status, 200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.texts(&bot, 5).is_empty());
    peer.seat.cut(false);
    eventually("it is answered", async || world.texts(&bot, 5) == ["1 x"]).await;
    world.lanes.stall(false);
}

/// The lanes' store comes back without its last writes, or without any.
#[tokio::test]
async fn an_epoch_that_went_back_is_set_right_from_the_catalog() {
    let world = World::new().await;
    let bot = world.bot("restored", ECHO).await;
    world.deliver(&bot, &text_update(1, 5, "before")).await;
    eventually("it works", async || world.texts(&bot, 5).len() == 1).await;
    let active = world.ports.lanes.revision(&bot.id).await.unwrap();
    assert!(active.is_some());
    world.ports.lanes.purge(&bot.id).await.unwrap();
    world.deliver(&bot, &text_update(2, 6, "after")).await;
    eventually("it works again", async || world.texts(&bot, 6) == ["1 after"]).await;
    assert_eq!(world.ports.lanes.revision(&bot.id).await.unwrap(), active);
}

fn homes_of(bots: &[Bot], node: NodeId, nodes: &[NodeId]) -> usize {
    let home_of = |bot: &Bot| home(bot.id.as_str().as_bytes(), nodes.iter());
    bots.iter().filter(|bot| home_of(bot) == Some(node)).count()
}

#[tokio::test]
async fn a_polled_bot_has_one_home_and_moves_with_it() {
    let mut setup = Setup::default();
    setup.options.reconcile = Duration::from_millis(100);
    let cluster = deaf(setup).await;
    let (world, peer) = (&cluster.world, &cluster.peer);
    let nodes = [world.ports.nodes.me(), peer.seat.me()];
    let mut bots = Vec::new();
    // So many that both nodes have some.
    while bots.len() < 4 || nodes.iter().any(|node| homes_of(&bots, *node, &nodes) == 0) {
        let bot = world.bare_bot(&format!("polled-{}", bots.len())).await;
        world.deploy(&bot.id, ECHO).await;
        world.connect(&bot, IngressMode::Polling).await;
        bots.push(bot);
    }
    let ada = world.simulator.person("Ada");
    let round = async |count: usize| {
        for bot in &bots {
            world.simulator.say(bot.number, ada.id, "hi").unwrap();
        }
        for bot in &bots {
            eventually("every bot is polled", async || {
                world.texts(bot, ada.id).len() == count
            })
            .await;
        }
    };
    round(1).await;
    // Both nodes know of all bots by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    round(2).await;
    let answers = world.simulator.counters().answers;
    assert_eq!(
        answers.get(&409),
        None,
        "two nodes asked for the updates of one bot"
    );

    // The node is gone for the others, and cannot reach its stores either.
    peer.seat.cut(true);
    peer.lanes.stall(true);
    round(3).await;
    peer.lanes.stall(false);
    peer.seat.cut(false);
    round(4).await;
    peer.shutdown.cancel();
    round(5).await;
    for bot in &bots {
        let texts = world.texts(bot, ada.id);
        assert_eq!(texts, ["1 hi", "2 hi", "3 hi", "4 hi", "5 hi"]);
    }
}
