//! Every limit of a BotSpec in one place; the schema, the meaning checks and the generator read them from here.

/// Bytes of a whole spec as posted.
pub const SPEC_BYTES: usize = 512 * 1024;
/// Nesting of arrays and objects; the outermost object is level 1.
pub const JSON_DEPTH: usize = 64;
/// Largest magnitude of a number: beyond 2^53-1 JSON readers disagree about its value.
pub const NUMBER_MAX: i64 = 9_007_199_254_740_991;
/// Findings returned for one document; the last one then says that there are more.
pub const FINDINGS: usize = 1_000;

/// Flows per bot.
pub const FLOWS: u32 = 100;
/// Steps per flow.
pub const STEPS_PER_FLOW: u32 = 50;
/// Steps run for one update before it ends with `transition_limit`.
pub const TRANSITIONS_PER_UPDATE: u32 = 200;
/// Calls of `apiCall` per update; repeats of a failed request do not count.
pub const API_CALLS_PER_UPDATE: u32 = 2;
/// Longest `timeoutMs` of one request, and its default.
pub const API_TIMEOUT_MS: u32 = 5_000;
/// Further requests after a failed first one.
pub const API_RETRIES: u32 = 3;
/// Longest first pause between requests, in milliseconds.
pub const BACKOFF_BASE_MS: u32 = 60_000;
/// Largest answer of an `apiCall`, in units of 1,024 bytes, and its default.
pub const API_RESPONSE_KB: u32 = 64;
/// Largest state of one chat, in units of 1,024 bytes, and its default.
pub const STATE_KB: u32 = 64;
/// Longest time to live of a state key, in seconds (100 years).
pub const TTL_SEC: u32 = 3_155_760_000;
/// Unicode code points of a message before it is split. Bot API, `sendMessage.text`.
pub const MESSAGE_CODE_POINTS: usize = 4_096;
/// Unicode code points of a caption. Bot API, `sendPhoto.caption` and its siblings.
pub const CAPTION_CODE_POINTS: usize = 1_024;
/// Unicode code points of a command's description. Bot API, `BotCommand.description`.
pub const COMMAND_DESCRIPTION_CODE_POINTS: usize = 256;
/// Unicode code points of `meta.description`. Bot API, `setMyDescription.description`.
pub const DESCRIPTION_CODE_POINTS: usize = 512;
/// Unicode code points of `meta.shortDescription`. Bot API, `setMyShortDescription.short_description`.
pub const SHORT_DESCRIPTION_CODE_POINTS: usize = 120;
/// Commands of one bot. Bot API, `setMyCommands.commands`.
pub const COMMANDS: u32 = 100;
/// Buttons under one message.
pub const QUICK_REPLIES: u32 = 100;
/// Failed answers to one `ask` when `onFail.maxAttempts` is not given.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 3;
/// Largest `onFail.maxAttempts`.
pub const MAX_ATTEMPTS: u32 = 1_000;
/// Memory a compiled pattern may take, in bytes: room for `\p{L}{1,255}`, not for `(a{1000}){1000}`.
pub const REGEX_COMPILED_BYTES: usize = 12 * 1024 * 1024;
/// Length of a pattern, in bytes.
pub const REGEX_SOURCE_BYTES: usize = 4_096;

/// Estimated cost of all patterns of one spec together: 30 for each, about one for each character and 300 for each class
/// of letters, times counted repetitions. Some thousand ordinary patterns, or a few such as `\p{L}{1,255}`.
pub const PATTERN_BUDGET: u64 = 180_000;
/// Subschemas of a `validate.schema` when its references are written out.
pub const SCHEMA_SIZE: u64 = 2_000;

/// Shape of `meta.botId`.
pub const BOT_ID_PATTERN: &str = "^[a-z][a-z0-9-]{2,62}$";
/// Shape of a command: slash and Telegram's 1 to 32 of `a-z0-9_`.
pub const COMMAND_PATTERN: &str = "^/[a-z0-9_]{1,32}$";
/// Shape of ids of flows, steps and intents and of names of state keys.
pub const NAME_PATTERN: &str = "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$";
/// Shape of the name of a telemetry event.
pub const EVENT_PATTERN: &str = "^[a-z][a-z0-9_]{0,63}$";
/// Names that mean something else to JavaScript objects; no id, key or header may be called so.
pub const RESERVED_NAMES: [&str; 3] = ["__proto__", "constructor", "prototype"];
