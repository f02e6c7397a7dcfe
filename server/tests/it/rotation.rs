//! A new master key: while nodes run, and in a data folder.

use crate::support::load::{Load, Plan};
use crate::support::process::run;
use crate::support::services::Services;
use crate::support::specs;
use crate::support::stories::Storage;
use crate::support::world::World;

const NEW_KEY: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

/// Restarts all nodes, one after the other, with other settings for this life of them.
async fn restart(world: &mut World, settings: &[(&str, &str)]) {
    for number in 0..=world.others.len() {
        let node = world.node(number);
        node.signal("TERM");
        assert_eq!(node.ended().await, Some(0));
        node.spawn(settings);
        node.ready().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_key_is_replaced_under_load() {
    let services = Services::new().await;
    let old_key = services.get("BOTLOOM_MASTER_KEY").to_owned();
    let shared = services.settings.clone();
    let mut world = World::alike(services, 2).await;
    let bot = world
        .bot(&specs::chain("rotated", ""), 7_100_000_260, "webhook")
        .await;
    let plan = Plan {
        chats: 50,
        updates: None,
        connections: 10,
    };
    let load = Load::start(&world, "rotated", bot, plan);
    let both = [
        ("BOTLOOM_MASTER_KEY", NEW_KEY),
        ("BOTLOOM_MASTER_KEY_SECOND", old_key.as_str()),
    ];
    let settings: Vec<(&str, &str)> = shared
        .iter()
        .map(|(key, text)| (key.as_str(), text.as_str()))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let rotate = |keys: &[(&str, &str)]| {
        run(
            &["rotate-master-key"],
            &[&settings, keys].concat(),
            folder.path(),
            "",
        )
    };
    load.more(200).await;
    let alone = rotate(&[]);
    assert!(
        alone.code != Some(0) && alone.err.contains("BOTLOOM_MASTER_KEY_SECOND is not set"),
        "{alone:?}"
    );
    let learn = [
        ("BOTLOOM_MASTER_KEY", old_key.as_str()),
        ("BOTLOOM_MASTER_KEY_SECOND", NEW_KEY),
    ];
    restart(&mut world, &learn).await;
    restart(&mut world, &both).await;
    load.more(200).await;
    let done = rotate(&both);
    assert!(
        done.out
            .contains("2 secret(s) are under the current master key, 2 of them newly"),
        "{done:?}"
    );
    load.more(200).await;
    restart(&mut world, &[("BOTLOOM_MASTER_KEY", NEW_KEY)]).await;
    load.more(200).await;
    load.stop();
    let doubled = load.posted().await.answered(&world).await;
    assert!(doubled.is_empty(), "{doubled:?}");
    let again = rotate(&both);
    assert!(
        again.out.contains("2 secret(s)") && again.out.contains(" 0 of them newly"),
        "{again:?}"
    );
    let stranger = rotate(&[
        ("BOTLOOM_MASTER_KEY", &old_key),
        ("BOTLOOM_MASTER_KEY_SECOND", &old_key),
    ]);
    assert!(
        stranger
            .err
            .contains("these bots open with neither master key: rotated"),
        "{stranger:?}"
    );
}

#[tokio::test]
async fn a_master_key_in_the_data_folder_is_replaced() {
    let mut world = World::start(Storage::Embedded, &[]).await;
    let bot = world
        .bot(&specs::chain("folder-key", ""), 7_100_000_261, "webhook")
        .await;
    let person = world.person("Ada", "en");
    assert_eq!(world.ask(bot, person, "/n 1", 1).await, ["->1"]);
    let data = world.server.data();
    let key = || std::fs::read_to_string(data.join("master.key")).unwrap();
    let previous = data.join("master.key.previous");
    let folder = data.display().to_string();
    let rotate = || {
        run(
            &["rotate-master-key"],
            &[("BOTLOOM_DATA_DIR", &folder)],
            &data,
            "",
        )
    };

    let before = key();
    let busy = rotate();
    assert!(
        busy.code != Some(0) && busy.err.contains("in use by another process"),
        "{busy:?}"
    );
    assert_eq!(key(), before);

    world.stop().await;
    let done = rotate();
    assert!(done.out.contains("2 of them newly"), "{done:?}");
    assert_ne!(key(), before);
    assert!(!previous.exists());
    world.server.spawn(&[]);
    world.server.ready().await;
    assert_eq!(world.ask(bot, person, "/n 2", 1).await, ["1->2"]);

    // It dies when the new key is in its place and nothing is sealed under it yet.
    world.stop().await;
    std::fs::write(&previous, key()).unwrap();
    std::fs::write(data.join("master.key"), NEW_KEY).unwrap();
    world.server.spawn(&[]);
    world.server.ready().await;
    assert_eq!(world.ask(bot, person, "/n 3", 1).await, ["2->3"]);
    world.stop().await;
    let done = rotate();
    assert!(done.out.contains("2 of them newly"), "{done:?}");
    assert_eq!(key(), NEW_KEY, "it is brought to its end, not begun again");
    assert!(!previous.exists());
    world.server.spawn(&[]);
    world.server.ready().await;
    assert_eq!(world.ask(bot, person, "/n 4", 1).await, ["3->4"]);
}
