//! The mark of an installation that is being moved: no node starts on it.

use std::time::Duration;

use botloom_core::ports::StoreResult;
use redis::cmd;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{RedisConnectError, RedisLink};
use crate::ConnectError;

/// Where the mark is.
const MARK: &str = "botloom:moving";
/// How long a mark stays when the process that moves is gone.
const LIFE: Duration = Duration::from_secs(30);
/// How often the process that moves renews it.
const RENEW: Duration = Duration::from_secs(5);

/// A mark that stays until [`MoveMark::end`]; dropped without it, until it expires.
#[derive(Debug)]
pub(crate) struct MoveMark {
    link: RedisLink,
    renewing: JoinHandle<()>,
}

impl MoveMark {
    /// Marks the installation.
    ///
    /// # Errors
    ///
    /// [`RedisConnectError::Moving`]: it is marked already.
    pub(crate) async fn set(link: &RedisLink) -> Result<Self, ConnectError> {
        let mut set = cmd("SET");
        set.arg(MARK).arg(Uuid::new_v4().to_string()).arg("NX");
        set.arg("PX").arg(millis(LIFE));
        if link.run::<Option<String>>(&set).await?.is_none() {
            return Err(RedisConnectError::Moving.into());
        }
        let mut renew = cmd("PEXPIRE");
        renew.arg(MARK).arg(millis(LIFE));
        let renewed = link.clone();
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW).await;
                if let Err(error) = renewed.run::<u8>(&renew).await {
                    tracing::warn!(?error, "the mark of the move was not renewed, it is tried again");
                }
            }
        });
        Ok(Self {
            link: link.clone(),
            renewing,
        })
    }

    /// Takes the mark away.
    pub(crate) async fn end(self) {
        let ended: StoreResult<u64> = self.link.run(cmd("DEL").arg(MARK)).await;
        if let Err(error) = ended {
            tracing::warn!(?error, "the mark of the move stays until it expires");
        }
    }
}

impl Drop for MoveMark {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// Refuses an installation that is being moved.
///
/// # Errors
///
/// [`RedisConnectError::Moving`].
pub(crate) async fn refuse_moving(link: &RedisLink) -> Result<(), ConnectError> {
    let marked: bool = link.run(cmd("EXISTS").arg(MARK)).await?;
    if marked {
        Err(RedisConnectError::Moving.into())
    } else {
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
