//! Specs, revisions and chats.

use std::collections::BTreeMap;

use botloom_core::TimestampMs;
use botloom_core::bot_js::Ambiguous;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::{BotId, Lane};
use botloom_core::model::{ArtifactDigests, BotPassport, BuildInfo, RevJson, RevisionRow, Security};
use botloom_core::ports::{
    ArtifactName, Commit, CommitOutcome, DedupKey, Fail, Ingest, IngestOutcome, NextTurn, OutClass,
    OutMessage, Ports, StateChange,
};
use serde_json::{Value, json};

/// A small spec that greets with `text`.
pub(crate) fn spec(bot: &str, text: &str) -> Value {
    json!({
        "meta": { "botId": bot, "name": "A bot", "locales": ["en"], "defaultLocale": "en", "schema_ver": 1 },
        "commands": [{ "command": "/start", "flow": "main" }, { "command": "/help", "flow": "main" }],
        "intents": [],
        "flows": [{ "id": "main", "steps": [{ "id": "hello", "type": "reply", "text": text }] }],
        "state": { "keys": {} },
        "localization": { "en": {} },
        "telemetry": { "events": [] },
        "security": { "allowDomains": [], "maxApiResponseKB": 64 },
    })
}

/// Stores a revision of a bot as the generator does; `seed` makes it another one.
pub(crate) async fn revision(ports: &Ports, bot: &str, seed: &str) -> RevHash {
    revision_of(ports, bot, seed, 1).await
}

/// The same of this version, and live at once.
pub(crate) async fn live(ports: &Ports, bot: &str, version: u32) -> RevHash {
    let rev = revision_of(ports, bot, &version.to_string(), version).await;
    let bot: BotId = bot.parse().unwrap();
    let seen = ports.catalog.bot(&bot).await.unwrap().unwrap().epoch;
    ports.catalog.activate(&bot, seen, rev).await.unwrap().unwrap();
    rev
}

/// The same, of this version of the spec.
pub(crate) async fn revision_of(ports: &Ports, bot: &str, seed: &str, spec_version: u32) -> RevHash {
    let bot: BotId = bot.parse().unwrap();
    let rev_hash = RevHash(Sha256Hash::of(format!("{bot} {seed}")));
    let bot_js = format!("// {seed}\nexport function handle() {{}}\n");
    let spec_json = "{}".to_owned();
    let passport = RevJson {
        rev_hash,
        bot_id: bot.clone(),
        spec_version,
        artifacts: BTreeMap::from([("botJs".to_owned(), "bot.js".to_owned())]),
        build: BuildInfo {
            model: "compiler".into(),
            seed: 0,
            sdk_version: "1".into(),
            ast_rules_version: "1".into(),
            compiler_version: "1".into(),
            generator_git_sha: "unknown".into(),
            built_at: "2026-01-01T00:00:00Z".into(),
        },
        hashes: BTreeMap::new(),
        sizes: BTreeMap::new(),
        security: Security {
            allow_domains: Vec::new(),
            max_api_response_kb: 64,
        },
        bot: BotPassport {
            name: "A bot".into(),
            timezone: "UTC".into(),
            state_ttl_sec: None,
            analytics_ttl_sec: None,
        },
        allowed_updates: vec!["message".into(), "callback_query".into()],
        author: None,
        notes: None,
    };
    let rev_json = serde_json::to_string(&passport).unwrap();
    let digests = ArtifactDigests {
        bot_js: Sha256Hash::of(&bot_js),
        spec_json: Sha256Hash::of(&spec_json),
        rev_json: Sha256Hash::of(&rev_json),
    };
    let files = [
        (ArtifactName::BotJs, bot_js),
        (ArtifactName::SpecJson, spec_json),
        (ArtifactName::RevJson, rev_json.clone()),
    ];
    for (name, text) in files {
        ports
            .artifacts
            .put(&bot, &rev_hash, name, text.into())
            .await
            .unwrap();
    }
    let created_at = TimestampMs(1_790_000_000_000);
    let row = RevisionRow {
        rev_hash,
        bot,
        spec_version,
        digests,
        rev_json,
        created_at,
    };
    assert!(ports.catalog.add_revision(&row).await.unwrap());
    rev_hash
}

/// A chat that remembers something, has a message to send, and two updates, the first of which failed and is tried again a
/// minute later.
pub(crate) async fn stuck_chat(ports: &Ports, bot: &str, chat: i64) {
    let lane = Lane {
        bot: bot.parse().unwrap(),
        chat: chat.into(),
    };
    let update = |id: i64, want_turn: bool| Ingest {
        lane: lane.clone(),
        dedup: DedupKey::Update(id),
        envelope: "{}".into(),
        accepted_at: ports.clock.now(),
        trace: None,
        want_turn,
    };
    let taken = ports.lanes.ingest(vec![update(1, true)]).await.unwrap();
    let [IngestOutcome::Granted(turn)] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    ports
        .lanes
        .ingest(vec![update(2, false), update(3, false)])
        .await
        .unwrap();
    let document = json!({
        "v": { "size": 40, "phone": "+49", "old": 1 }, "x": {}, "w": { "f": "order", "s": "address" },
    });
    let commit = Commit {
        lease: turn.lease.clone(),
        revision: None,
        updates: 1,
        state: StateChange::Put {
            document: document.to_string().into(),
            ttl_ms: None,
        },
        messages: vec![OutMessage {
            method: "sendMessage".into(),
            params: r#"{"chat_id":5,"text":"hi"}"#.into(),
            class: OutClass::Reply,
            not_after: None,
            ambiguous: Ambiguous::Resend,
            cause: "1".into(),
            trace: None,
        }],
        want_out: false,
        next: NextTurn::Keep,
        charge: 0,
    };
    let committed = ports.lanes.commit(vec![commit]).await.unwrap().remove(0);
    let CommitOutcome::Committed { next: Some(next), .. } = committed else {
        panic!("{committed:?}");
    };
    let fail = Fail {
        lease: next.lease,
        max_attempts: 3,
        retry_at: ports.clock.now().plus(60_000),
        reason: "script_error".into(),
        detail: "it threw".into(),
    };
    ports.lanes.fail(fail).await.unwrap();
}
