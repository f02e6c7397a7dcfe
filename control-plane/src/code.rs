//! Every problem that the API itself tells of: slug, status, title. `docs/errors/<slug>.md` explains each.

use http::StatusCode;

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    /// Stable name, last part of the problem's `type`.
    pub(crate) slug: &'static str,
    /// Status of the answer.
    pub(crate) status: StatusCode,
    /// Same words for every occurrence.
    pub(crate) title: &'static str,
}

macro_rules! codes {
    ($($name:ident = $status:ident $slug:literal $title:literal;)*) => {
        $(pub(crate) const $name: Code = Code { slug: $slug, status: StatusCode::$status, title: $title };)*
        /// All of them.
        pub(crate) const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    MALFORMED_REQUEST = BAD_REQUEST "malformed-request" "The request is not proper HTTP";
    MALFORMED_HEADER = BAD_REQUEST "malformed-header" "A header cannot be read";
    MALFORMED_JSON = BAD_REQUEST "malformed-json" "The body is not JSON";
    DUPLICATE_KEY = BAD_REQUEST "duplicate-key" "A JSON object has a key twice";
    JSON_TOO_DEEP = BAD_REQUEST "json-too-deep" "The JSON is nested too deeply";
    INVALID_PARAMETER = BAD_REQUEST "invalid-parameter" "A query parameter is not valid";
    INVALID_SPEC = BAD_REQUEST "invalid-spec" "The BotSpec has errors";
    UNSUPPORTED_MODEL = BAD_REQUEST "unsupported-model" "There is no such generator model";
    IDEMPOTENCY_KEY_INVALID = BAD_REQUEST "idempotency-key-invalid" "The Idempotency-Key is not valid";
    OIDC_ATTEMPT_INVALID = BAD_REQUEST "oidc-attempt-invalid" "No such login is under way in this browser";
    UNAUTHENTICATED = UNAUTHORIZED "unauthenticated" "You are not logged in";
    SESSION_EXPIRED = UNAUTHORIZED "session-expired" "The session has ended";
    TOKEN_EXPIRED = UNAUTHORIZED "token-expired" "The API token has expired";
    INVALID_CREDENTIALS = UNAUTHORIZED "invalid-credentials" "E-mail or password is wrong";
    OIDC_REFUSED = FORBIDDEN "oidc-refused" "The identity provider refused the login";
    OIDC_ANSWER_INVALID = FORBIDDEN "oidc-answer-invalid" "The identity provider's answer is not valid";
    OIDC_NOT_LINKED = FORBIDDEN "oidc-not-linked" "No account belongs to your identity";
    OIDC_EMAIL_UNUSABLE = FORBIDDEN "oidc-email-unusable" "Your identity has no usable e-mail address";
    PASSWORD_LOGIN_OFF = FORBIDDEN "password-login-off" "Passwords do not log in here";
    FRESH_LOGIN_REQUIRED = FORBIDDEN "fresh-login-required" "Your login is too old for this";
    FORBIDDEN = FORBIDDEN "forbidden" "Your role does not allow this";
    SESSION_REQUIRED = FORBIDDEN "session-required" "API tokens cannot do this";
    CSRF_INVALID = FORBIDDEN "csrf-invalid" "The CSRF token is missing or wrong";
    ORIGIN_FORBIDDEN = FORBIDDEN "origin-forbidden" "Requests from this origin are refused";
    NOT_FOUND = NOT_FOUND "not-found" "There is no such thing";
    OIDC_NOT_CONFIGURED = NOT_FOUND "oidc-not-configured" "There is no identity provider";
    INVITATION_INVALID = NOT_FOUND "invitation-invalid" "The invitation cannot be used";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "method-not-allowed" "The method does not fit the address";
    REQUEST_TIMEOUT = REQUEST_TIMEOUT "request-timeout" "The request did not arrive in time";
    ALREADY_SET_UP = CONFLICT "already-set-up" "There is an owner already";
    LAST_OWNER = CONFLICT "last-owner" "The project would have no owner";
    ALREADY_MEMBER = CONFLICT "already-member" "You are a member already";
    IDENTITY_TAKEN = CONFLICT "identity-taken" "The identity is linked already";
    PASSWORD_NOT_SET = CONFLICT "password-not-set" "Your account has no password";
    EMAIL_TAKEN = CONFLICT "email-taken" "The e-mail address is taken";
    PROJECT_EXISTS = CONFLICT "project-exists" "The project name is taken";
    PROJECT_NOT_EMPTY = CONFLICT "project-not-empty" "The project has bots";
    TOO_MANY_PROJECTS = CONFLICT "too-many-projects" "You own as many projects as you may";
    STAGING_INVALID = CONFLICT "staging-invalid" "The bot cannot be the staging bot of that one";
    NO_STAGING_BOT = CONFLICT "no-staging-bot" "The bot is no staging bot";
    NOTHING_TO_PROMOTE = CONFLICT "nothing-to-promote" "The staging bot has nothing live";
    BOT_EXISTS = CONFLICT "bot-exists" "The bot id is taken";
    BOT_ALREADY_REGISTERED = CONFLICT "bot-already-registered" "Another bot uses this Telegram bot";
    BOT_CONNECTED = CONFLICT "bot-connected" "The bot is connected";
    BOT_NOT_CONNECTED = CONFLICT "bot-not-connected" "The bot is not connected";
    CONNECTION_CHANGED = CONFLICT "connection-changed" "The bot's connection changed meanwhile";
    TOKEN_MISSING = CONFLICT "token-missing" "The bot has no token";
    TOKEN_REVOKED = CONFLICT "token-revoked" "Telegram does not know the bot's token any more";
    PUBLIC_URL_MISSING = CONFLICT "public-url-missing" "This installation has no public URL";
    PUBLIC_URL_UNSUITABLE = CONFLICT "public-url-unsuitable" "Telegram cannot deliver to the public URL";
    MANAGER_BOT_MISSING = CONFLICT "manager-bot-missing" "This installation has no manager bot";
    MANAGER_BOT_UNSUITABLE = CONFLICT "manager-bot-unsuitable" "The manager bot cannot manage bots";
    NOTHING_TO_CONFIRM = CONFLICT "nothing-to-confirm" "There is nothing for you to confirm";
    TOKEN_BEING_REPLACED = CONFLICT "token-being-replaced" "The token is being replaced";
    TELEGRAM_REFUSED = CONFLICT "telegram-refused" "Telegram refused the call";
    PROJECT_REQUIRED = CONFLICT "project-required" "You must say which project";
    GENERATION_IN_PROGRESS = CONFLICT "generation-in-progress" "The same build is running";
    DEPLOYMENT_IN_PROGRESS = CONFLICT "deployment-in-progress" "A deployment of the bot is running";
    NO_PREVIOUS_REVISION = CONFLICT "no-previous-revision" "There is nothing to roll back to";
    NOT_REPLAYABLE = CONFLICT "not-replayable" "The dead letter has no chat to go back to";
    IDEMPOTENCY_IN_PROGRESS = CONFLICT "idempotency-in-progress" "The first request with this key is running";
    PRECONDITION_FAILED = PRECONDITION_FAILED "precondition-failed" "The version you edited is not the latest";
    PAYLOAD_TOO_LARGE = PAYLOAD_TOO_LARGE "payload-too-large" "The body is too large";
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body must be application/json";
    UNSUPPORTED_ENCODING = UNSUPPORTED_MEDIA_TYPE "unsupported-encoding" "Bodies must not be compressed";
    VALIDATION_FAILED = UNPROCESSABLE_ENTITY "validation-failed" "Fields are at fault";
    WRONG_PASSWORD = UNPROCESSABLE_ENTITY "wrong-password" "The old password is wrong";
    PROGRAM_TOO_LARGE = UNPROCESSABLE_ENTITY "program-too-large" "The program of the bot is too large";
    UNSAFE_PROGRAM = UNPROCESSABLE_ENTITY "unsafe-program" "The program of the bot breaks the rules of safe programs";
    TOKEN_INVALID = UNPROCESSABLE_ENTITY "token-invalid" "This is not a bot token";
    TOKEN_REJECTED = UNPROCESSABLE_ENTITY "token-rejected" "Telegram does not know the token";
    IDEMPOTENCY_KEY_REUSED = UNPROCESSABLE_ENTITY "idempotency-key-reused" "The key was used with another body";
    RATE_LIMITED = TOO_MANY_REQUESTS "rate-limited" "Too many requests";
    TOO_MANY_ATTEMPTS = TOO_MANY_REQUESTS "too-many-attempts" "Too many failed logins";
    TOO_MANY_STREAMS = TOO_MANY_REQUESTS "too-many-streams" "Too many streams or exports";
    TOO_MANY_SIMULATIONS = TOO_MANY_REQUESTS "too-many-simulations" "You try a bot out with real calls already";
    INTERNAL = INTERNAL_SERVER_ERROR "internal" "Something went wrong on our side";
    UNAVAILABLE = SERVICE_UNAVAILABLE "unavailable" "A part of the service is unavailable";
    STORAGE_FULL = SERVICE_UNAVAILABLE "storage-full" "The storage is full";
    OIDC_UNAVAILABLE = SERVICE_UNAVAILABLE "oidc-unavailable" "The identity provider is unavailable";
    NOT_READY = SERVICE_UNAVAILABLE "not-ready" "This node does not take work now";
    TELEGRAM_UNAVAILABLE = SERVICE_UNAVAILABLE "telegram-unavailable" "Telegram does not answer";
    NO_GENERATOR = SERVICE_UNAVAILABLE "no-generator" "No generator is running";
    NO_RUNTIME_NODE = SERVICE_UNAVAILABLE "no-runtime-node" "No runtime node is alive";
    ARTIFACT_MISSING = NOT_FOUND "artifact-missing" "A file of the revision is missing";
    ARTIFACT_CORRUPT = CONFLICT "artifact-corrupt" "A file of the revision was changed";
}

/// The kind of problem with this slug.
pub(crate) fn find(slug: &str) -> Option<Code> {
    ALL.iter().copied().find(|code| code.slug == slug)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::pages::error_page;

    #[test]
    fn every_problem_is_told_apart_and_explained() {
        let slugs: HashSet<_> = ALL.iter().map(|code| code.slug).collect();
        assert_eq!(slugs.len(), ALL.len(), "a slug stands for two problems");
        let unexplained: Vec<_> = ALL
            .iter()
            .filter(|code| error_page(code.slug).is_none())
            .map(|code| code.slug)
            .collect();
        assert_eq!(
            unexplained,
            Vec::<&str>::new(),
            "problems without docs/errors/<slug>.md"
        );
    }
}
