//! Bodies: media type, size and time first, then strict JSON.

use axum::extract::{FromRequest, Request};
use botloom_core::hash::Sha256Hash;
use botloom_spec::json::canonical;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header;

use super::fields::{self, FromFields};
use super::json;
use crate::code;
use crate::options::Limits;
use crate::problem::Problem;
use crate::state::App;

/// How many times the limit is read of a body that is refused anyway.
const DRAINED: usize = 4;

/// A JSON body of known fields.
#[derive(Debug)]
pub(crate) struct Body<T> {
    /// What it says.
    pub(crate) value: T,
    /// Digest of its canonical form: the same for every spelling of the same content.
    pub(crate) fingerprint: Sha256Hash,
}

impl<T: FromFields> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let JsonText(bytes) = JsonText::from_request(request, app).await?;
        let value = json::read(&bytes)?;
        let fingerprint = Sha256Hash::of(canonical(&value));
        Ok(Self {
            value: fields::read(value)?,
            fingerprint,
        })
    }
}

/// A body that says it is JSON, unread.
#[derive(Debug)]
pub(crate) struct JsonText(pub(crate) Bytes);

impl FromRequest<App> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let media_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let essence = media_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let detail = "Send JSON and say so: Content-Type: application/json.";
            return Err(Problem::new(code::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let encoding = request.headers().get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(Problem::new(
                code::UNSUPPORTED_ENCODING,
                "Send the body as it is, without Content-Encoding.",
            ));
        }
        let limits = &app.options.limits;
        let reading = read_bounded(request, limits);
        tokio::time::timeout(limits.body_timeout, reading)
            .await
            .unwrap_or_else(|_| {
                Err(Problem::new(
                    code::REQUEST_TIMEOUT,
                    "The body did not arrive in time.",
                ))
            })
            .map(Self)
    }
}

/// Reads the body up to the limit. What is too large is read on for a while and thrown away: an answer that comes while
/// the caller still writes would be lost with the connection.
async fn read_bounded(request: Request, limits: &Limits) -> Result<Bytes, Problem> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let announced = announced
        .and_then(|length| length.parse::<usize>().ok())
        .unwrap_or(0);
    let mut stream = request.into_body().into_data_stream();
    let mut body = BytesMut::new();
    let mut total = 0;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| Problem::new(code::MALFORMED_REQUEST, "The body ended early."))?;
        total += piece.len();
        if total.max(announced) <= limits.body_bytes {
            body.extend_from_slice(&piece);
        } else if total > limits.body_bytes.saturating_mul(DRAINED) {
            break;
        }
    }
    if total.max(announced) > limits.body_bytes {
        let detail = format!("A body may have at most {} bytes.", limits.body_bytes);
        return Err(Problem::new(code::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(body.freeze())
}
