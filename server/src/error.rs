//! How a command fails: one line that names the fault, one that says what to do.

use std::path::PathBuf;

use crate::config::ConfigError;

/// Why a command ended without doing its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// The spec has errors; the findings were printed.
    #[error("{file}: {errors} error(s)")]
    InvalidSpec { file: String, errors: usize },
    /// The conversation went another way than its script says.
    #[error("{0}")]
    Script(String),
    /// The server could not start.
    #[error("{0}")]
    Start(String),
    /// The API answered with a problem.
    #[error("{0}")]
    Api(String),
    /// What was compared differs; the differences were printed.
    #[error("there are differences")]
    Differences,
    /// Everything is as it was: nothing could be done about what was asked for, or about a part of it.
    #[error("{0}")]
    NothingDone(String),
    /// Options that do not go together.
    #[error("{0}")]
    Usage(String),
    /// Told to stop, by the signal with this number.
    #[error("stopped")]
    Stopped(i32),
    /// Something else, in words.
    #[error("{0}")]
    Other(String),
}

impl CommandError {
    /// What goes wrong with a file.
    pub(crate) fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File {
            path: path.clone(),
            source,
        }
    }

    /// The code that the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Differences => 2,
            Self::NothingDone(_) => 3,
            Self::Usage(_) => WRONG_USAGE,
            // What shells make of a signal.
            Self::Stopped(signal) => u8::try_from(128 + signal).unwrap_or(1),
            _ => 1,
        }
    }
}

/// Exit code of a command line that cannot be read: the one of `sysexits.h`, because 2 means differences.
pub(crate) const WRONG_USAGE: u8 = 64;

/// Result of a command.
pub(crate) type CommandResult = Result<(), CommandError>;

/// Reads a file, naming it in the error.
pub(crate) fn read(path: &std::path::Path) -> Result<Vec<u8>, CommandError> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let read = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes);
        return read.map(|_| bytes).map_err(|source| CommandError::File {
            path: path.to_owned(),
            source,
        });
    }
    std::fs::read(path).map_err(|source| CommandError::File {
        path: path.to_owned(),
        source,
    })
}
