//! Updates posted by hand, where a story wants to say which, when, and how often.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::http::{Answer, Http};
use super::process::Server;
use super::world::{PATIENCE, World};

/// A bot's webhook, as Telegram knows it.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    http: Http,
    url: String,
    secret: String,
}

impl Webhook {
    /// The webhook of a bot that is connected, known by its slug and its number at Telegram.
    pub(crate) fn of(world: &World, slug: &str, bot: i64) -> Self {
        Self {
            http: Http::new(),
            url: world.door(&format!("/wh/{slug}")),
            secret: world.secret(bot),
        }
    }

    /// The same at one node.
    pub(crate) fn at(&self, server: &Server) -> Self {
        let path = &self.url[self.url.find("/wh/").expect("a webhook")..];
        Self {
            url: server.url(path),
            ..self.clone()
        }
    }

    /// Posts a text of a chat as the update with this id.
    pub(crate) async fn post(&self, update: i64, chat: i64, text: &str) -> Result<Answer, String> {
        let update = json!({
            "update_id": update,
            "message": {
                "message_id": update, "date": 1_795_200_000,
                "from": {"id": chat, "is_bot": false, "first_name": "Ada"},
                "chat": {"id": chat, "type": "private", "first_name": "Ada"},
                "text": text,
            },
        });
        self.post_body(update.to_string()).await
    }

    /// The same until it is taken, as Telegram does: the door refuses now and then where the machine stalls.
    pub(crate) async fn taken(&self, update: i64, chat: i64, text: &str) {
        let taken = tokio::time::timeout(PATIENCE, async {
            loop {
                let status = self.post(update, chat, text).await.unwrap().status.as_u16();
                if !matches!(status, 429 | 503) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert_eq!(taken.await.unwrap(), 200);
    }

    /// Posts anything.
    pub(crate) async fn post_body(&self, body: impl Into<Bytes>) -> Result<Answer, String> {
        let headers = [
            ("content-type", "application/json"),
            ("x-telegram-bot-api-secret-token", self.secret.as_str()),
        ];
        self.http.send("POST", &self.url, &headers, body).await
    }
}
