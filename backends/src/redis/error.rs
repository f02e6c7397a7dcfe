//! What failures of Redis mean: why a link was refused, and what a failed command says about the store.

use botloom_core::ports::StoreError;
use botloom_core::{Coded, Kind};
use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::failures::note_failure;

/// Why a Redis was refused at the start. Nothing was written to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisConnectError {
    /// The address cannot be read. Holds no part of it: it may hold a password.
    #[error("the address of Redis is not valid: {0}")]
    Address(&'static str),
    /// The server lacks commands that are needed.
    #[error("Redis {0} is too old")]
    TooOld(String),
    /// The server may forget what it acknowledged.
    #[error("Redis is set up to lose data: {0}")]
    Volatile(String),
    /// The installation in this Redis was made with other constants.
    #[error("the installation in Redis has {found}, this node wants {wanted}")]
    Installation {
        /// What is stored.
        found: String,
        /// What this node is set to.
        wanted: String,
    },
    /// The installation in this Redis is being moved.
    #[error("the installation in Redis is being moved")]
    Moving,
}

impl Coded for RedisConnectError {
    fn kind(&self) -> Kind {
        match self {
            Self::Address(_) => Kind::Invalid,
            Self::TooOld(_) | Self::Volatile(_) | Self::Installation { .. } | Self::Moving => Kind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "redis-url-invalid",
            Self::TooOld(_) => "redis-too-old",
            Self::Volatile(_) => "redis-volatile",
            Self::Installation { .. } => "redis-installation-differs",
            Self::Moving => "redis-being-moved",
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::Address(why) => format!(
                "REDIS_URL is not valid: {why}. It reads redis://[user:password@]host:port[/database], rediss://… for \
                 TLS, or redis+cluster://[user:password@]host:port,host:port."
            ),
            Self::TooOld(version) => {
                format!("Redis {version} is too old; version 6.2 or later is needed.")
            }
            Self::Volatile(what) => format!(
                "Redis is set up to lose data that it acknowledged: {what}. Change this, or set \
                 BOTLOOM_REDIS_ALLOW_VOLATILE=true if loss is acceptable."
            ),
            Self::Installation { found, wanted } => format!(
                "The installation in this Redis was made with {found}, this node is set to {wanted}; all nodes must be \
                 set alike."
            ),
            Self::Moving => {
                "The installation in this Redis is being moved; start nodes when the move has ended."
                    .to_owned()
            }
        }
    }
}

/// What a failed command means for the caller of a port.
pub(super) fn store_error(error: RedisError) -> StoreError {
    let detail = error.detail().unwrap_or_default();
    match (error.kind(), error.code()) {
        // MISCONF: the server cannot write its file and refuses changes.
        (_, Some("OOM" | "MISCONF")) => StoreError::Full,
        // Before version 7 the reason stands inside the error of the script.
        (ErrorKind::Server(ServerErrorKind::ResponseError), _) if detail.contains("OOM command") => {
            StoreError::Full
        }
        (ErrorKind::UnexpectedReturnType | ErrorKind::Parse, _) | (_, Some("WRONGTYPE")) => {
            StoreError::Corrupt(error.to_string())
        }
        (ErrorKind::Server(ServerErrorKind::ResponseError), _)
            if detail.contains("user_script") || detail.contains("WRONGTYPE") =>
        {
            StoreError::Corrupt(error.to_string())
        }
        // Answers that callers reckon with.
        (_, Some("BUSYGROUP" | "NOGROUP")) => StoreError::unavailable(error),
        _ => {
            note_failure("redis");
            StoreError::unavailable(error)
        }
    }
}
