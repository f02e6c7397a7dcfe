//! `botloom config`: what is in force, and where it comes from.

use std::path::Path;

use crate::config::{Config, Layers, SETTINGS};
use crate::error::CommandResult;
use crate::terminal::say;

/// Prints every setting; secrets as `***`. Fails like `serve` would if one cannot be used.
pub(crate) fn config(file: Option<&Path>) -> CommandResult {
    let layers = Layers::read(file, std::env::vars())?;
    for setting in SETTINGS {
        let value = layers.get(setting);
        let text = match (setting.secret, value.text.is_empty()) {
            (_, true) => String::new(),
            (true, false) => "***".to_owned(),
            (false, false) => value.text,
        };
        say(format!("{} = {text:?}  # {}", setting.key, value.source));
    }
    Config::from_layers(&layers)?;
    Ok(())
}
