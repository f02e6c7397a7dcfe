//! Bots that people make for a bot that manages them.

use botloom_telegram::simulator::{Renamed, SimError};
use botloom_telegram::{GetUpdates, Token};
use serde_json::{Value, json};

use crate::{BOT, Scene, refusal};

const LINK: &str = "https://t.me/newbot/bot7100000001_bot/my_own_bot?name=My+own";

fn made(scene: &Scene, link: &str, renamed: Renamed) -> Result<i64, SimError> {
    scene.sim.make_managed(scene.ann.id, link, renamed)
}

#[tokio::test]
async fn a_manager_is_told_of_the_bot_and_gets_its_token() {
    let s = Scene::new().await;
    assert!(!s.client.get_me(&s.token).await.unwrap().can_manage_bots);
    assert!(made(&s, LINK, Renamed::default()).is_err(), "it manages nothing");
    s.sim.set_manages(BOT, true).unwrap();
    assert!(s.client.get_me(&s.token).await.unwrap().can_manage_bots);
    let bot = made(&s, LINK, Renamed::default()).unwrap();
    let poll = GetUpdates {
        allowed_updates: Some(&["managed_bot"]),
        ..GetUpdates::default()
    };
    let updates = s.client.get_updates(&s.token, poll).await.unwrap();
    let told: Vec<Value> = updates
        .iter()
        .map(|update| serde_json::from_str::<Value>(update.get()).unwrap()["managed_bot"].clone())
        .filter(|update| !update.is_null())
        .collect();
    let [told] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(told["user"]["id"], s.ann.id);
    assert_eq!(
        (&told["bot"]["id"], &told["bot"]["username"]),
        (&json!(bot), &json!("my_own_bot"))
    );

    let first = s.client.get_managed_bot_token(&s.token, bot).await.unwrap();
    let first = Token::new(first).unwrap();
    assert_eq!(s.client.get_me(&first).await.unwrap().first_name, "My own");
    let second = s.client.replace_managed_bot_token(&s.token, bot).await.unwrap();
    assert_eq!(
        s.client.get_managed_bot_token(&s.token, bot).await.unwrap(),
        second
    );
    assert_eq!(refusal(s.client.get_me(&first).await).0, 401);
    assert!(s.client.get_me(&Token::new(second).unwrap()).await.is_ok());

    let stranger = Token::new("7100000002:AA-second-token_test").unwrap();
    s.sim.bot(&stranger);
    let outcome = s.client.get_managed_bot_token(&stranger, bot).await;
    assert_eq!(refusal(outcome).0, 400);
}

#[tokio::test]
async fn names_are_as_the_person_wants_them() {
    let s = Scene::new().await;
    s.sim.set_manages(BOT, true).unwrap();
    let renamed = |username: &str| Renamed {
        username: Some(username.into()),
        name: Some("Another".into()),
    };
    for bad in ["own", "my own bot", "bot7100000001_bot", "1_bot", "own_bat"] {
        assert!(made(&s, LINK, renamed(bad)).is_err(), "{bad}");
    }
    let bot = made(&s, LINK, renamed("another_bot")).unwrap();
    assert_eq!(s.sim.bot_state(bot).unwrap().username, "another_bot");
    for bad in [
        "https://t.me/newbot/no_such_bot/a_new_bot",
        "https://t.me/my_own_bot",
        "https://example.org/newbot/bot7100000001_bot/a_new_bot",
    ] {
        assert!(made(&s, bad, Renamed::default()).is_err(), "{bad}");
    }
}
