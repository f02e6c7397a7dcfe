//! An open loop: requests begin when they are due, however long earlier ones take, and their time counts from then.
//!
//! A closed loop asks less while the server is slow and so leaves out the very requests that would have waited.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Timed<T> {
    /// From when it was due to its answer.
    pub took: Duration,
    /// From when it was due until it began: what the load generator itself is late.
    pub late: Duration,
    pub outcome: T,
}

/// All requests of a load.
#[derive(Debug)]
pub(crate) struct Load<T> {
    pub requests: Vec<Timed<T>>,
    /// From the first request to the last answer.
    pub wall: Duration,
}

/// Begins `request(0)`, `request(1)`, … evenly at this rate for this long, and waits for their ends.
pub(crate) async fn run<T, F>(
    per_second: f64,
    length: Duration,
    request: impl Fn(u64) -> F + Send + 'static,
) -> Result<Load<T>, String>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let handle = Handle::current();
    let started = Instant::now();
    // A thread of its own: the timer of the async threads knows whole milliseconds only, which are about what a read takes.
    let begun = tokio::task::spawn_blocking(move || {
        let mut under_way = JoinSet::new();
        for number in 0.. {
            #[expect(clippy::cast_precision_loss, reason = "a time of the run")]
            let offset = Duration::from_secs_f64(number as f64 / per_second);
            if offset >= length {
                break;
            }
            let due = started + offset;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let work = request(number);
            under_way.spawn_on(
                async move {
                    let late = due.elapsed();
                    let outcome = work.await;
                    let took = due.elapsed();
                    (offset + took, Timed { took, late, outcome })
                },
                &handle,
            );
        }
        under_way
    });
    let mut under_way = begun.await.map_err(|error| error.to_string())?;
    let mut load = Load {
        requests: Vec::with_capacity(under_way.len()),
        wall: Duration::ZERO,
    };
    while let Some(ended) = under_way.join_next().await {
        let (at, request) = ended.map_err(|error| error.to_string())?;
        load.wall = load.wall.max(at);
        load.requests.push(request);
    }
    Ok(load)
}
