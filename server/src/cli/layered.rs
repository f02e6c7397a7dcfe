//! Reading the command line: arguments, then the environment, then, for commands that ask a server, the settings file.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use super::Cli;
use crate::config::{ConfigError, Layers, SETTINGS};

/// Why a command line cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misread {
    /// It is none, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The settings file cannot be used.
    #[error(transparent)]
    Settings(#[from] ConfigError),
}

/// Reads a command line.
pub(crate) fn parse(line: &[OsString]) -> Result<Cli, Misread> {
    let mut matches = without_empty_variables(Cli::command()).try_get_matches_from(line)?;
    if asks_a_server(&matches) {
        let file = matches.get_one::<PathBuf>("config");
        let layers = Layers::of_file(file.map(PathBuf::as_path))?;
        layers.check_client()?;
        let grammar = without_empty_variables(under_arguments(Cli::command(), &layers));
        matches = grammar.try_get_matches_from(line)?;
    }
    Ok(Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut Cli::command()))?)
}

/// Whether a command is one of a client: it says where the server is.
fn asks_a_server(mut matches: &ArgMatches) -> bool {
    while let Some((_, deeper)) = matches.subcommand() {
        matches = deeper;
    }
    matches.ids().any(|id| id == "server")
}

fn change(command: Command, how: &impl Fn(Arg) -> Arg) -> Command {
    command
        .mut_args(how)
        .mut_subcommands(|command| change(command, how))
}

/// A variable that is empty is not set, as for the settings of a server.
fn without_empty_variables(command: Command) -> Command {
    change(command, &|arg| {
        let is_empty = |name| std::env::var_os(name).is_some_and(|value| value.is_empty());
        if arg.get_env().is_some_and(is_empty) {
            arg.env(None)
        } else {
            arg
        }
    })
}

/// Values of the file, where neither arguments nor the environment say otherwise.
fn under_arguments(command: Command, layers: &Layers) -> Command {
    change(command, &|arg| {
        // A file is for all bots of a folder, the token is one bot's.
        let named = |key: &str| key != "BOTLOOM_BOT_TOKEN" && arg.get_env().is_some_and(|name| name == key);
        let setting = SETTINGS.iter().find(|setting| named(setting.key));
        let Some((setting, text)) = setting.and_then(|setting| Some((setting, layers.given(setting)?)))
        else {
            return arg;
        };
        arg.default_value(text.to_owned().leak() as &'static str)
            .hide_default_value(setting.secret)
    })
}
