//! Files: where a call takes one from, `getFile`, and the download.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::json;

use crate::simulator::media::MediaKind;
use crate::simulator::params::Params;
use crate::simulator::reply::{self, Outcome, Refusal};
use crate::simulator::world::{Shared, StoredFile, World};

/// Telegram gives bots files up to this size.
const MAX_DOWNLOAD: u64 = 20 * 1024 * 1024;

/// The file that a call sends in the parameter named after its kind.
pub(super) fn of_param(
    world: &mut World,
    params: &Params,
    media: MediaKind,
) -> Result<Arc<StoredFile>, Refusal> {
    if params.files.contains_key(media.field()) {
        return upload(world, params, media.field(), media);
    }
    let source = params.text(media.field()).unwrap_or_default();
    of_text(world, params, &source, media)
}

/// The file that a text names: `attach://<part>`, an address, or an id.
pub(super) fn of_text(
    world: &mut World,
    params: &Params,
    source: &str,
    media: MediaKind,
) -> Result<Arc<StoredFile>, Refusal> {
    if let Some(part) = source.strip_prefix("attach://") {
        return upload(world, params, part, media);
    }
    if source.starts_with("http://") || source.starts_with("https://") {
        let url = url::Url::parse(source).map_err(|_| Refusal::bad("wrong HTTP URL specified"))?;
        let name = url
            .path_segments()
            .and_then(|mut parts| parts.next_back())
            .unwrap_or_default();
        let name = if name.is_empty() { media.usual_name() } else { name };
        // Nothing is fetched: the address stands for its content.
        let bytes = Bytes::from(format!("content of {source}"));
        return Ok(world
            .files
            .add(media.folder(), name, media.content_type(), bytes, None));
    }
    if let Some(file) = world.files.get(source) {
        return Ok(Arc::clone(file));
    }
    if world.accept_unknown && !source.is_empty() {
        let bytes = Bytes::from(format!("content of {source}"));
        return Ok(world.files.add(
            media.folder(),
            media.usual_name(),
            media.content_type(),
            bytes,
            None,
        ));
    }
    Err(Refusal::bad("wrong file identifier/HTTP URL specified"))
}

fn upload(
    world: &mut World,
    params: &Params,
    part: &str,
    media: MediaKind,
) -> Result<Arc<StoredFile>, Refusal> {
    let file = params
        .files
        .get(part)
        .ok_or_else(|| Refusal::bad("wrong file identifier/HTTP URL specified"))?;
    if file.bytes.is_empty() {
        return Err(Refusal::bad("file must be non-empty"));
    }
    Ok(world.files.add(
        media.folder(),
        &file.file_name,
        &file.content_type,
        file.bytes.clone(),
        None,
    ))
}

pub(super) fn get_file(world: &World, params: &Params) -> Outcome {
    let id = params.text("file_id").unwrap_or_default();
    let file = world
        .files
        .get(&id)
        .ok_or_else(|| Refusal::bad("invalid file_id"))?;
    if file.size > MAX_DOWNLOAD {
        return Err(Refusal::bad("file is too big"));
    }
    Ok(json!({
        "file_id": file.id,
        "file_unique_id": file.unique_id,
        "file_size": file.size,
        "file_path": file.path,
    }))
}

/// Answers `/file/bot<token>/<path>`.
pub(crate) fn download(shared: &Shared, token: &str, path: &str) -> Response<Body> {
    let mut world = shared.world();
    if world.bot_by_token(token, shared.options.tokens).is_err() {
        return reply::http(&Err(Refusal::new(401, "Unauthorized")));
    }
    let Some(file) = world.files.by_path(path) else {
        return reply::http(&Err(Refusal::new(404, "Not Found")));
    };
    let mut response = Response::new(Body::from(file.bytes.clone()));
    let content_type = HeaderValue::from_str(&file.content_type)
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
