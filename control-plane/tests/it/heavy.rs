//! Work that keeps a core busy is not done by the threads that serve everybody.

use std::sync::mpsc;

use http::Method;
use serde_json::json;
use tokio::runtime::Builder;

use crate::support::{Client, EMAIL, PASSWORD, Server, spec};

/// Logging in, changing a password, judging, storing, comparing and trying out specs: all wait for a thread apart from those
/// that serve requests. The only one is taken here, so a request that is answered meanwhile did its work in the wrong place.
#[test]
fn heavy_work_waits_for_a_thread_of_its_own_and_reads_do_not() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = Server::start().await;
        let owner = server.owner().await;
        owner
            .post("/bots", &json!({ "botId": "shop", "name": "Shop" }))
            .await
            .expect(201);
        for text in ["One", "Two"] {
            owner.post("/spec", &spec("shop", text)).await.expect(201);
        }

        let (release, held) = mpsc::channel::<()>();
        let (begun, taken) = tokio::sync::oneshot::channel();
        let thread = tokio::task::spawn_blocking(move || {
            begun.send(()).unwrap();
            held.recv().unwrap();
        });
        taken.await.unwrap();

        let nobody = server.nobody();
        let credentials = json!({ "email": EMAIL, "password": PASSWORD });
        let change = json!({ "oldPassword": PASSWORD, "newPassword": "another correct horse" });
        let talk = json!({ "spec": spec("shop", "Four"), "script": [{ "send": "/start" }] });
        let heavy = [
            (&nobody, "/auth/login", credentials),
            (&owner, "/spec/validate", spec("shop", "Three")),
            (&owner, "/spec", spec("shop", "Three")),
            (&owner, "/simulate", talk),
            (&owner, "/auth/password", change),
        ];
        let asked = heavy.map(|(caller, path, body)| {
            let caller = caller.clone();
            let ask = async move { (path, caller.post(path, &body).await.status.as_u16()) };
            tokio::spawn(ask)
        });
        let compare = tokio::spawn(get(owner.clone(), "/spec/diff?botId=shop&from=1&to=2"));

        for _ in 0..10 {
            for path in [
                "/auth/me",
                "/bots",
                "/bots/shop",
                "/spec/latest?botId=shop",
                "/projects",
            ] {
                assert_eq!(get(owner.clone(), path).await, 200, "{path}");
            }
        }
        for request in &asked {
            assert!(
                !request.is_finished(),
                "heavy work was done by a thread that serves"
            );
        }
        assert!(
            !compare.is_finished(),
            "a comparison was done by a thread that serves"
        );

        release.send(()).unwrap();
        thread.await.unwrap();
        for request in asked {
            let (path, status) = request.await.unwrap();
            // Nothing here runs bots, so a conversation ends after the spec was judged.
            let wanted = if path == "/simulate" { 503..504 } else { 200..300 };
            assert!(wanted.contains(&status), "{path}: {status}");
        }
        assert_eq!(compare.await.unwrap(), 200);
    });
}

async fn get(caller: Client, path: &'static str) -> u16 {
    let answer = caller.send(Method::GET, path, &[], "").await;
    answer.status.as_u16()
}
