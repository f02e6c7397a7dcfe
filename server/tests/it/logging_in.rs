//! Who the client commands are at a server: settings in layers, sessions that end, passwords that nobody sees, and what is
//! said when the server refuses.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::desk::Desk;
use crate::support::process::{Ran, Server, run, without_settings};
use crate::support::scripted::Reply::{self, Answer};
use crate::support::scripted::Scripted;

const LIST: &[&str] = &["bots", "list"];
const NOTHING: Reply = Answer(200, "", r#"{"items":[]}"#);
const LOGGED_IN: Reply = Answer(
    200,
    "Set-Cookie: botloom_session=story; Path=/\r\n",
    r#"{"csrfToken":"csrf","user":{"email":"ada@example.com"}}"#,
);
const GONE: Reply = Answer(204, "", "");

/// How many sessions the owner has.
async fn sessions(desk: &Desk) -> usize {
    let listed = desk.api.get("/auth/sessions").await.json();
    listed["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_leaves_no_session_behind() {
    let desk = Desk::new().await;
    let before = sessions(&desk).await;
    desk.ends(LIST, 0);
    desk.ends(&["bots", "show", "no-such-bot"], 1);
    assert_eq!(sessions(&desk).await, before);
    let home = desk.dir.path().display().to_string();
    let url = desk.server.url("");
    let env = [
        ("BOTLOOM_SERVER", url.as_str()),
        ("XDG_CONFIG_HOME", home.as_str()),
        ("BOTLOOM_EMAIL", EMAIL),
        ("BOTLOOM_PASSWORD", PASSWORD),
    ];
    let login = run(&["login"], &env, desk.dir.path(), "");
    assert_eq!(login.code, Some(0), "{login:?}");
    let kept = run(LIST, &env[..2], desk.dir.path(), "");
    assert_eq!(kept.code, Some(0), "{kept:?}");
    assert_eq!(sessions(&desk).await, before + 1, "that of `login` stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn making_an_account_leaves_no_session_behind() {
    let server = Server::start(&[]).await;
    let url = server.url("");
    let env = [
        ("BOTLOOM_SERVER", url.as_str()),
        ("BOTLOOM_EMAIL", EMAIL),
        ("BOTLOOM_PASSWORD", PASSWORD),
    ];
    let dir = std::env::temp_dir();
    let set_up = run(&["setup"], &env, &dir, "");
    assert_eq!(set_up.code, Some(0), "{set_up:?}");
    let listed = run(&["sessions", "list", "--json"], &env, &dir, "");
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "its own: {listed}");
}

/// Runs a command in a folder with this settings file.
fn with_file(dir: &Path, text: &str, args: &[&str], env: &[(&str, &str)]) -> Ran {
    std::fs::write(dir.join("botloom.toml"), text).unwrap();
    run(args, env, dir, "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_count_before_the_environment_and_that_before_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let server = Scripted::start(&[
        NOTHING, NOTHING, LOGGED_IN, NOTHING, GONE, LOGGED_IN, NOTHING, GONE,
    ]);
    let url = server.url();
    // What is wrong with settings of the server alone is no matter of a client.
    let file =
        format!("BOTLOOM_SERVER = \"{url}\"\nBOTLOOM_TOKEN = \"blm_file\"\nBOTLOOM_LISTEN = \"nowhere\"\n");
    let who = |at: usize| server.heard()[at].headers.get("authorization").cloned();

    let ran = with_file(dir, &file, LIST, &[("BOTLOOM_SERVER", "")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(who(0).as_deref(), Some("Bearer blm_file"));
    let nearer = ("BOTLOOM_TOKEN", "blm_environment");
    let ran = with_file(dir, &file, LIST, &[nearer]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(who(1).as_deref(), Some("Bearer blm_environment"));
    let account = [&["--email", "ada@example.com", "--password", PASSWORD], LIST].concat();
    let account: Vec<&str> = account[4..].iter().chain(&account[..4]).copied().collect();
    let ran = with_file(dir, &file, &account, &[nearer]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let env = [
        ("BOTLOOM_EMAIL", "ada@example.com"),
        ("BOTLOOM_PASSWORD", PASSWORD),
    ];
    let ran = with_file(dir, &file, LIST, &env);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let once = ["POST /auth/login", "GET /bots?limit=200", "POST /auth/logout"];
    assert_eq!(server.lines()[2..], [once, once].concat());

    let elsewhere = with_file(dir, &file, &["health", "--server", "http://127.0.0.1:1"], &[]);
    assert!(elsewhere.err.contains("127.0.0.1:1"), "{elsewhere:?}");
    let token = with_file(dir, &file, &["bots", "list", "--api-token", "blm_x"], &[]);
    assert!(
        token.code == Some(64) && token.err.contains("BOTLOOM_TOKEN"),
        "{token:?}"
    );
}

#[test]
fn a_settings_file_that_cannot_be_used_is_complained_of() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for command in [&["bots", "list"][..], &["health"], &["login"]] {
        let missing = run(&[command, &["--config", "nope.toml"]].concat(), &[], dir, "");
        assert!(
            missing.code == Some(1) && missing.err.contains("nope.toml"),
            "{missing:?}"
        );
        let broken = with_file(dir, "BOTLOOM_SERVER = [", command, &[]);
        assert!(
            broken.code == Some(1) && broken.err.contains("botloom.toml"),
            "{broken:?}"
        );
        let unknown = with_file(dir, "BOTLOOM_SERVR = \"x\"", command, &[]);
        assert!(
            unknown.err.contains("did you mean BOTLOOM_SERVER?"),
            "{unknown:?}"
        );
        let no_url = with_file(dir, "BOTLOOM_SERVER = \"x\"", command, &[]);
        assert!(
            no_url.code == Some(1) && no_url.err.contains("must be a URL"),
            "{no_url:?}"
        );
        std::fs::remove_file(dir.join("botloom.toml")).unwrap();
    }
}

#[test]
fn variables_of_the_client_are_known_to_the_server() {
    for key in ["BOTLOOM_NEW_PASSWORD", "BOTLOOM_INVITATION"] {
        let ran = run(&["config"], &[(key, "canary-secret")], &std::env::temp_dir(), "");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.out.contains(&format!("{key} = \"***\"  # environment")),
            "{}",
            ran.out
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_in_words_of_the_command_line() {
    let desk = Desk::new().await;
    let (url, home) = (desk.server.url(""), desk.dir.path().display().to_string());
    let at = |args: &[&str], more: &[(&str, &str)]| {
        let here = [
            ("BOTLOOM_SERVER", url.as_str()),
            ("XDG_CONFIG_HOME", home.as_str()),
        ];
        let ran = run(args, &[&here, more].concat(), desk.dir.path(), "");
        assert_eq!(ran.code, Some(1), "{args:?}: {ran:?}");
        assert!(
            !ran.err.contains("POST /") && !ran.err.contains("PUT /"),
            "{}",
            ran.err
        );
        ran.err
    };
    let nobody = at(LIST, &[]);
    for way in ["botloom login", "BOTLOOM_TOKEN", "BOTLOOM_PASSWORD"] {
        assert!(nobody.contains(way), "{way} is missing in: {nobody}");
    }
    let token = at(LIST, &[("BOTLOOM_TOKEN", "blm_wrong")]);
    assert!(
        token.contains("BOTLOOM_TOKEN of the environment") && token.contains("botloom tokens create"),
        "{token}"
    );
    let file = desk.dir.path().join("token");
    std::fs::write(&file, "blm_wrong").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let token = at(LIST, &[("BOTLOOM_TOKEN_FILE", &file.display().to_string())]);
    assert!(token.contains("the token in /"), "{token}");
    let login = [("BOTLOOM_EMAIL", EMAIL), ("BOTLOOM_PASSWORD", PASSWORD)];
    desk.ends(&["bots", "create", "some-bot"], 0);
    let no_token = at(&["connect", "some-bot", "--connect", "polling"], &login);
    assert!(
        no_token.contains("botloom connect some-bot --bot-token"),
        "{no_token}"
    );
    let no_staging = at(&["promote", "some-bot"], &login);
    assert!(no_staging.contains("botloom bots stage some-bot"), "{no_staging}");
    let again = at(&["setup"], &login);
    assert!(again.contains("botloom login"), "{again}");
    let made = desk.ends(&["tokens", "create", "CI", "editor"], 0);
    let person = at(&["sessions", "list"], &[("BOTLOOM_TOKEN", made.trim())]);
    assert!(person.contains("needs a person"), "{person}");
}

/// The binary under test.
const BOTLOOM: &str = env!("CARGO_BIN_EXE_botloom");

/// A command at a terminal of its own.
struct AtTerminal {
    script: Child,
    /// Everything that the terminal showed.
    shown: String,
}

impl AtTerminal {
    fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::shell(&format!("{BOTLOOM} {}", args.join(" ")), env)
    }

    /// Runs a command of the shell.
    fn shell(command: &str, env: &[(&str, &str)]) -> Self {
        let script = without_settings(Command::new("script"))
            .args(["--quiet", "--return", "--command", command, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self {
            script: script.unwrap(),
            shown: String::new(),
        }
    }

    /// Waits for a question, and answers it.
    fn answers(&mut self, question: &str, text: &str) {
        self.types(question, &format!("{text}\n"));
    }

    /// Waits for a question, and types this.
    fn types(&mut self, question: &str, keys: &str) {
        let after = self.shown.len();
        let mut byte = [0];
        while !self.shown[after..].contains(question) {
            let read = self.script.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert_eq!(read, 1, "no {question:?} in: {}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
        self.script
            .stdin
            .as_mut()
            .unwrap()
            .write_all(keys.as_bytes())
            .unwrap();
    }

    /// Waits for the end; answers the exit code and all that was shown.
    fn ends(mut self) -> (Option<i32>, String) {
        let mut rest = Vec::new();
        self.script
            .stdout
            .as_mut()
            .unwrap()
            .read_to_end(&mut rest)
            .unwrap();
        self.shown.push_str(&String::from_utf8_lossy(&rest));
        (self.script.wait().unwrap().code(), self.shown)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_typed_is_not_shown() {
    let desk = Desk::new().await;
    let (url, home) = (desk.server.url(""), desk.dir.path().display().to_string());
    let env = [
        ("BOTLOOM_SERVER", url.as_str()),
        ("XDG_CONFIG_HOME", home.as_str()),
    ];
    let mut login = AtTerminal::start(&["login"], &env);
    login.answers("E-mail: ", EMAIL);
    login.answers("Password: ", PASSWORD);
    let (code, shown) = login.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains(EMAIL) && !shown.contains(PASSWORD), "{shown}");

    let new = "a password that is new";
    for (again, expected) in [("a password that is naw", 1), (new, 0)] {
        let mut change = AtTerminal::start(&["password"], &env);
        change.answers("Present password: ", PASSWORD);
        change.answers("New password: ", new);
        change.answers("Once more: ", again);
        let (code, shown) = change.ends();
        assert_eq!(code, Some(expected), "{shown}");
        assert!(
            !shown.contains(PASSWORD) && !shown.contains(new) && !shown.contains(again),
            "{shown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_at_a_password_sees_again_what_they_type() {
    // Nobody is asked: there is no server.
    let env = [("BOTLOOM_EMAIL", EMAIL)];
    let command = format!("trap : INT; {BOTLOOM} login; echo \"ended with $?\"; stty -a");
    let mut login = AtTerminal::shell(&command, &env);
    login.types("Password: ", "\u{3}");
    let (_, shown) = login.ends();
    assert!(shown.contains("ended with 130"), "{shown}");
    assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
}
