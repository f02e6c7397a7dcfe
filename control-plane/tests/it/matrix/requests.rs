//! One request per route that is right for whoever may make it, with everything that it refers to in place. Each is made
//! of things of its own: the caller before may have changed or deleted the last ones.

use std::sync::atomic::{AtomicU32, Ordering};

use botloom_core::model::{IngressMode, ManagedBot, TelegramAccount};
use botloom_core::ports::{Connection, NewDeadLetter};
use botloom_telegram::simulator::Renamed;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Server, revision, spec, stuck_chat};

/// A request.
pub(super) struct Request {
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// Status for those who may make it.
    pub(super) success: u16,
    /// Whether a success is something that was done, and so stands in the audit log.
    pub(super) changes: bool,
}

/// A project with its owner.
pub(super) struct World<'a> {
    pub(super) project: String,
    server: &'a Server,
    owner: &'a Client,
    count: AtomicU32,
}

impl<'a> World<'a> {
    pub(super) async fn of(server: &'a Server, owner: &'a Client) -> Self {
        let projects = owner.get("/projects").await.expect(200).json();
        Self {
            project: projects["items"][0]["projectId"].as_str().unwrap().to_owned(),
            server,
            owner,
            count: AtomicU32::new(0),
        }
    }

    fn next(&self) -> u32 {
        self.count.fetch_add(1, Ordering::SeqCst)
    }

    /// A new bot of the project.
    async fn bot(&self) -> String {
        let id = format!("bot-{}", self.next());
        let body = json!({ "botId": id, "name": "B", "projectId": self.project });
        self.owner.post("/bots", &body).await.expect(201);
        id
    }

    /// A new bot with a version and a revision.
    async fn built(&self) -> (String, String) {
        let bot = self.bot().await;
        self.owner.post("/spec", &spec(&bot, "one")).await.expect(201);
        let rev = revision(&self.server.ports, &bot, "1").await.to_string();
        (bot, rev)
    }

    /// A new member of the project.
    async fn member(&self) -> String {
        let email = format!("member-{}@example.org", self.next());
        self.server.row(&email, Some("viewer")).await
    }

    /// Makes a bot the staging bot of a new one.
    async fn stage(&self, bot: &str) {
        let production = json!({ "botId": self.bot().await });
        let path = format!("/bots/{bot}/staging-of");
        self.owner.json(Method::PUT, &path, &production).await.expect(200);
    }

    /// A bot that is connected, as far as the catalog knows.
    async fn take_updates(&self, bot: &str) {
        let polling = Connection {
            ingress: IngressMode::Polling,
            webhook_secret: None,
        };
        let catalog = &self.server.ports.catalog;
        catalog
            .set_connection(&bot.parse().unwrap(), Some(&polling))
            .await
            .unwrap();
    }

    /// Somebody makes the Telegram bot that was asked for; answers who.
    async fn make(&self, bot: &str, asked: &Value) -> i64 {
        let telegram = &self.server.telegram;
        let person = telegram.person("Ann");
        let link = asked["link"].as_str().unwrap();
        let id = telegram
            .make_managed(person.id, link, Renamed::default())
            .unwrap();
        let made = ManagedBot {
            id,
            creator: TelegramAccount {
                id: person.id,
                first_name: person.first_name,
                username: None,
            },
        };
        let (catalog, now) = (&self.server.ports.catalog, self.server.ports.clock.now());
        let username = asked["username"].as_str().unwrap();
        let noted = catalog.note_managed_bot(username, &made, now).await.unwrap();
        assert_eq!(noted.unwrap().bot.as_str(), bot);
        person.id
    }

    async fn dead_letter(&self, bot: &str) -> String {
        let letter = NewDeadLetter {
            bot: bot.parse().unwrap(),
            chat: Some(5.into()),
            reason: "overflow".into(),
            detail: "Too many.".into(),
            body: "{}".into(),
            at: self.server.ports.clock.now(),
        };
        self.server.ports.dead_letters.set_aside(letter).await.unwrap()
    }

    /// The task of an answer to this request of the owner's.
    async fn task(&self, path: &str, body: Value) -> String {
        let answer = self.owner.post(path, &body).await.expect(202).json();
        answer["taskId"].as_str().unwrap().to_owned()
    }

    /// The request for a route.
    pub(super) async fn request(&self, method: &Method, path: &str) -> Option<Request> {
        let found = match path.split('/').nth(1).unwrap_or_default() {
            "auth" | "invitations" => self.own(method, path),
            "projects" | "audit" => self.of_the_project(method, path).await,
            "bots" => self.of_a_bot(method, path).await,
            "healthz" | "readyz" | "metrics" | "openapi.json" | "webhooks" => {
                Some((path.to_owned(), None, 200))
            }
            _ => self.of_a_build(method, path).await,
        };
        let (path, body, success) = found?;
        Some(Request {
            changes: !["/spec/validate", "/invitations/look-up"].contains(&&*path),
            path,
            body,
            success,
        })
    }

    /// About the caller's own affairs; nothing here belongs to a project.
    fn own(&self, method: &Method, path: &str) -> Option<(String, Option<Value>, u16)> {
        let nobody = format!("nobody-{}@example.org", self.next());
        let secret = json!({ "secret": "none" });
        let (path, body, success) = match (method.as_str(), path) {
            ("POST", "/auth/setup") => {
                let account = json!({ "email": nobody, "password": "long enough" });
                (path.to_owned(), Some(account), 409)
            }
            ("POST", "/auth/login") => {
                let account = json!({ "email": nobody, "password": "x" });
                (path.to_owned(), Some(account), 401)
            }
            ("POST", "/auth/register") => {
                let account = json!({ "secret": "none", "email": nobody, "password": "long enough" });
                (path.to_owned(), Some(account), 404)
            }
            ("GET", "/auth/oidc" | "/auth/oidc/link") => (path.to_owned(), None, 200),
            // Without a provider, and with nothing linked.
            ("GET", "/auth/oidc/login") | ("DELETE", "/auth/oidc/link") => (path.to_owned(), None, 404),
            ("GET", "/auth/oidc/callback") => (format!("{path}?state=x&code=y"), None, 404),
            ("POST", "/auth/oidc/link") => (path.to_owned(), Some(json!({})), 404),
            ("POST", "/auth/logout") => (path.to_owned(), None, 204),
            ("POST", "/auth/password") => {
                let change = json!({ "oldPassword": "not it", "newPassword": "long enough" });
                (path.to_owned(), Some(change), 422)
            }
            ("GET", "/auth/me" | "/auth/sessions") | ("DELETE", "/auth/sessions") => {
                (path.to_owned(), None, 200)
            }
            ("DELETE", "/auth/sessions/{sessionId}") => {
                (format!("/auth/sessions/{}", "0".repeat(64)), None, 404)
            }
            ("POST", "/invitations/look-up" | "/invitations/accept" | "/auth/oidc/register") => {
                (path.to_owned(), Some(secret), 404)
            }
            _ => return None,
        };
        Some((path, body, success))
    }

    async fn of_the_project(&self, method: &Method, path: &str) -> Option<(String, Option<Value>, u16)> {
        let project = &self.project;
        let invitations = format!("/projects/{project}/invitations");
        let tokens = format!("/projects/{project}/tokens");
        let token = json!({ "name": "x", "role": "viewer" });
        let found = match (method.as_str(), path) {
            ("GET", "/projects") => (path.to_owned(), None, 200),
            ("POST", "/projects") => {
                let name = json!({ "name": format!("project {}", self.next()) });
                (path.to_owned(), Some(name), 201)
            }
            ("PATCH", "/projects/{projectId}") => {
                let name = json!({ "name": format!("project {}", self.next()) });
                (format!("/projects/{project}"), Some(name), 200)
            }
            // It has bots.
            ("DELETE", "/projects/{projectId}") => (format!("/projects/{project}"), None, 409),
            ("GET", "/audit" | "/audit/export") => (format!("{path}?projectId={project}"), None, 200),
            ("GET", "/projects/{projectId}/members") => (format!("/projects/{project}/members"), None, 200),
            ("PATCH", "/projects/{projectId}/members/{userId}") => {
                let member = self.member().await;
                let role = json!({ "role": "editor" });
                (format!("/projects/{project}/members/{member}"), Some(role), 200)
            }
            ("DELETE", "/projects/{projectId}/members/{userId}") => {
                let member = self.member().await;
                (format!("/projects/{project}/members/{member}"), None, 204)
            }
            ("GET", "/projects/{projectId}/tokens") => (tokens, None, 200),
            ("POST", "/projects/{projectId}/tokens") => (tokens, Some(token), 201),
            ("DELETE", "/projects/{projectId}/tokens/{tokenId}") => {
                let made = self.owner.post(&tokens, &token).await.expect(201).json();
                let id = made["tokenId"].as_str().unwrap();
                (format!("{tokens}/{id}"), None, 204)
            }
            ("GET", "/projects/{projectId}/invitations") => (invitations, None, 200),
            ("POST", "/projects/{projectId}/invitations") => {
                (invitations, Some(json!({ "role": "viewer" })), 201)
            }
            ("DELETE", "/projects/{projectId}/invitations/{invitationId}") => {
                let made = self.owner.post(&invitations, &json!({ "role": "viewer" })).await;
                let made = made.expect(201).json();
                let id = made["invitationId"].as_str().unwrap();
                (format!("{invitations}/{id}"), None, 204)
            }
            _ => return None,
        };
        Some(found)
    }

    async fn of_a_bot(&self, method: &Method, path: &str) -> Option<(String, Option<Value>, u16)> {
        if path == "/bots" {
            let id = format!("bot-{}", self.next());
            let bot = json!({ "botId": id, "name": "B", "projectId": self.project });
            return match method.as_str() {
                "GET" => Some((path.to_owned(), None, 200)),
                "POST" => Some((path.to_owned(), Some(bot), 201)),
                _ => None,
            };
        }
        let bot = self.bot().await;
        let at = path.replace("{botId}", &bot);
        let token = json!({ "token": format!("71{:08}:AA-token", self.next()) });
        let letter = if path.contains("{id}") {
            self.dead_letter(&bot).await
        } else {
            String::new()
        };
        if path.ends_with("/reclaim") {
            let path = format!("/bots/{bot}/token");
            self.owner.json(Method::PUT, &path, &token).await.expect(200);
        }
        if path.ends_with("/disconnect") || path.ends_with("/reclaim") {
            self.take_updates(&bot).await;
        }
        if path.contains("{chatId}") {
            stuck_chat(&self.server.ports, &bot, 5).await;
        }
        let of_chat = at.replace("{chatId}", "5");
        let of_letter = at.replace("{id}", &letter);
        let found = match (method.as_str(), path) {
            (
                "GET",
                "/bots/{botId}" | "/bots/{botId}/export" | "/bots/{botId}/chats" | "/bots/{botId}/analytics",
            )
            | (
                "POST",
                "/bots/{botId}/disconnect" | "/bots/{botId}/pause" | "/bots/{botId}/webhook/reclaim",
            ) => (at, None, 200),
            ("PUT", "/bots/{botId}/staging-of") => (at, Some(json!({ "botId": self.bot().await })), 200),
            ("DELETE", "/bots/{botId}/staging-of") | ("GET", "/bots/{botId}/promotion") => {
                self.stage(&bot).await;
                (at, None, 200)
            }
            ("POST", "/bots/{botId}/promote") => {
                self.stage(&bot).await;
                self.owner.post("/spec", &spec(&bot, "one")).await.expect(201);
                (at, Some(json!({ "version": 1 })), 202)
            }
            ("PATCH", "/bots/{botId}") => (at, Some(json!({ "name": "N" })), 200),
            ("POST", "/bots/{botId}/resume") => {
                let pause = format!("/bots/{bot}/pause");
                self.owner.post(&pause, &Value::Null).await.expect(200);
                (at, None, 200)
            }
            ("DELETE", "/bots/{botId}") => (at, None, 204),
            ("PUT", "/bots/{botId}/token") => (at, Some(token), 200),
            ("POST", "/bots/{botId}/managed") => (at, None, 201),
            ("GET" | "DELETE", "/bots/{botId}/managed") => {
                self.owner.post(&at, &Value::Null).await.expect(201);
                (at, None, if *method == Method::GET { 200 } else { 204 })
            }
            ("POST", "/bots/{botId}/managed/confirm") => {
                let asked = format!("/bots/{bot}/managed");
                let asked = self.owner.post(&asked, &Value::Null).await.expect(201).json();
                let account = self.make(&bot, &asked).await;
                (at, Some(json!({ "telegramUserId": account })), 200)
            }
            ("POST", "/bots/{botId}/managed/token") => {
                let managed = format!("/bots/{bot}/managed");
                let asked = self.owner.post(&managed, &Value::Null).await.expect(201).json();
                let account = json!({ "telegramUserId": self.make(&bot, &asked).await });
                let confirm = format!("{managed}/confirm");
                self.owner.post(&confirm, &account).await.expect(200);
                (at, None, 200)
            }
            ("POST", "/bots/{botId}/connect") => (at, Some(json!({ "ingress": "polling" })), 409),
            ("GET", "/bots/{botId}/analytics/{query}") => (at.replace("{query}", "messages"), None, 200),
            ("GET", "/bots/{botId}/chats/{chatId}") => (of_chat, None, 200),
            ("POST", "/bots/{botId}/chats/{chatId}/unblock") => {
                (of_chat, Some(json!({ "update": "retry" })), 200)
            }
            ("DELETE", "/bots/{botId}/chats/{chatId}/state") => (of_chat, None, 204),
            ("POST", "/bots/{botId}/dead-letters/replay" | "/bots/{botId}/dead-letters/discard") => {
                let letter = self.dead_letter(&bot).await;
                (at, Some(json!({ "ids": [letter] })), 200)
            }
            ("GET", "/bots/{botId}/dead-letters") => (format!("{at}?direction=in"), None, 200),
            ("GET", "/bots/{botId}/dead-letters/{id}") => (of_letter, None, 200),
            ("DELETE", "/bots/{botId}/dead-letters/{id}")
            | ("POST", "/bots/{botId}/dead-letters/{id}/replay") => (of_letter, None, 204),
            _ => return None,
        };
        Some(found)
    }

    /// From a spec to a deployment.
    async fn of_a_build(&self, method: &Method, path: &str) -> Option<(String, Option<Value>, u16)> {
        let (bot, rev) = self.built().await;
        let by_bot = format!("{path}?botId={bot}");
        let found = match (method.as_str(), path) {
            ("POST", "/spec") => (path.to_owned(), Some(spec(&bot, "two")), 201),
            ("POST", "/spec/validate") => (path.to_owned(), Some(spec(&bot, "two")), 200),
            ("GET", "/spec" | "/spec/latest" | "/revisions" | "/deployments" | "/events") => {
                (by_bot, None, 200)
            }
            ("GET", "/spec/{version}") => (format!("/spec/1?botId={bot}"), None, 200),
            ("PATCH", "/spec/{version}") => {
                (format!("/spec/1?botId={bot}"), Some(json!({ "note": "n" })), 200)
            }
            ("POST", "/spec/{version}/restore") => {
                self.owner.post("/spec", &spec(&bot, "two")).await.expect(201);
                (format!("/spec/1/restore?botId={bot}"), None, 201)
            }
            // This node runs no bots.
            ("POST", "/simulate") => {
                let conversation = json!({ "spec": spec(&bot, "x"), "script": [{ "send": "/start" }] });
                (path.to_owned(), Some(conversation), 503)
            }
            ("GET", "/spec/diff") => (format!("{by_bot}&from=1&to=1"), None, 200),
            ("POST", "/generate") => {
                let build = json!({ "botId": bot, "specVersion": 1 });
                (path.to_owned(), Some(build), 202)
            }
            ("GET", "/tasks/{taskId}") => {
                let build = json!({ "botId": bot, "specVersion": 1 });
                (
                    format!("/tasks/{}", self.task("/generate", build).await),
                    None,
                    200,
                )
            }
            ("GET", "/revisions/{revHash}") => (format!("/revisions/{rev}"), None, 200),
            ("GET", "/revisions/{revHash}/artifacts/{name}") => {
                (format!("/revisions/{rev}/artifacts/bot.js"), None, 200)
            }
            ("POST", "/deploy") => (
                path.to_owned(),
                Some(json!({ "botId": bot, "revHash": rev })),
                202,
            ),
            ("POST", "/rollback") => (path.to_owned(), Some(json!({ "botId": bot })), 409),
            ("GET", "/deployments/{taskId}") => {
                let deployment = json!({ "botId": bot, "revHash": rev });
                (
                    format!("/deployments/{}", self.task("/deploy", deployment).await),
                    None,
                    200,
                )
            }
            _ => return None,
        };
        Some(found)
    }
}
