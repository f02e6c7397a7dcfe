//! The OpenAPI document, made of the handlers.

mod failures;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{HttpMethod, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};

use crate::problem::MEDIA_TYPE;
use crate::router;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Botloom",
        description = "Say what a bot does, build it, put it live. Every failure is a problem document (RFC 9457); \
                       `docs/api-contracts.md` tells the rules that hold for all routes.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ProblemDocument)),
    tags(
        (name = "auth", description = "The first owner, logging in and out"),
        (name = "projects", description = "Groups of bots"),
        (name = "tokens", description = "Credentials of programs"),
        (name = "bots", description = "Bots and their connection to Telegram"),
        (name = "webhooks", description = "Whether Telegram delivers"),
        (name = "spec", description = "What a bot is, in versions"),
        (name = "build and deploy", description = "Revisions, and putting them live"),
        (name = "events", description = "What happens, as it happens"),
        (name = "chats", description = "What waits in a chat, and what it remembers"),
        (name = "dead letters", description = "What was set aside"),
        (name = "analytics", description = "A bot in numbers"),
        (name = "audit", description = "Who did what"),
        (name = "system", description = "For machines that watch"),
    )
)]
struct Document;

/// A failure (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes what `Problem::body` writes")]
struct ProblemDocument {
    /// `/problems/<slug>`: a page that explains it.
    #[schema(rename = "type")]
    kind: String,
    /// The same words for every occurrence.
    title: String,
    /// As in the status line.
    status: u16,
    /// About this occurrence.
    detail: String,
    /// Id of the request, also in `X-Request-Id`.
    instance: String,
    /// The parts at fault, where there are some.
    errors: Option<Vec<ProblemPart>>,
}

/// A part that is at fault.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the parts look like in JSON")]
struct ProblemPart {
    /// Stable.
    code: Option<String>,
    /// JSON Pointer to the place.
    pointer: Option<String>,
    /// The fact.
    message: Option<String>,
    /// `error` or `warning`, of findings in a spec.
    severity: Option<String>,
    /// What to do about it.
    hint: Option<String>,
}

/// The document.
pub(crate) fn document() -> OpenApi {
    let mut document = Document::openapi();
    let (_, api) = router::api().split_for_parts();
    document.merge(api);
    let components = document.components.get_or_insert_default();
    let about = "Over HTTPS the cookie is called `__Host-botloom`. Requests that change something also need \
                 `X-CSRF-Token`.";
    let cookie = ApiKeyValue::with_description("botloom_session", about);
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(cookie));
    components
        .security_schemes
        .insert("session".to_owned(), RefOr::T(cookie));
    let about = "An API token, `blm_…`, of `POST /tokens`; without cookie and CSRF token.";
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(about))
        .build();
    components
        .security_schemes
        .insert("token".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    components
        .responses
        .insert("Problem".to_owned(), RefOr::T(failure()));
    let either =
        ["session", "token"].map(|name| SecurityRequirement::new::<_, [String; 0], String>(name, []));
    document.security = Some(either.to_vec());
    failures::define(components);
    for (path, item) in &mut document.paths.paths {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Delete, &mut item.delete),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Head, &mut item.head),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                failures::add(path, &method, operation);
                add_failure(operation);
            }
        }
    }
    document
}

fn failure() -> Response {
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description("Anything else")
        .content(MEDIA_TYPE, ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

fn add_failure(operation: &mut Operation) {
    let problem = RefOr::Ref(Ref::from_response_name("Problem"));
    operation
        .responses
        .responses
        .insert("default".to_owned(), problem);
}

/// The OpenAPI document as JSON text, the same as in `control-plane/openapi.json`.
pub fn openapi_json() -> String {
    let mut text = document()
        .to_pretty_json()
        .expect("the document holds only serialisable values");
    text.push('\n');
    text
}
