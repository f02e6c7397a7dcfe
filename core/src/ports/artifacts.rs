//! Port: files of revisions.

use std::fmt::{self, Debug};
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Coded, Kind};
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, InvalidId};

/// The files of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArtifactName {
    /// The program.
    BotJs,
    /// The canonical spec it was built from.
    SpecJson,
    /// The passport.
    RevJson,
}

impl ArtifactName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BotJs, Self::SpecJson, Self::RevJson];

    /// File name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BotJs => "bot.js",
            Self::SpecJson => "spec.json",
            Self::RevJson => "rev.json",
        }
    }
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ArtifactName {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or(InvalidId {
                what: "artifact name",
            })
    }
}

/// Why an artifact could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// There is none under this name.
    #[error("the artifact does not exist")]
    Missing,
    /// The bytes do not have the digest they must have.
    #[error("the artifact is corrupt")]
    Corrupt,
    /// Other bytes are stored under this name.
    #[error("other bytes are stored under this name")]
    Conflict,
    /// The store is away or full.
    #[error("the artifact store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Coded for ArtifactError {
    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::NotFound,
            Self::Corrupt | Self::Conflict => Kind::Conflict,
            Self::Unavailable(_) => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "artifact-missing",
            Self::Corrupt => "artifact-corrupt",
            Self::Conflict => "artifact-conflict",
            Self::Unavailable(_) => "unavailable",
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::Missing => "A file of the revision is missing; generate the revision again.",
            Self::Corrupt => "A file of the revision was changed after it was stored; it is not used.",
            Self::Conflict => "A file of this name is stored with other content; revisions never change.",
            Self::Unavailable(_) => "The artifact store is unavailable; try again.",
        }
        .to_owned()
    }
}

/// Files under `bots/<botId>/<revHash>/<name>`. Immutable.
#[async_trait]
pub trait Artifacts: Debug + Send + Sync {
    /// Stores a file if there is none: atomic, durable when it returns. The same bytes again are no error; other bytes
    /// are `Conflict` and change nothing. Of concurrent calls with different bytes exactly one wins.
    async fn put(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
        bytes: Bytes,
    ) -> Result<(), ArtifactError>;

    /// Reads a file and compares its digest with `expected` on every call.
    async fn get(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
        expected: &Sha256Hash,
    ) -> Result<Bytes, ArtifactError>;

    /// Reads a file whose digest nobody knows any more. The caller must not believe it before it has compared it with
    /// something that it knows.
    async fn get_unchecked(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
    ) -> Result<Bytes, ArtifactError>;
}
