//! Updates posted by hand, where a story wants to say which, when, and how often.

use bytes::Bytes;
use serde_json::json;

use super::http::{Answer, Http};
use super::process::Server;
use super::world::World;

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

    /// Posts anything.
    pub(crate) async fn post_body(&self, body: impl Into<Bytes>) -> Result<Answer, String> {
        let headers = [
            ("content-type", "application/json"),
            ("x-telegram-bot-api-secret-token", self.secret.as_str()),
        ];
        self.http.send("POST", &self.url, &headers, body).await
    }
}
