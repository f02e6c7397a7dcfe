use crate::support::Server;

#[tokio::test]
async fn everybody_sees_their_own_projects() {
    let server = Server::start().await;
    let owner = server.owner().await.get("/projects").await.expect(200).json();
    assert_eq!(owner["items"][0]["name"], "default");
    assert_eq!(owner["items"][0]["role"], "owner");
    assert_eq!(owner["items"].as_array().unwrap().len(), 1);
    let viewer = server
        .member("viewer")
        .await
        .get("/projects")
        .await
        .expect(200)
        .json();
    assert_eq!(viewer["items"][0]["role"], "viewer");
    let stranger = server.stranger().await.get("/projects").await.expect(200).json();
    assert_eq!(stranger["items"].as_array().unwrap().len(), 0);
}
