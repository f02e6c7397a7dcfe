//! `botloom deploy`: a version, or a revision, goes live.

use super::apply;
use super::going_live::{built, newest_version, see_through};
use crate::api_client::Api;
use crate::cli::releases::DeployArgs;
use crate::error::CommandResult;
use crate::terminal::{note, say};

/// Builds what is not built yet, and deploys it.
pub(crate) async fn deploy(args: &DeployArgs) -> CommandResult {
    let api = Api::login(&args.at.login).await?;
    let revision = if let Some(revision) = &args.revision {
        revision.clone()
    } else {
        let version = match args.version {
            Some(version) => version.into(),
            None => newest_version(&api, &args.bot).await?,
        };
        let revision = built(&api, &args.bot, version).await?;
        let line = format!("version {version} is revision {revision}");
        if args.at.json {
            note(line);
        } else {
            say(line);
        }
        revision
    };
    let task = apply::deploy(&api, &args.bot, &revision).await?;
    see_through(&api, &task, args.wait, &args.at).await
}
