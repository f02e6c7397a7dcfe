//! Are the files of the revision all there, unchanged, and still what the filter allows?

use botloom_core::Sha256Hash;
use botloom_core::model::{Deployment, RevJson};
use botloom_core::ports::ArtifactName;

use super::{StepDone, StepFailed};
use crate::{Deps, code};

pub(super) async fn run(deps: &Deps, row: &Deployment) -> Result<StepDone, StepFailed> {
    let revision = deps
        .ports
        .catalog
        .revision(&row.to_rev)
        .await?
        .filter(|revision| revision.bot == row.bot)
        .ok_or_else(|| StepFailed::final_(code::ARTIFACT_MISSING, "The revision does not exist."))?;
    let digests = revision.digests;
    let source = read(deps, row, ArtifactName::BotJs, &digests.bot_js).await?;
    read(deps, row, ArtifactName::SpecJson, &digests.spec_json).await?;
    let passport = read(deps, row, ArtifactName::RevJson, &digests.rev_json).await?;

    let passport: RevJson = serde_json::from_slice(&passport).map_err(|_| {
        StepFailed::final_(
            code::ARTIFACT_CORRUPT,
            "rev.json is not the passport of a revision.",
        )
    })?;
    if passport.rev_hash != row.to_rev || passport.bot_id != row.bot {
        return Err(StepFailed::final_(
            code::ARTIFACT_CORRUPT,
            "rev.json belongs to another revision.",
        ));
    }
    let source = std::str::from_utf8(&source)
        .map_err(|_| StepFailed::final_(code::ARTIFACT_CORRUPT, "bot.js is not UTF-8 text."))?;
    if let Err(violations) = botloom_generator::filter(source, &passport.security.allow_domains) {
        let first = violations.first().map_or_else(String::new, ToString::to_string);
        return Err(StepFailed::final_(
            code::UNSAFE_PROGRAM,
            format!("bot.js is refused: {first}"),
        ));
    }
    Ok(StepDone::Plain(Some(format!(
        "version {}, {} bytes",
        revision.spec_version,
        source.len()
    ))))
}

async fn read(
    deps: &Deps,
    row: &Deployment,
    name: ArtifactName,
    expected: &Sha256Hash,
) -> Result<bytes::Bytes, StepFailed> {
    let read = deps
        .ports
        .artifacts
        .get(&row.bot, &row.to_rev, name, expected)
        .await;
    read.map_err(|error| {
        tracing::warn!(bot = %row.bot, rev = %row.to_rev, %name, ?error, "an artifact cannot be used");
        StepFailed::of(&error)
    })
}
