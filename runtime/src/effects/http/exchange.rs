//! One request and its answer on a fresh connection.

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use serde_json::value::RawValue;
use tokio::net::TcpStream;

use botloom_core::bot_js::ApiCallError;

use super::json::within_depth;

/// Largest head of an answer.
const MAX_HEAD: usize = 32 * 1024;
/// Deepest nesting of an answer.
const MAX_DEPTH: usize = 32;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A 2xx answer: its JSON, or nothing where it was empty.
pub(super) type Answer = (u16, Option<Box<RawValue>>);

/// What went wrong, with the status if one came.
pub(super) type Refusal = (ApiCallError, Option<u16>);

/// Sends `request` over `stream` and reads at most `max_body` bytes of JSON.
pub(super) async fn exchange(
    stream: Stream,
    request: Request<Full<Bytes>>,
    max_body: usize,
) -> Result<Answer, Refusal> {
    let broken = |_| (ApiCallError::Connect, None);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_header_size(MAX_HEAD)
        .max_headers(100)
        .handshake(stream)
        .await
        .map_err(broken)?;
    let ask = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response, max_body).await
    };
    // The connection is driven here and dies here: nothing is left running behind the caller's time limit.
    tokio::pin!(ask, connection);
    tokio::select! {
        biased;
        outcome = &mut ask => outcome,
        // The whole answer may be in the channel by the time the peer closes.
        _ = &mut connection => ask.await,
    }
}

async fn read(response: Response<Incoming>, max_body: usize) -> Result<Answer, Refusal> {
    let status = response.status();
    let code = Some(status.as_u16());
    if !status.is_success() {
        return Err((ApiCallError::Status, code));
    }
    let mut incoming = response.into_body();
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|_| (ApiCallError::Connect, code))?;
        if let Some(data) = frame.data_ref() {
            if body.len() + data.len() > max_body {
                return Err((ApiCallError::TooLarge, code));
            }
            body.extend_from_slice(data);
        }
    }
    if status == StatusCode::NO_CONTENT || body.trim_ascii().is_empty() {
        return Ok((status.as_u16(), None));
    }
    if !within_depth(&body, MAX_DEPTH) {
        return Err((ApiCallError::NotJson, code));
    }
    match serde_json::from_slice::<Box<RawValue>>(&body) {
        Ok(json) => Ok((status.as_u16(), Some(json))),
        Err(_) => Err((ApiCallError::NotJson, code)),
    }
}
