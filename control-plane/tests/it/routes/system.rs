use std::sync::atomic::Ordering;

use crate::support::Server;

#[tokio::test]
async fn machines_learn_whether_the_node_lives_and_works() {
    let server = Server::start().await;
    let client = server.nobody();
    assert_eq!(client.get("/healthz").await.expect(200).json()["status"], "ok");
    let ready = client.get("/readyz").await.expect(200).json();
    assert_eq!(ready["dependencies"][1]["name"], "lanes");
    server.rest.lanes_away.store(1, Ordering::SeqCst);
    assert_eq!(ready["dependencies"][0]["message"], "is new");
    let away = client.get("/readyz").await;
    away.refused(503, "not-ready");
    assert_eq!(away.json()["errors"][0]["name"], "lanes");
    assert_eq!(away.json()["errors"][0]["message"], "does not answer");
    client.get("/healthz").await.expect(200);
    assert_eq!(client.get("/metrics").await.expect(200).text(), "botloom_up 1\n");
}
