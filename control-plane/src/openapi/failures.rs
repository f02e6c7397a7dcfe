//! The failures that routes share, each under its own status. They follow from what a route takes, so no handler names them.

use http::StatusCode;
use serde_json::Value;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{Components, HttpMethod, Ref, RefOr, ResponseBuilder};

use crate::problem::MEDIA_TYPE;

/// Asked for by machines that watch: free of the limits of callers.
const UNMETERED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Every status of a failure, with the name of its component and what it says.
const FAILURES: [(StatusCode, &str, &str); 13] = [
    (
        StatusCode::BAD_REQUEST,
        "BadRequest",
        "The request cannot be read, or a parameter cannot be what it is",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "Unauthorized",
        "Nobody is logged in, or the credentials are wrong",
    ),
    (
        StatusCode::FORBIDDEN,
        "Forbidden",
        "The caller may not do this, or not from this page",
    ),
    (
        StatusCode::NOT_FOUND,
        "NotFound",
        "It does not exist, or the caller may not know of it",
    ),
    (
        StatusCode::REQUEST_TIMEOUT,
        "RequestTimeout",
        "The body did not arrive in time",
    ),
    (
        StatusCode::CONFLICT,
        "Conflict",
        "The present state does not allow it",
    ),
    (
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        "It was changed meanwhile",
    ),
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        "PayloadTooLarge",
        "The body is too large",
    ),
    (
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedMediaType",
        "The body is not JSON, or compressed",
    ),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        "UnprocessableEntity",
        "Fields are at fault, or a key was used otherwise",
    ),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "TooManyRequests",
        "Too much of the caller, for now; see `Retry-After`",
    ),
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalServerError",
        "A mistake of ours",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "ServiceUnavailable",
        "Something that this needs is away; see `Retry-After`",
    ),
];

/// Reads by their method, but they log somebody in: browsers are sent there by a link, and back by the identity provider.
const LOGINS: [&str; 2] = ["/auth/oidc/login", "/auth/oidc/callback"];

/// Reads that not every state allows: they are about two bots, and the link between them may be missing.
const READS_OF_A_STATE: [&str; 1] = ["/bots/{botId}/promotion"];

/// Adds the failures as components.
pub(super) fn define(components: &mut Components) {
    for (_, name, words) in FAILURES {
        let schema = Ref::from_schema_name("Problem");
        let response = ResponseBuilder::new()
            .description(words)
            .content(MEDIA_TYPE, ContentBuilder::new().schema(Some(schema)).build())
            .build();
        components.responses.insert(name.to_owned(), RefOr::T(response));
    }
}

/// A parameter that stands at the operation itself.
fn inline(parameter: &RefOr<Parameter>) -> Option<&Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}

/// Adds to a route every failure that it may answer with.
pub(super) fn add(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let extensions = serde_json::to_value(&operation.extensions).unwrap_or(Value::Null);
    let public = extensions["x-botloom-access"] == "public";
    let changes = !matches!(method, HttpMethod::Get | HttpMethod::Head) || LOGINS.contains(&path);
    let parameters: Vec<&Parameter> = operation.parameters.iter().flatten().filter_map(inline).collect();
    let has = |name: &str| parameters.iter().any(|parameter| parameter.name == name);
    let names_something = has("botId")
        || has("projectId")
        || parameters
            .iter()
            .any(|parameter| matches!(parameter.parameter_in, ParameterIn::Path));
    let body = operation.request_body.is_some();
    for (status, name, _) in FAILURES {
        let possible = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => !public || changes,
            StatusCode::NOT_FOUND => names_something || changes,
            StatusCode::CONFLICT => changes || READS_OF_A_STATE.contains(&path),
            StatusCode::PRECONDITION_FAILED => has("If-Match"),
            StatusCode::UNPROCESSABLE_ENTITY => body || has("Idempotency-Key"),
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE => body,
            StatusCode::TOO_MANY_REQUESTS => !UNMETERED.contains(&path),
            _ => true,
        };
        let responses = &mut operation.responses.responses;
        if possible && !responses.contains_key(status.as_str()) {
            responses.insert(
                status.as_str().to_owned(),
                RefOr::Ref(Ref::from_response_name(name)),
            );
        }
    }
}
