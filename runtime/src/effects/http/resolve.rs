//! Names to addresses, as a port, so that tests can answer like a hostile name server.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use async_trait::async_trait;
use tokio::sync::Semaphore;

/// Lookups of the process at once. A lookup holds a thread until the name server answers or the system gives up, long
/// after the call that wanted it timed out; the rest of the runtime's blocking threads stay free for files and stores.
static LOOKUPS: Semaphore = Semaphore::const_new(64);

/// Resolves names.
#[async_trait]
pub trait Resolve: Debug + Send + Sync {
    /// All addresses of `host`.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = look_up(host, 443).await?;
        Ok(found.into_iter().map(|address| address.ip()).collect())
    }
}

/// All addresses of `host`, as the machine resolves it. Waits while too many lookups are under way.
pub(super) async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let host = host.to_owned();
    blocking(&LOOKUPS, move || {
        Ok((host.as_str(), port).to_socket_addrs()?.collect())
    })
    .await
}

/// Does `work` on a thread of its own, with a permit that is held until the work ends, whoever still waits for it.
async fn blocking<T: Send + 'static>(
    permits: &'static Semaphore,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let permit = permits.acquire().await.map_err(io::Error::other)?;
    tokio::task::spawn_blocking(move || {
        let _held = permit;
        work()
    })
    .await
    .map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_lookup_nobody_waits_for_still_counts() {
        static PERMITS: Semaphore = Semaphore::const_new(1);
        let (answer, name_server) = mpsc::channel::<()>();
        let stuck = blocking(&PERMITS, move || name_server.recv().map_err(io::Error::other));
        tokio::time::timeout(Duration::from_millis(50), stuck)
            .await
            .unwrap_err();
        assert_eq!(PERMITS.available_permits(), 0, "its thread is still taken");
        answer.send(()).unwrap();
        assert_eq!(blocking(&PERMITS, || Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn the_machine_knows_itself() {
        let found = SystemResolver.resolve("localhost").await.unwrap();
        assert!(
            !found.is_empty() && found.iter().all(IpAddr::is_loopback),
            "{found:?}"
        );
        assert_eq!(
            look_up("192.0.2.1", 80).await.unwrap(),
            ["192.0.2.1:80".parse().unwrap()]
        );
    }
}
