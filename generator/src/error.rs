//! Why no revision was made.

use botloom_core::{BotId, Coded, Kind};

use crate::filter::{MAX_SOURCE_BYTES, Violation};

/// Why a spec was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no generator of this name; today there is `compiler` alone.
    #[error("there is no model {0:?}")]
    UnknownModel(String),
    /// The spec belongs to another bot.
    #[error("the spec is for the bot {found:?}, not for {wanted}")]
    WrongBot {
        /// The bot to build for.
        wanted: BotId,
        /// `meta.botId` of the spec.
        found: String,
    },
    /// The program is larger than a sandbox takes.
    #[error("the program has {0} bytes")]
    TooLarge(usize),
    /// The AST filter refused the program.
    #[error("the program breaks {} rules, first {}", .0.len(), .0.first().map_or_else(String::new, ToString::to_string))]
    Unsafe(Vec<Violation>),
    /// The program was not made within the time a build may take.
    #[error("the program was not made in time")]
    TooSlow,
}

impl Coded for BuildError {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownModel(_) => Kind::Invalid,
            Self::WrongBot { .. } | Self::Unsafe(_) => Kind::Conflict,
            Self::TooLarge(_) => Kind::TooLarge,
            Self::TooSlow => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel(_) => "unsupported-model",
            Self::WrongBot { .. } => "wrong-bot",
            Self::TooLarge(_) => "program-too-large",
            Self::Unsafe(_) => "unsafe-program",
            Self::TooSlow => "build-timeout",
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::UnknownModel(_) => "There is no such model; use `compiler`.".to_owned(),
            Self::WrongBot { wanted, found } => {
                format!("The spec is for the bot `{found}`, not for `{wanted}`.")
            }
            Self::TooLarge(bytes) => {
                format!("The program of this bot has {bytes} bytes; at most {MAX_SOURCE_BYTES} are allowed.")
            }
            Self::Unsafe(violations) => {
                let first = violations.first().map_or_else(String::new, ToString::to_string);
                format!(
                    "The program breaks {} rules of safe programs, first: {first}.",
                    violations.len()
                )
            }
            Self::TooSlow => "The program of this bot could not be made in time; try again.".to_owned(),
        }
    }
}
