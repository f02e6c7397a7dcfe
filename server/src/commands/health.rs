//! `botloom health`: does a server take work; for health checks of containers.

use url::Url;

use crate::api_client::Api;
use crate::error::CommandResult;
use crate::terminal::say;

/// Asks `/readyz`; fails with what is wrong.
pub(crate) async fn health(server: &Url) -> CommandResult {
    Api::new(server).hastily().get("/readyz").await?.ok()?;
    say("ready");
    Ok(())
}
