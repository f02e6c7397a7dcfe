//! The folder that holds everything of an embedded installation, used by one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use botloom_core::{Coded, Kind};

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process uses it.
    #[error("the data folder {} is in use by another process", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It cannot be made, entered or written.
    #[error("the data folder {} cannot be used: {source}", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Coded for DataDirError {
    fn kind(&self) -> Kind {
        match self {
            Self::InUse { .. } => Kind::Conflict,
            Self::Unusable { .. } => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "data-dir-in-use",
            Self::Unusable { .. } => "data-dir-unusable",
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::InUse { .. } => "Another server uses this data folder; stop it, or name another folder.",
            Self::Unusable { .. } => {
                "The data folder cannot be made or written; check its path and its permissions."
            }
        }
        .to_owned()
    }
}

/// A data folder that this process has to itself until the last clone is dropped, or the process ends however it ends.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: Arc<Path>,
    _lock: Arc<File>,
}

impl DataDir {
    /// Opens the folder at `path`. A folder that is not there is made, with its parents, for its owner alone; the mode
    /// of one that is there stays. Refuses a folder that another process has open.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::Unusable {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        // The file stays behind when the process ends: only the lock on it means something.
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.into(),
                _lock: Arc::new(lock),
            }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// The folder, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database of the control plane.
    pub fn control_db(&self) -> PathBuf {
        self.path.join("control.db")
    }

    /// The database of the runtime.
    pub fn runtime_db(&self) -> PathBuf {
        self.path.join("runtime.db")
    }

    /// The database of the telemetry, where the control plane's is elsewhere.
    pub fn analytics_db(&self) -> PathBuf {
        self.path.join("analytics.db")
    }

    /// Telemetry on its way to ClickHouse.
    pub fn spool(&self) -> PathBuf {
        self.path.join("spool")
    }

    /// Copies of artifacts that are kept in a bucket.
    pub fn artifact_cache(&self) -> PathBuf {
        self.path.join("cache").join("artifacts")
    }

    /// The folder of the artifacts.
    pub fn artifacts(&self) -> PathBuf {
        self.path.join("artifacts")
    }
}
