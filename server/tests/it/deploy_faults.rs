//! Killed at every point of a deployment: whoever goes on with it, the same node after its next start or another one, it
//! converges, to one revision or the other, never between.

use botloom_deployer::FAULT_POINTS;
use serde_json::json;

use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::World;

stories!(a_deployment_survives_a_kill_at_every_point);

async fn a_deployment_survives_a_kill_at_every_point(storage: Storage) {
    let mut world = World::start(storage, &[]).await;
    let bot = world
        .bot(&specs::chain("fault-bot", "A "), 7_100_000_050, "webhook")
        .await;
    let revisions = [
        world.api.build(&specs::chain("fault-bot", "B ")).await,
        world.api.build(&specs::chain("fault-bot", "A ")).await,
    ];
    for (at, point) in FAULT_POINTS.iter().enumerate() {
        world.only_first(&[("BOTLOOM_FAULT", point)]).await;
        let task = world.api.start_deploy("fault-bot", &revisions[at % 2]).await;
        assert_eq!(world.server.ended().await, None, "{point} was not reached");

        let done = world
            .taken_over()
            .await
            .ended(&format!("/deployments/{task}"))
            .await;
        world.all_again().await;
        assert_eq!(done["status"], "succeeded", "{point}: {done}");
        assert_eq!(done["epoch"], json!(at + 2), "{point}");
        let person = world.person("Ada", "en");
        let mark = if at % 2 == 0 { "B" } else { "A" };
        assert_eq!(
            world.ask(bot, person, "/start", 1).await,
            [format!("{mark} hello")],
            "{point}"
        );
        let row = world.api.get("/bots/fault-bot").await.json();
        assert_eq!(row["activeRevHash"], json!(revisions[at % 2]), "{point}");
    }
}
