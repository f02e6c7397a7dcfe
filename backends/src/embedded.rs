//! Everything of an installation that is one process: ports over one data folder.

use botloom_core::ports::LaneLimits;
use botloom_core::time::SharedClock;

use crate::connect::{Connected, ServiceOptions, StorageOptions, connect};
use crate::data_dir::DataDir;
use crate::error::ConnectError;

/// What the embedded backends are made of.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Where everything is kept.
    pub data_dir: DataDir,
    /// Tells the time to the lanes and to everybody who gets the ports.
    pub clock: SharedClock,
    /// Numbers of the lanes.
    pub lane_limits: LaneLimits,
}

/// Opens or makes the files of a data folder and brings their schemas up to date.
pub async fn connect_embedded(options: EmbeddedOptions) -> Result<Connected, ConnectError> {
    let EmbeddedOptions {
        data_dir,
        clock,
        lane_limits,
    } = options;
    connect(StorageOptions {
        data_dir,
        clock,
        lane_limits,
        services: ServiceOptions::default(),
    })
    .await
}
