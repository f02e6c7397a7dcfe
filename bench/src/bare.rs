//! What everything is compared with: a webhook handler that calls Telegram and keeps nothing. No queue, no storage, no
//! sandbox; the update is parsed, counted in memory and answered with one `sendMessage`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use botloom_telegram::update::Routed;
use botloom_telegram::{Client, Options, Token};
use serde_json::json;
use url::Url;

struct Bare {
    client: Client,
    token: Token,
    last: Mutex<HashMap<i64, String>>,
}

/// Serves until it is killed.
pub(crate) async fn serve(listen: SocketAddr, api_root: Url, token: &str) -> Result<(), String> {
    let client = Client::new(Options {
        api_root,
        ..Options::default()
    })
    .map_err(|error| error.to_string())?;
    let token = Token::new(token).map_err(|error| error.to_string())?;
    let bare = Arc::new(Bare {
        client,
        token,
        last: Mutex::default(),
    });
    let router = Router::new().route("/wh/{bot}", post(answer)).with_state(bare);
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| error.to_string())?;
    axum::serve(listener, router)
        .await
        .map_err(|error| error.to_string())
}

async fn answer(State(bare): State<Arc<Bare>>, body: Bytes) -> StatusCode {
    let Some((chat, text)) = message(&body) else {
        return StatusCode::OK;
    };
    let reply = {
        let mut last = bare
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = last.insert(chat, text.clone()).unwrap_or_default();
        format!("{before}->{text}")
    };
    let params = json!({ "chat_id": chat, "text": reply }).to_string();
    match bare.client.call_raw(&bare.token, "sendMessage", params).await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::BAD_GATEWAY,
    }
}

fn message(body: &Bytes) -> Option<(i64, String)> {
    let update = Routed::parse(std::str::from_utf8(body).ok()?).ok()?;
    let chat = update.chat_key().parse().ok()?;
    let args = update.text().strip_prefix("/n ")?;
    Some((chat, args.to_owned()))
}
