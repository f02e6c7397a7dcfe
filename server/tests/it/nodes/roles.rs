//! Who may share an installation, and roles that are spread over processes.

use crate::support::process::{Server, free_port};
use crate::support::services::Services;
use crate::support::specs;
use crate::support::stories::Storage;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_that_would_share_only_a_part_is_refused_by_name() {
    let mut world = World::start(Storage::Services, &[]).await;
    let services = world.services.as_ref().unwrap();
    for missing in ["DATABASE_URL", "REDIS_URL", "S3_BUCKET", "CLICKHOUSE_URL"] {
        let settings = services.settings.iter().filter(|(key, _)| key != missing);
        let settings: Vec<_> = settings
            .map(|(key, text)| (key.as_str(), text.as_str()))
            .collect();
        let mut half = Server::new(free_port(), &settings);
        half.spawn(&[]);
        assert_ne!(half.ended().await, Some(0), "{missing}");
        let said = half.log_text();
        assert!(said.contains(missing), "{missing}: {said}");
    }
    // Those that are there go on.
    world.all_again().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_on_four_processes_work_together() {
    let role = |name: &'static str| [("BOTLOOM_ROLES", name)];
    let roles = ["control-plane", "generator", "deployer", "runtime"].map(role);
    let nodes: Vec<&[(&str, &str)]> = roles.iter().map(<[_; 1]>::as_slice).collect();
    let world = World::of(Services::new().await, &nodes).await;
    let bot = world
        .bot(&specs::chain("roles-bot", "A "), 7_100_000_190, "webhook")
        .await;
    let person = world.person("Ada", "en");
    assert_eq!(world.ask(bot, person, "/n 1", 1).await, ["A ->1"]);
    world.api.go_live(&specs::chain("roles-bot", "B ")).await;
    assert_eq!(world.ask(bot, person, "/n 2", 1).await, ["B 1->2"]);
    // Nobody does what is not its role.
    let api_at_the_runtime = world.api.at(&world.others[2]).get("/bots").await;
    assert_eq!(api_at_the_runtime.status, 404, "{api_at_the_runtime:?}");
}
