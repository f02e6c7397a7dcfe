//! The names that a program may use. Everything else is refused.

/// Globals of the language that are data or pure functions.
pub(super) const GLOBALS: [&str; 13] = [
    "Array",
    "Boolean",
    "Date",
    "Error",
    "Infinity",
    "JSON",
    "Math",
    "NaN",
    "Number",
    "Object",
    "String",
    "encodeURIComponent",
    "undefined",
];

/// Names after a dot and in destructuring: harmless methods, and the fields of the contract with the host.
#[rustfmt::skip]
pub(super) const MEMBERS: &[&str] = &[
    // Functions of globals. `Object` gives no way to prototypes, descriptors or assignment.
    "abs", "ceil", "entries", "floor", "freeze", "fromEntries", "hasOwn", "isArray", "isFinite", "isFrozen",
    "isInteger", "isSafeInteger", "keys", "max", "min", "parse", "round", "stringify", "trunc", "values",
    // Methods of texts, lists and numbers.
    "at", "charCodeAt", "codePointAt", "concat", "endsWith", "every", "filter", "find", "findIndex", "flat", "flatMap",
    "forEach", "includes", "indexOf", "isWellFormed", "join", "lastIndexOf", "length", "map", "match", "normalize",
    "padEnd", "padStart", "pop", "push", "reduce", "replace", "replaceAll", "reverse", "shift", "slice", "some",
    "sort", "split", "startsWith", "substring", "test", "toFixed", "toLowerCase", "toUpperCase", "trim", "trimEnd",
    "trimStart", "unshift",
    // What the host gives.
    "args", "body", "bot", "chat", "command", "cont", "context", "date", "error", "event", "firstName", "id",
    "languageCode", "lastName", "message", "now", "ok", "result", "results", "resume", "state", "status", "text",
    "title", "type", "updateId", "user", "username",
    // What the host is given.
    "actions", "ambiguous", "backoff", "baseMs", "caption", "class", "effect", "factor", "headers", "input",
    "keyboard", "method", "notAfterSec", "one_time_keyboard", "params", "pattern", "query", "reply_markup",
    "resize_keyboard", "retries", "schema", "telemetry", "tests", "timeoutMs", "url",
    // Tables of a bot and places of the SDK.
    "all", "any", "ask", "attempt", "b", "buttons", "c", "check", "commands", "cooldownSec", "default",
    "defaultLocale", "doc", "elseNext", "end", "events", "f", "failures", "field", "fileId", "flow", "flows", "goto",
    "intents", "k", "kept", "key", "keywords", "kind", "kinds", "locale", "locales", "maxAttempts", "maxBytes",
    "media", "n", "name", "next", "not", "onError", "onFail", "op", "path", "regex", "s", "start", "step", "steps",
    "t", "texts", "transitions", "ttlSec", "v", "value", "w", "wait", "when", "x",
];

/// Names that reach behind the data of any object. Refused as a member, as a key, and in destructuring.
pub(crate) const FORBIDDEN: [&str; 7] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "prototype",
];

/// Names that the language calls by itself when they hold a function.
pub(super) const IMPLICIT: [&str; 4] = ["then", "toJSON", "toString", "valueOf"];

/// Methods that change what they are called on.
pub(super) const MUTATORS: [&str; 6] = ["pop", "push", "reverse", "shift", "sort", "unshift"];

/// Words that no binding may be called, beyond the reserved words of modules.
pub(super) const BINDINGS: [&str; 7] = ["arguments", "async", "eval", "get", "of", "set", "static"];

/// Fields whose text goes to people or is data for the host's engines: an address inside is not fetched by the host.
pub(super) const TEXT_FIELDS: [&str; 15] = [
    "body", "buttons", "caption", "default", "headers", "keywords", "map", "media", "name", "params",
    "query", "regex", "schema", "text", "value",
];
