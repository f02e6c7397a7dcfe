//! The command line as people use it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::process::{Ran, Server, run};
use crate::support::world::FAST;
use botloom_telegram::simulator::{Options, Simulator};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/examples")
}

fn botloom(args: &[&str]) -> Ran {
    run(args, FAST, &std::env::temp_dir(), "")
}

fn example(bot: &str, file: &str) -> String {
    examples().join(bot).join(file).display().to_string()
}

#[test]
fn help_is_what_it_was() {
    insta::assert_snapshot!("help", botloom(&["--help"]).out);
    for command in [
        "serve",
        "move",
        "rotate-master-key",
        "spread",
        "simulate",
        "pull",
        "diff",
        "apply",
        "deploy",
        "rollback",
        "versions",
        "deployments",
        "revisions",
        "events",
        "connect",
        "disconnect",
        "new-bot",
        "audit",
        "chats",
        "dead-letters",
        "analytics",
        "bots",
        "promote",
        "projects",
        "sessions",
        "password",
        "members",
        "sandbox-run",
        "simulator",
        "tokens",
        "webhooks",
    ] {
        insta::assert_snapshot!(format!("help-{command}"), botloom(&[command, "--help"]).out);
    }
}

#[test]
fn every_example_is_valid_and_talks_as_its_script_says() {
    let mut bots = 0;
    for entry in std::fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        if !path.join("spec.json").exists() {
            continue;
        }
        bots += 1;
        let bot = path.file_name().unwrap().to_string_lossy().into_owned();
        let valid = botloom(&["validate", &example(&bot, "spec.json")]);
        assert_eq!(valid.code, Some(0), "{valid:?}");
        let told = botloom(&[
            "simulate",
            &example(&bot, "spec.json"),
            &example(&bot, "chat.json"),
        ]);
        assert_eq!(told.code, Some(0), "{bot}: {}{}", told.out, told.err);
    }
    assert!(bots >= 5, "{bots} examples");
}

#[test]
fn a_script_that_the_bot_does_not_keep_to_fails_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("chat.json");
    std::fs::write(
        &script,
        r#"{"bot": "pizza-demo", "script": [{"send": "/start"}, {"expect": [{"text": "Good evening"}]}]}"#,
    )
    .unwrap();
    let told = botloom(&[
        "simulate",
        &example("pizza-demo", "spec.json"),
        &script.display().to_string(),
    ]);
    assert_eq!(told.code, Some(1));
    let all = format!("{}{}", told.out, told.err);
    assert!(
        all.contains("Good evening") && all.contains("Hello, Ada!"),
        "{all}"
    );
}

#[test]
fn a_typed_conversation_needs_no_telegram() {
    let spec = example("pizza-demo", "spec.json");
    let input = "/start\n🍕 Order\n:user 7 Иван ru\n/start\n/quit\n";
    let told = run(&["simulate", &spec], FAST, &std::env::temp_dir(), input);
    assert_eq!(told.code, Some(0), "{told:?}");
    for text in ["Hello, Ada!", "Which size, 30 or 40 cm?", "Здравствуйте, Иван!"] {
        assert!(told.out.contains(text), "{text} is missing in:\n{}", told.out);
    }
}

#[test]
fn findings_come_with_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bot.json");
    let mut spec: Value =
        serde_json::from_str(&std::fs::read_to_string(example("pizza-demo", "spec.json")).unwrap()).unwrap();
    spec["commands"][0]["flow"] = json!("nowhere");
    spec["meta"]["defaultLocale"] = json!("de");
    std::fs::write(&file, spec.to_string()).unwrap();
    let file = file.display().to_string();
    let ran = botloom(&["validate", &file]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out.contains("/commands/0/flow") && ran.out.contains("/meta/defaultLocale"),
        "{}",
        ran.out
    );
    let ran = botloom(&["validate", "--json", &file]);
    let findings: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(findings.as_array().unwrap().len() >= 2);
    assert_eq!(
        botloom(&["compile", &file]).code,
        Some(1),
        "a spec with errors is not compiled"
    );
}

#[test]
fn why_was_a_bot_stopped() {
    let sandbox = |body: &str| {
        let ran = run(&["sandbox-run", "--body", "-"], FAST, &std::env::temp_dir(), body);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        serde_json::from_str::<Value>(&ran.out).unwrap()
    };
    let fine = sandbox("return {state: {n: 1}, actions: [], telemetry: []};");
    assert_eq!(
        (&fine["outcome"], &fine["result"]["state"]["n"]),
        (&json!("ok"), &json!(1)),
        "{fine}"
    );
    assert!(fine["wallMs"].is_number());
    assert_eq!(sandbox("for (;;) {}")["outcome"], "cpu_limit");
    assert_eq!(
        sandbox("Array.prototype.reverse.call({length: 2 ** 53 - 1})")["outcome"],
        "cpu_limit"
    );
    assert_eq!(sandbox("throw new Error('no pizza')")["outcome"], "script_error");
    assert_eq!(sandbox("return 7")["outcome"], "bad_result");

    let dir = tempfile::tempdir().unwrap();
    let module = dir.path().join("bot.js");
    let compiled = botloom(&[
        "compile",
        &example("pizza-demo", "spec.json"),
        "--out",
        &module.display().to_string(),
    ]);
    assert_eq!(compiled.code, Some(0), "{compiled:?}");
    let ran = botloom(&["sandbox-run", &module.display().to_string()]);
    let result: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(result["outcome"], "ok", "{result}");
    assert_eq!(result["result"]["actions"][0]["method"], "sendMessage");
}

#[test]
fn documents_for_other_tools() {
    let schema: Value = serde_json::from_str(&botloom(&["schema"]).out).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let api: Value = serde_json::from_str(&botloom(&["openapi"]).out).unwrap();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(botloom(&["completions", "bash"]).out.contains("botloom"));
    let secret = ("BOTLOOM_OWNER_PASSWORD", "canary-password");
    let ran = run(
        &["config"],
        &[("BOTLOOM_OWNER_EMAIL", "a@b.example"), secret],
        &std::env::temp_dir(),
        "",
    );
    assert!(
        ran.out.contains("BOTLOOM_LISTEN = \"127.0.0.1:8080\"  # default"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("***") && !ran.out.contains("canary"),
        "{}",
        ran.out
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_commands_to_the_first_reply() {
    let telegram = Simulator::start(Options {
        accept_unknown: true,
        ..Options::default()
    })
    .await
    .unwrap();
    let root = telegram.url().to_string();
    let mut settings = vec![("BOTLOOM_TELEGRAM_API_ROOT", root.as_str())];
    settings.extend_from_slice(FAST);
    let server = Server::start(&settings).await;
    let url = server.url("");
    let env = [
        ("BOTLOOM_SERVER", url.as_str()),
        ("BOTLOOM_EMAIL", EMAIL),
        ("BOTLOOM_PASSWORD", PASSWORD),
    ];
    let dir = std::env::temp_dir();
    assert!(
        server.log_text().contains("botloom setup"),
        "the way is shown:\n{}",
        server.log_text()
    );

    let set_up = run(&["setup"], &env, &dir, "");
    assert_eq!(set_up.code, Some(0), "{set_up:?}");
    let spec = example("pizza-demo", "spec.json");
    let token = "7100000070:AA-story-token";
    let apply = [
        "apply",
        &spec,
        "--deploy",
        "--wait",
        "--bot-token",
        token,
        "--connect",
        "polling",
    ];
    let applied = run(&apply, &env, &dir, "");
    assert_eq!(applied.code, Some(0), "{applied:?}");
    for stage in [
        "preflight",
        "health",
        "flip",
        "live, epoch 1",
        "connected by polling",
    ] {
        assert!(
            applied.out.contains(stage),
            "{stage} is missing in:\n{}",
            applied.out
        );
    }
    let bot = telegram.bot(&botloom_telegram::Token::new(token).unwrap());
    let ada = telegram.person("Ada").id;
    let after = telegram.position();
    telegram.say(bot, ada, "/start").unwrap();
    let seen = telegram
        .wait_messages(bot, ada, after, 1, crate::support::world::PATIENCE)
        .await
        .unwrap();
    assert_eq!(
        crate::support::world::text_of(&seen[0]),
        "Hello, Ada! What would you like?"
    );

    // The same again changes nothing and says so.
    let again = run(&["apply", &spec, "--deploy", "--wait"], &env, &dir, "");
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.out.contains("version 1 (unchanged)"), "{}", again.out);
    let wrong = run(
        &["apply", &spec],
        &[env[0], env[1], ("BOTLOOM_PASSWORD", "wrong password")],
        &dir,
        "",
    );
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("401"), "{}", wrong.err);
}
