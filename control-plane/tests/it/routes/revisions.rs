use crate::support::{Server, revision};

#[tokio::test]
async fn revisions_are_listed_and_their_files_read() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let rev = revision(&server.ports, "a-bot", "1").await;
    let list = owner.get("/revisions?botId=a-bot").await.expect(200).json();
    assert_eq!(list["items"][0]["revHash"], rev.to_string());
    assert_eq!(list["items"][0]["specVersion"], 1);

    let passport = owner.get(&format!("/revisions/{rev}")).await.expect(200);
    assert_eq!(passport.header("etag"), format!("\"rev-{rev}\""));
    assert_eq!(passport.json()["botId"], "a-bot");
    let tag = passport.header("etag").to_owned();
    owner
        .get_with(&format!("/revisions/{rev}"), &[("if-none-match", &tag)])
        .await
        .expect(304);

    let program = owner
        .get(&format!("/revisions/{rev}/artifacts/bot.js"))
        .await
        .expect(200);
    assert_eq!(program.text(), "// 1\nexport function handle() {}\n");
    assert_eq!(program.header("content-type"), "text/plain; charset=utf-8");
    assert!(program.header("content-disposition").starts_with("attachment"));
    owner
        .get(&format!("/revisions/{rev}/artifacts/rev.json"))
        .await
        .expect(200);
}

#[tokio::test]
async fn what_is_not_a_revision_is_not_found() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let rev = revision(&server.ports, "a-bot", "1").await;
    let unknown = "0".repeat(64);
    for path in [
        format!("/revisions/{unknown}"),
        "/revisions/short".to_owned(),
        format!("/revisions/{}", rev.to_string().to_uppercase()),
        format!("/revisions/{rev}/artifacts/passwd"),
        format!("/revisions/{rev}/artifacts/..%2f..%2fcontrol.db"),
    ] {
        owner.get(&path).await.refused(404, "not-found");
    }
    let stranger = server.stranger().await;
    stranger
        .get(&format!("/revisions/{rev}"))
        .await
        .refused(404, "not-found");
    stranger
        .get("/revisions?botId=a-bot")
        .await
        .refused(404, "not-found");
}
