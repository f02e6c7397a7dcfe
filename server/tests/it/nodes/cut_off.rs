//! A node that cannot reach Redis any more: it holds a deployment up for at most five seconds and runs nothing old.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http::Http;
use crate::support::proxy::{Mode, Proxy};
use crate::support::services::Services;
use crate::support::specs;
use crate::support::webhook::Webhook;
use crate::support::world::World;

const BOT: &str = "cut-bot";
/// What the cut may cost a deployment, and the deployment itself on a busy machine.
const LONGEST: Duration = Duration::from_secs(5 + 2);
const CUTS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_holds_no_deployment_up() {
    let services = Services::new().await;
    let (proxy, redis) = Proxy::before(services.get("REDIS_URL")).await;
    let world = World::of(services, &[&[], &[("REDIS_URL", &redis)]]).await;
    let bot = world
        .bot(&specs::chain(BOT, "A "), 7_100_000_180, "webhook")
        .await;
    let revisions = [
        world.api.build(&specs::chain(BOT, "B ")).await,
        world.api.build(&specs::chain(BOT, "A ")).await,
    ];
    let (http, cut) = (Http::new(), &world.others[0]);
    let webhook = Webhook::of(&world, BOT, bot).at(cut);
    let mut times = Vec::new();
    for round in 0..CUTS {
        // In turns: with connections that hang, and with none.
        proxy.set([Mode::Stall, Mode::Refuse][round % 2]);
        let asked = Instant::now();
        let done = world.api.deploy(BOT, &revisions[round % 2]).await;
        times.push(asked.elapsed());
        assert_eq!(done["status"], "succeeded", "{done}\n{}", world.logs());
        assert_eq!(done["epoch"], json!(round + 2));

        // The node that is cut off takes nothing in; the other one runs the new revision.
        let update = 900_000 + i64::try_from(round).unwrap();
        let answer = webhook.post(update, 77, "/start").await.unwrap();
        assert_eq!(answer.status, 503, "{answer:?}");
        let mark = ["B", "A"][round % 2];
        let person = world.person("Ada", "en");
        assert_eq!(
            world.ask(bot, person, "/start", 1).await,
            [format!("{mark} hello")]
        );

        // It comes back by itself, and knows.
        proxy.set(Mode::Pass);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let ready = http.send("GET", &cut.url("/readyz"), &[], "").await.unwrap();
            if ready.status == 200 {
                break;
            }
            assert!(Instant::now() < deadline, "{ready:?}\n{}", cut.log_text());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(
            world.ask(bot, person, "/start", 1).await,
            [format!("{mark} hello")]
        );
    }
    times.sort_unstable();
    eprintln!("deployments with a node cut off took {times:?}");
    assert!(times[CUTS - 1] <= LONGEST, "{times:?}");
}
