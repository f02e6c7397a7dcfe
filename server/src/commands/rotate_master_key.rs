//! `botloom rotate-master-key`: every secret under the current master key.

use std::path::Path;

use botloom_core::reseal::reseal;

use crate::config::Config;
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;
use crate::{master_key, wiring};

/// Seals all secrets anew. A key in the data folder is replaced first; one from the settings must have been replaced there.
pub(crate) async fn rotate_master_key(file: Option<&Path>) -> CommandResult {
    let config = Config::load(file)?;
    let in_folder = config.master_key.is_none();
    if !in_folder && config.second_master_key.is_none() {
        return Err(CommandError::Other(
            "BOTLOOM_MASTER_KEY_SECOND is not set. Restart all nodes with the new key as the second one, then with the new key as \
             BOTLOOM_MASTER_KEY and the old one as the second, and run this again with these settings"
                .to_owned(),
        ));
    }
    // Embedded storage is locked from here on: no server seals under the old key meanwhile.
    let storage = wiring::open_storage(&config).await?;
    let folder = config.data_dir.as_path();
    if in_folder {
        master_key::replace(folder)?;
    }
    let vault = master_key::vault(&config, folder)?;
    let done = reseal(&*storage.ports.catalog, &vault).await;
    storage.close().await;
    let done = done.map_err(|error| CommandError::Other(error.to_string()))?;
    say(format!(
        "{} secret(s) are under the current master key, {} of them newly",
        done.secrets, done.renewed
    ));
    if in_folder {
        master_key::forget_previous(folder)?;
        say("the key is master.key in the data folder; back it up apart from the data");
    } else {
        say("BOTLOOM_MASTER_KEY_SECOND can be taken away from all nodes");
    }
    Ok(())
}
