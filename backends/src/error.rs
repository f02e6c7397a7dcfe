//! Why an installation's storage could not be opened.

use botloom_core::ports::StoreError;
use botloom_core::{Coded, Kind};

use crate::clickhouse::ClickHouseError;
use crate::data_dir::DataDirError;
use crate::redis::RedisConnectError;
use crate::s3::S3Error;

/// Why the backends could not be connected. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database was written by a newer version of the software.
    #[error("the database has schema {found}, this version knows schemas up to {newest}")]
    SchemaTooNew {
        /// Number of an applied migration that this version does not have.
        found: i64,
        /// Number of the newest migration that this version has.
        newest: i64,
    },
    /// A migration that was applied is not the one of this version: the two come from different lines of development.
    #[error("migration {0} of the database is not the one that this version knows")]
    SchemaChanged(i64),
    /// The Redis is not one to keep an installation in.
    #[error(transparent)]
    Redis(#[from] RedisConnectError),
    /// The address of a service is not one.
    #[error("the address of {service} does not have the form {form}")]
    InvalidUrl {
        /// Name of the service.
        service: &'static str,
        /// What an address looks like.
        form: &'static str,
    },
    /// A service is older than what the software needs.
    #[error("{service} is of version {found}, at least {oldest} is needed")]
    ServerTooOld {
        /// Name of the service.
        service: &'static str,
        /// Its version.
        found: String,
        /// Oldest version that will do.
        oldest: String,
    },
    /// ClickHouse cannot be used.
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseError),
    /// The object store cannot be used.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// A store did not open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for ConnectError {
    fn kind(&self) -> Kind {
        match self {
            Self::DataDir(error) => error.kind(),
            Self::Redis(error) => error.kind(),
            Self::SchemaTooNew { .. } | Self::SchemaChanged(_) | Self::ServerTooOld { .. } => Kind::Conflict,
            Self::InvalidUrl { .. } => Kind::Invalid,
            Self::ClickHouse(error) => error.kind(),
            Self::S3(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::DataDir(error) => error.code(),
            Self::SchemaTooNew { .. } => "schema-too-new",
            Self::SchemaChanged(_) => "schema-changed",
            Self::Redis(error) => error.code(),
            Self::InvalidUrl { .. } => "service-url-invalid",
            Self::ServerTooOld { .. } => "server-too-old",
            Self::ClickHouse(error) => error.code(),
            Self::S3(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::DataDir(error) => error.outside(),
            Self::Redis(error) => error.outside(),
            Self::SchemaTooNew { found, newest } => format!(
                "The data was written by a newer version (schema {found}, this one knows {newest}); start that version."
            ),
            Self::SchemaChanged(version) => {
                format!(
                    "The data was written by another build (migration {version} differs); start that build."
                )
            }
            Self::InvalidUrl { service, form } => {
                format!("The address of {service} is not one; it has the form {form}.")
            }
            Self::ServerTooOld {
                service,
                found,
                oldest,
            } => format!("{service} is of version {found}, at least {oldest} is needed; upgrade it."),
            Self::ClickHouse(error) => error.outside(),
            Self::S3(error) => error.outside(),
            Self::Store(error) => error.outside(),
        }
    }
}
