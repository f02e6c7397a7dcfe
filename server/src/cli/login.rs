//! Where the server is and who logs in: of what is given in several layers, the one nearest to the command counts.

use std::fmt;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use url::Url;

/// Where the server is and who logs in.
#[derive(Debug, Args)]
struct LoginArgs {
    /// The server.
    #[arg(
        long,
        value_name = "URL",
        env = "BOTLOOM_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    server: Url,
    /// E-mail of the account.
    #[arg(long, env = "BOTLOOM_EMAIL")]
    email: Option<String>,
    /// Password; asked for when it is missing. Prefer the environment variable: arguments are visible to others.
    #[arg(long, env = "BOTLOOM_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// File with an API token, readable for its owner alone; used instead of e-mail and password, as is the variable
    /// BOTLOOM_TOKEN.
    #[arg(long, value_name = "FILE", env = "BOTLOOM_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Refused as an argument: here for its variable.
    #[arg(
        long,
        hide = true,
        env = "BOTLOOM_TOKEN",
        hide_env = true,
        hide_env_values = true
    )]
    api_token: Option<String>,
}

/// Where a value was given, the farthest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    File,
    Environment,
    Argument,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "the settings file",
            Self::Environment => "the environment",
            Self::Argument => "the command line",
        })
    }
}

/// An API token to use.
#[derive(Debug, Clone)]
pub(crate) enum TokenGiven {
    /// Itself.
    Text { token: String, layer: Layer },
    /// The file that it is in.
    In(PathBuf),
    /// Both in one layer.
    Both,
}

/// Where the server is and who logs in.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub server: Url,
    pub email: Option<String>,
    pub password: Option<String>,
    /// The API token, unless e-mail or password are given nearer to the command.
    pub token: Option<TokenGiven>,
}

impl FromArgMatches for Login {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = LoginArgs::from_arg_matches(matches)?;
        let layer = |id: &str| {
            matches.value_source(id).map(|source| match source {
                ValueSource::CommandLine => Layer::Argument,
                ValueSource::EnvVariable => Layer::Environment,
                // None of them has a default of its own.
                _ => Layer::File,
            })
        };
        if layer("api_token") == Some(Layer::Argument) {
            let words = "an API token is no argument, since arguments are visible to others: set BOTLOOM_TOKEN, or name its \
                         file with --token-file\n";
            return Err(Error::raw(ErrorKind::UnknownArgument, words));
        }
        let (text, file) = (layer("api_token"), layer("token_file"));
        let account = layer("email").max(layer("password"));
        let token = match (given.api_token, given.token_file) {
            _ if text.max(file) < account => None,
            (Some(_), Some(_)) if text == file => Some(TokenGiven::Both),
            (Some(token), _) if text > file => text.map(|layer| TokenGiven::Text { token, layer }),
            (_, path) => path.map(TokenGiven::In),
        };
        Ok(Self {
            server: given.server,
            email: given.email,
            password: given.password,
            token,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Login {
    fn augment_args(command: Command) -> Command {
        LoginArgs::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        LoginArgs::augment_args_for_update(command)
    }
}
