//! A revision: what was built from a version, with its passport `rev.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::hash::{RevHash, Sha256Hash};
use crate::ids::BotId;
use crate::time::TimestampMs;

/// Digests of the three files of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactDigests {
    /// Of `bot.js`.
    pub bot_js: Sha256Hash,
    /// Of `spec.json`.
    pub spec_json: Sha256Hash,
    /// Of `rev.json`.
    pub rev_json: Sha256Hash,
}

/// A revision as the catalog keeps it. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    /// Name.
    pub rev_hash: RevHash,
    /// The bot.
    pub bot: BotId,
    /// Version of the spec it was built from.
    pub spec_version: u32,
    /// What the artifact store must give back.
    pub digests: ArtifactDigests,
    /// The passport, JSON text of [`RevJson`].
    pub rev_json: String,
    /// When it was built.
    pub created_at: TimestampMs,
}

/// `rev.json`: where a revision comes from and what it may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevJson {
    /// Name.
    pub rev_hash: RevHash,
    /// The bot it was built for.
    pub bot_id: BotId,
    /// Version of the spec.
    pub spec_version: u32,
    /// Logical name to file name.
    pub artifacts: BTreeMap<String, String>,
    /// How it was built.
    pub build: BuildInfo,
    /// `specSha256`, `botJsSha256`.
    pub hashes: BTreeMap<String, Sha256Hash>,
    /// Logical name to bytes.
    pub sizes: BTreeMap<String, u64>,
    /// What bot code may reach.
    pub security: Security,
    /// What the host needs to know of the spec.
    pub bot: BotPassport,
    /// Update kinds the bot reacts to, for `allowed_updates`.
    pub allowed_updates: Vec<String>,
    /// E-mail of who asked for it.
    pub author: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// Inputs of a build. All but `generator_git_sha` and `built_at` decide the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildInfo {
    /// `compiler`.
    pub model: String,
    /// Seed of generators that draw.
    pub seed: u64,
    /// Version of the helpers inside `bot.js`.
    pub sdk_version: String,
    /// Version of the AST filter's rules.
    pub ast_rules_version: String,
    /// Version of lowering and emission.
    pub compiler_version: String,
    /// Commit of the generator, or `unknown`.
    pub generator_git_sha: String,
    /// RFC 3339.
    pub built_at: String,
}

/// Limits of a revision's `apiCall`s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Security {
    /// `host` or `*.host`.
    pub allow_domains: Vec<String>,
    /// Largest answer in KiB.
    #[serde(rename = "maxApiResponseKB")]
    pub max_api_response_kb: u32,
}

/// What the host needs to know of a bot's spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BotPassport {
    /// `meta.name`.
    pub name: String,
    /// IANA time zone of `context.now`.
    pub timezone: String,
    /// Seconds after the last change until a chat's document is forgotten.
    pub state_ttl_sec: Option<u64>,
    /// Seconds that telemetry of the bot is kept. Passports of before this field have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analytics_ttl_sec: Option<u64>,
}
