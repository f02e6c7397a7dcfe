//! The three files of a revision.

use std::collections::BTreeMap;

use botloom_core::model::{ArtifactDigests, BotPassport, BuildInfo, RevJson, Security};
use botloom_core::{BotId, RevHash, Sha256Hash, TimestampMs};
use botloom_spec::{Accepted, allowed_updates};
use serde_json::json;

use crate::filter::MAX_SOURCE_BYTES;
use crate::{AST_RULES_VERSION, BuildError, COMPILER_VERSION, SDK_VERSION, compile, filter};

/// The generator that needs no language model.
pub const COMPILER: &str = "compiler";

const SECONDS_PER_DAY: u64 = 86_400;

/// What a build is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInputs {
    /// [`COMPILER`].
    pub model: String,
    /// Seed of generators that draw. The compiler draws nothing; the seed only names another revision.
    pub seed: u64,
    /// The bot.
    pub bot_id: BotId,
    /// Version of the spec. Changes neither program nor name.
    pub spec_version: u32,
    /// E-mail of who asks. Changes neither program nor name.
    pub author: Option<String>,
    /// When it was asked for. Changes neither program nor name.
    pub built_at: TimestampMs,
}

/// A revision that is not stored yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// Its name.
    pub rev_hash: RevHash,
    /// The program.
    pub bot_js: String,
    /// The canonical spec.
    pub spec_json: String,
    /// The passport.
    pub rev: RevJson,
    /// The passport as text.
    pub rev_json: String,
    /// Digests of the three texts.
    pub digests: ArtifactDigests,
}

/// The name of the revision that a spec and the inputs that decide the program give, whether it was built or not.
pub fn rev_hash(spec: &Accepted, model: &str, seed: u64) -> RevHash {
    // The seed is text: as a number a reader might round it.
    let inputs = json!([
        ["specSha256", Sha256Hash::of(&spec.canonical)],
        ["model", model],
        ["seed", seed.to_string()],
        ["sdkVersion", SDK_VERSION],
        ["astRulesVersion", AST_RULES_VERSION],
        ["compilerVersion", COMPILER_VERSION],
    ]);
    RevHash(Sha256Hash::of(inputs.to_string()))
}

/// Makes the files of a revision. The same spec and inputs give the same bytes.
///
/// Takes as long as the spec is large, some 100 ms at worst: call it where blocking is allowed.
pub fn build(spec: &Accepted, inputs: &BuildInputs) -> Result<Built, BuildError> {
    if inputs.model != COMPILER {
        return Err(BuildError::UnknownModel(inputs.model.clone()));
    }
    let meta = &spec.spec.meta;
    if meta.bot_id != inputs.bot_id.as_str() {
        return Err(BuildError::WrongBot {
            wanted: inputs.bot_id.clone(),
            found: meta.bot_id.clone(),
        });
    }
    let bot_js = compile(&spec.spec);
    if bot_js.len() > MAX_SOURCE_BYTES {
        return Err(BuildError::TooLarge(bot_js.len()));
    }
    filter(&bot_js, &spec.spec.security.allow_domains).map_err(BuildError::Unsafe)?;

    let rev_hash = rev_hash(spec, &inputs.model, inputs.seed);
    let digest_of_bot_js = Sha256Hash::of(&bot_js);
    let digest_of_spec = Sha256Hash::of(&spec.canonical);
    let rev = RevJson {
        rev_hash,
        bot_id: inputs.bot_id.clone(),
        spec_version: inputs.spec_version,
        artifacts: named([("botJs", "bot.js".to_owned()), ("spec", "spec.json".to_owned())]),
        build: BuildInfo {
            model: inputs.model.clone(),
            seed: inputs.seed,
            sdk_version: SDK_VERSION.to_owned(),
            ast_rules_version: AST_RULES_VERSION.to_owned(),
            compiler_version: COMPILER_VERSION.to_owned(),
            generator_git_sha: option_env!("BOTLOOM_GIT_SHA").unwrap_or("unknown").to_owned(),
            built_at: inputs.built_at.to_rfc3339(),
        },
        hashes: named([("botJsSha256", digest_of_bot_js), ("specSha256", digest_of_spec)]),
        sizes: named([("botJs", bytes(&bot_js)), ("spec", bytes(&spec.canonical))]),
        security: Security {
            allow_domains: spec.spec.security.allow_domains.clone(),
            max_api_response_kb: spec.spec.security.max_api_response_kb,
        },
        bot: BotPassport {
            name: meta.name.clone(),
            timezone: meta.timezone.clone(),
            state_ttl_sec: Some(u64::from(meta.retention.state_days) * SECONDS_PER_DAY),
            analytics_ttl_sec: Some(u64::from(meta.retention.analytics_days) * SECONDS_PER_DAY),
        },
        allowed_updates: allowed_updates(&spec.spec)
            .iter()
            .map(|&kind| kind.to_owned())
            .collect(),
        author: inputs.author.clone(),
        notes: None,
    };
    let rev_json = serde_json::to_string_pretty(&rev).expect("a passport is texts and numbers") + "\n";
    let digests = ArtifactDigests {
        bot_js: digest_of_bot_js,
        spec_json: digest_of_spec,
        rev_json: Sha256Hash::of(&rev_json),
    };
    Ok(Built {
        rev_hash,
        bot_js,
        spec_json: spec.canonical.clone(),
        rev,
        rev_json,
        digests,
    })
}

fn named<T, const N: usize>(entries: [(&str, T); N]) -> BTreeMap<String, T> {
    entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn bytes(text: &str) -> u64 {
    text.len() as u64
}
