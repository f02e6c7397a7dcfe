//! Sessions that client commands open for themselves end with them, whatever ends them.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use crate::support::api::PASSWORD;
use crate::support::process::{binary, without_settings};
use crate::support::scripted::Reply::{self, Answer, Hang, Held};
use crate::support::scripted::Scripted;

const LIST: &[&str] = &["bots", "list"];
const NOTHING: Reply = Answer(200, "", r#"{"items":[]}"#);
const COOKIE: &str = "Set-Cookie: botloom_session=story; Path=/\r\n";
const ACCOUNT: &str = r#"{"csrfToken":"csrf","user":{"email":"ada@example.com"}}"#;
const LOGGED_IN: Reply = Answer(200, COOKIE, ACCOUNT);
const GONE: Reply = Answer(204, "", "");

/// A command with an account, at a server.
fn start(mut command: Command, server: &Scripted) -> Child {
    command
        .env("BOTLOOM_SERVER", server.url())
        .env("BOTLOOM_EMAIL", "ada@example.com")
        .env("BOTLOOM_PASSWORD", PASSWORD)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn list() -> Command {
    let mut command = binary();
    command.args(LIST);
    command
}

fn send(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &pid]).status();
    assert!(sent.unwrap().success());
}

/// Waits for the end; answers the exit code and what was told.
fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    (child.wait().unwrap().code(), told)
}

fn assert_logged_out(server: &Scripted, at: usize) {
    let heard = server.heard();
    assert_eq!(heard[at].line, "POST /auth/logout");
    assert_eq!(heard[at].headers["cookie"], "botloom_session=story");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_stopped_ends_its_session() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let server = Scripted::start(&[LOGGED_IN, Hang, GONE]);
        let child = start(list(), &server);
        server.asked(2).await;
        send(&child, signal);
        assert_eq!(ended(child).0, Some(code));
        assert_logged_out(&server, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_being_opened_is_ended_too() {
    let server = Scripted::start(&[Held(200, COOKIE, ACCOUNT), GONE]);
    let child = start(list(), &server);
    server.asked(1).await;
    send(&child, "TERM");
    server.go_on();
    assert_eq!(ended(child).0, Some(143));
    assert_logged_out(&server, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_that_is_ignored_stops_nothing() {
    let server = Scripted::start(&[LOGGED_IN, Hang, GONE]);
    let mut shell = without_settings(Command::new("/bin/sh"));
    let program = env!("CARGO_BIN_EXE_botloom");
    shell.args(["-c", &format!("trap '' HUP; exec {program} bots list")]);
    let child = start(shell, &server);
    server.asked(2).await;
    send(&child, "HUP");
    send(&child, "TERM");
    assert_eq!(ended(child).0, Some(143), "as with `nohup`");
    assert_logged_out(&server, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_to_wait_at_the_end_is_waited_for() {
    let busy = Answer(429, "Retry-After: 1\r\n", "{}");
    let server = Scripted::start(&[LOGGED_IN, NOTHING, busy, Reply::Close, GONE]);
    let (code, told) = ended(start(list(), &server));
    assert_eq!((code, told.contains("left open")), (Some(0), false), "{told}");
    assert_eq!(server.lines()[2..], ["POST /auth/logout"; 3]);

    let busy = Answer(429, "Retry-After: 3600\r\n", "{}");
    let server = Scripted::start(&[LOGGED_IN, NOTHING, busy]);
    let (code, told) = ended(start(list(), &server));
    assert_eq!((code, server.lines().len()), (Some(0), 3), "not for an hour");
    assert!(
        told.contains("left open") && told.contains("botloom sessions end"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_insists_is_let_go() {
    let server = Scripted::start(&[LOGGED_IN, Hang, Hang]);
    let child = start(list(), &server);
    server.asked(2).await;
    send(&child, "INT");
    server.asked(3).await;
    send(&child, "INT");
    let (code, told) = ended(child);
    assert_eq!(code, Some(130));
    assert!(
        told.contains("the session of this command was left open; "),
        "{told}"
    );
}
