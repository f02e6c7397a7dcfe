use crate::support::Server;

#[tokio::test]
async fn people_find_out_how_to_begin() {
    let server = Server::start().await;
    let client = server.nobody();
    let first = client.get("/").await.expect(200);
    assert!(first.header("content-type").starts_with("text/html"));
    assert!(
        first
            .header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert!(first.text().contains(&format!("{}/auth/setup", server.base)));
    server.owner().await;
    let later = client.get("/").await.expect(200).text();
    assert!(later.contains("/auth/login") && !later.contains("/auth/setup"));
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere() {
    let server = Server::start().await;
    let client = server.nobody();
    for path in ["/", "/docs", "/problems/invalid-spec"] {
        let page = client.get(path).await.expect(200).text();
        for (at, _) in page.match_indices("src=\"").chain(page.match_indices("<link")) {
            let around = &page[at..(at + 80).min(page.len())];
            assert!(around.contains("\"/assets/"), "{path} loads {around}");
        }
        assert!(!page.contains("<script"), "{path}");
    }
    let style = client.get("/assets/page.css").await.expect(200);
    assert!(style.header("content-type").starts_with("text/css"));
}

#[tokio::test]
async fn the_api_page_tells_of_every_route() {
    let server = Server::start().await;
    let client = server.nobody();
    let page = client.get("/docs").await.expect(200).text();
    let document = client.get("/openapi.json").await.expect(200).json();
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("<code>{path}</code>")),
            "{path} is missing"
        );
    }
}

#[tokio::test]
async fn every_problem_leads_to_its_page() {
    let server = Server::start().await;
    let client = server.nobody();
    let kind = client.get("/bots").await.json()["type"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = client.get(&kind).await.expect(200).text();
    assert!(page.contains("<h1>unauthenticated</h1>"), "{page}");
    client
        .get("/problems/no-such-problem")
        .await
        .refused(404, "not-found");
    client
        .get("/problems/..%2f..%2fREADME")
        .await
        .refused(404, "not-found");
}
