//! How the client commands ask a server: what they wait out, what they send again, and when they give up.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use tokio::net::TcpListener;

use crate::support::process::{Ran, binary, run};
use crate::support::scripted::Reply::{self, Answer, Close};
use crate::support::scripted::{Scripted, unopened};

const NOTHING: Reply = Answer(200, "", r#"{"items":[]}"#);
const MADE: Reply = Answer(201, "", "{}");
const BUSY: Reply = Answer(503, "", "");

/// Runs a command that needs no login.
fn ask(server: &str, args: &[&str]) -> Ran {
    let env = [("BOTLOOM_SERVER", server), ("BOTLOOM_TOKEN", "blm_story")];
    run(args, &env, &std::env::temp_dir(), "")
}

/// Runs a command against a server with these replies; answers what it was asked, too.
fn story(replies: &[Reply], args: &[&str]) -> (Ran, Vec<String>) {
    let server = Scripted::start(replies);
    let ran = ask(&server.url(), args);
    (ran, server.lines())
}

const LIST: &[&str] = &["bots", "list"];
const CREATE: &[&str] = &["bots", "create", "some-bot"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_to_wait_is_waited_for() {
    let soon = Answer(429, "Retry-After: 1\r\n", "{}");
    let (ran, asked) = story(&[soon, MADE], CREATE);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(asked, ["POST /bots"; 2], "nothing was done at the first time");

    let (ran, asked) = story(&[Answer(429, "Retry-After: 3\r\n", "{}"), NOTHING], LIST);
    assert_eq!((ran.code, asked.len()), (Some(0), 2), "{ran:?}");
    assert!(ran.err.contains("asks to wait (429"), "{}", ran.err);

    let (ran, asked) = story(&[Answer(429, "Retry-After: 3600\r\n", "{}"), NOTHING], LIST);
    assert_eq!((ran.code, asked.len()), (Some(1), 1), "not for an hour: {ran:?}");
    assert!(ran.err.contains("429"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_read_is_asked_for_again() {
    for failure in [BUSY, Close] {
        let (ran, asked) = story(&[failure, NOTHING], LIST);
        assert_eq!(ran.code, Some(0), "{failure:?}: {ran:?}");
        assert_eq!(asked.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_been_done_is_not_done_twice() {
    let (ran, asked) = story(&[BUSY, MADE], CREATE);
    assert_eq!((ran.code, asked.len()), (Some(1), 1), "{ran:?}");
    let (ran, asked) = story(&[Close, MADE], CREATE);
    assert_eq!((ran.code, asked.len()), (Some(1), 1), "{ran:?}");
    assert!(
        ran.err
            .contains("whether the request was carried out is not known"),
        "{}",
        ran.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_effect_once_is_sent_again_under_its_key() {
    let replies = [
        Answer(200, "", "{}"),
        NOTHING,
        BUSY,
        Answer(201, "", r#"{"version":1,"specHash":"x"}"#),
        Close,
        // Somebody is still at the first one.
        Answer(409, "Retry-After: 1\r\n", "{}"),
        Answer(202, "", r#"{"taskId":"some-task"}"#),
    ];
    let server = Scripted::start(&replies);
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/examples/pizza-demo/spec.json");
    let ran = ask(&server.url(), &["apply", &spec.display().to_string()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("some-task"), "{ran:?}");
    let heard = server.heard();
    let keys = |line: &str| {
        let all = heard.iter().filter(|heard| heard.line == line);
        all.map(|heard| heard.headers["idempotency-key"].clone())
            .collect::<Vec<_>>()
    };
    let (specs, builds) = (keys("POST /spec"), keys("POST /generate"));
    assert_eq!((specs.len(), builds.len()), (2, 3), "{heard:?}");
    assert!(specs[0] == specs[1] && builds[0] == builds[1] && builds[1] == builds[2]);
    assert_ne!(specs[0], builds[0], "another request, another key");
    let first = heard.iter().filter(|heard| heard.line == "POST /spec");
    for post in first {
        assert_eq!(
            post.headers["if-none-match"], "*",
            "somebody else's first version stays"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_being_started_is_waited_for() {
    let door = unopened();
    let port = door.local_addr().unwrap().port();
    let mut child = binary()
        .args(CREATE)
        .env("BOTLOOM_SERVER", format!("http://127.0.0.1:{port}"))
        .env("BOTLOOM_TOKEN", "blm_story")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    told.read_line(&mut line).unwrap();
    assert!(
        line.contains("cannot reach") && line.contains("trying again"),
        "{line}"
    );
    let server = Scripted::at(door, &[MADE]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(server.lines(), ["POST /bots"], "nothing had been sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_told_in_the_end() {
    let door = unopened();
    let server = format!("http://{}", door.local_addr().unwrap());
    let ran = ask(&server, LIST);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("is `botloom serve` running there?"),
        "{}",
        ran.err
    );
    let name = ask("http://no-such-host.invalid", LIST);
    assert!(
        name.code == Some(1) && !name.err.contains("trying again"),
        "a name that means nothing will not: {name:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let both = [&["health"][..], LIST].map(|args| {
        let url = url.clone();
        std::thread::spawn(move || ask(&url, args))
    });
    for asking in both {
        let ran = asking.join().unwrap();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("does not answer"), "{}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_how_it_is_now() {
    let (ran, asked) = story(&[BUSY, NOTHING], &["health"]);
    assert_eq!((ran.code, asked.len()), (Some(1), 1), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_begin_with_the_oldest_that_is_kept() {
    let told = Answer(
        200,
        "",
        "id: 5000\nevent: resync\ndata: {\"oldest\":2001}\n\n: connected\n\n",
    );
    let last = Answer(200, "", ": connected\n\nid: 5000\nevent: BotPaused\ndata: {}\n\n");
    for args in [&["events", "shop", "--after", "0"][..], &["events", "shop"]] {
        let (ran, asked) = story(&[told, last], args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.contains("BotPaused"), "{ran:?}");
        assert_eq!(asked[1], "GET /events?botId=shop&lastEventId=2000");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_another_one_overtook_is_told_so() {
    let superseded = Answer(
        200,
        "",
        r#"{"botId":"shop","status":"failed","stages":[],"error":{"code":"superseded","detail":"Another one came first."}}"#,
    );
    let (ran, _) = story(&[superseded; 3], &["deployments", "show", "some-task", "--watch"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("superseded: Another one came first."),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("what the other one made live is live") && !ran.err.contains("still is"),
        "{}",
        ran.err
    );
}

#[test]
fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one() {
    for args in [&["schema"][..], &["completions", "bash"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let gone = binary().args(args).stdout(writer).output().unwrap();
        assert_eq!(gone.status.code(), Some(0), "{args:?}: {gone:?}");
        assert!(gone.stderr.is_empty(), "{gone:?}");

        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let full = binary().args(args).stdout(full).output().unwrap();
        assert_eq!(full.status.code(), Some(1), "{args:?}: {full:?}");
        let told = String::from_utf8(full.stderr).unwrap();
        assert!(told.contains("cannot be written"), "{told}");
    }
}
