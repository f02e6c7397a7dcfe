//! Whether the primaries of a cluster serve.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use botloom_core::ports::{StoreError, StoreResult};
use futures_util::future::join_all;
use redis::cmd;

use super::RedisLink;
use super::link::Primary;

/// The primaries of a cluster, as they were when somebody last said: who is asked for them may be the one that is away.
#[derive(Debug)]
pub(crate) struct Primaries {
    link: RedisLink,
    known: Mutex<Vec<Primary>>,
}

impl Primaries {
    pub(crate) fn new(link: &RedisLink) -> Self {
        Self {
            link: link.clone(),
            known: Mutex::default(),
        }
    }

    /// Asks each primary within `limit`; answers how many do not serve, of how many.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]: none serves.
    pub(crate) async fn away(&self, limit: Duration) -> StoreResult<(usize, usize)> {
        let mut known = self.known();
        if known.is_empty() {
            known = self.ask(limit / 2).await?;
        }
        let asked = known.iter().map(|primary| self.serves(primary, limit / 2));
        // What is learnt counts from the next look on.
        let (states, _) = tokio::join!(join_all(asked), self.ask(limit / 2));
        let (total, mut away, mut last) = (states.len(), 0, None);
        for state in states {
            if let Err(error) = state {
                away += 1;
                last = Some(error);
            }
        }
        match last {
            Some(error) if away == total => Err(error),
            _ => Ok((away, total)),
        }
    }

    fn known(&self) -> Vec<Primary> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self, limit: Duration) -> StoreResult<Vec<Primary>> {
        let asked = tokio::time::timeout(limit, self.link.primaries()).await;
        let primaries = asked.map_err(StoreError::unavailable)??;
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&primaries);
        Ok(primaries)
    }

    /// A primary that answers may still refuse everything, because it sees too little of the cluster.
    async fn serves(&self, primary: &Primary, limit: Duration) -> StoreResult<()> {
        let mut command = cmd("CLUSTER");
        command.arg("INFO");
        let asked = tokio::time::timeout(limit, self.link.run_on::<String>(primary, &command)).await;
        let info = asked.map_err(StoreError::unavailable)??;
        if info.lines().any(|line| line.trim() == "cluster_state:ok") {
            Ok(())
        } else {
            Err(StoreError::unavailable("the cluster is down"))
        }
    }
}
