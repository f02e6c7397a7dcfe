//! Whether Telegram delivers, as an operator sees it.

use std::time::{Duration, Instant};

use botloom_telegram::simulator::{FloodModel, Options, Simulator};
use botloom_telegram::{Client, Options as ClientOptions, SetWebhook, Token};

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::process::{Server, run};
use crate::support::world::FAST;

const TOKEN: &str = "7100000071:AA-story-token";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_was_connected_elsewhere_is_told_within_a_minute_and_comes_back_by_one_command() {
    let telegram = Simulator::start(Options {
        flood: FloodModel::off(),
        ..Options::default()
    })
    .await
    .unwrap();
    let root = telegram.url().to_string();
    let mut settings = vec![
        ("BOTLOOM_TELEGRAM_API_ROOT", root.as_str()),
        ("BOTLOOM_PUBLIC_URL", "http://bots.example:8080"),
    ];
    settings.extend_from_slice(FAST);
    let server = Server::start(&settings).await;
    let url = server.url("");
    let env = [
        ("BOTLOOM_SERVER", url.as_str()),
        ("BOTLOOM_EMAIL", EMAIL),
        ("BOTLOOM_PASSWORD", PASSWORD),
    ];
    let prints = |args: &[&str]| {
        let ran = run(args, &env, &std::env::temp_dir(), "");
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.out
    };
    let until = async |args: &[&str], wanted: &str| {
        let begun = Instant::now();
        loop {
            let printed = prints(args);
            if printed.contains(wanted) {
                return printed;
            }
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "{args:?} never printed {wanted}: {printed}"
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    prints(&["setup"]);
    let spec = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../spec/examples/pizza-demo/spec.json"
    );
    prints(&["apply", spec, "--bot-token", TOKEN, "--connect", "webhook"]);
    let show = ["webhooks", "show", "pizza-demo"];
    until(&show, "pizza-demo (webhook) is healthy").await;

    let client = Client::new(ClientOptions {
        api_root: telegram.url(),
        ..ClientOptions::default()
    })
    .unwrap();
    let elsewhere = SetWebhook {
        url: "http://elsewhere.example/hook",
        ..SetWebhook::default()
    };
    let token = Token::new(TOKEN).unwrap();
    client.set_webhook(&token, &elsewhere).await.unwrap();
    let drifted = ["webhooks", "list", "--status", "drifted"];
    let listed = until(&drifted, "pizza-demo").await;
    assert!(listed.contains("webhook-foreign"), "{listed}");
    prints(&["projects", "create", "other"]);
    for (project, its) in [("default", true), ("other", false)] {
        let listed = prints(&["webhooks", "list", "--project", project]);
        assert_eq!(listed.contains("pizza-demo"), its, "{listed}");
    }
    let shown = prints(&show);
    assert!(
        shown.contains("elsewhere.example") && shown.contains("reclaim it"),
        "{shown}"
    );
    for command in [
        "botloom webhooks reclaim pizza-demo",
        "botloom disconnect pizza-demo",
    ] {
        assert!(shown.contains(command), "{command}: {shown}");
    }
    prints(&["webhooks", "reclaim", "pizza-demo"]);
    until(&show, "pizza-demo (webhook) is healthy").await;
    let info = client.get_webhook_info(&token).await.unwrap();
    assert_eq!(info.url, "http://bots.example:8080/wh/pizza-demo");
    let progress = prints(&["webhooks", "progress"]);
    assert!(
        progress.contains("1 healthy") && progress.contains("0 left"),
        "{progress}"
    );

    assert_eq!(
        prints(&["disconnect", "pizza-demo"]),
        "pizza-demo takes no updates any more\n"
    );
    assert_eq!(prints(&show), "pizza-demo is not connected\n");
    let info = client.get_webhook_info(&token).await.unwrap();
    assert_eq!(info.url, "");
}
