//! How a suite offers its cases to the backends.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::Barrier;

use crate::time::TimestampMs;

/// What a case answers: assertions panic, an error of the port ends the case.
pub type CaseResult = Result<(), Box<dyn Error + Send + Sync>>;

/// When the suites play.
pub(super) const T0: TimestampMs = TimestampMs(1_795_200_000_000);

/// Names the cases of a suite, once. Makes `run(case, port)` and the macro `$tests!`, which a backend's test file
/// calls with an expression that makes a fresh port and a guard to keep alive: `$tests!(make().await)`. It becomes one
/// test per case; each suite needs a module of its own. A case that is not named here is dead code, so none can be
/// forgotten.
macro_rules! cases {
    (($d:tt) $tests:ident, $($suite:ident)::+, $port:ty, [$($case:ident),+ $(,)?]) => {
        /// Runs the case of this name against a fresh port.
        pub async fn run(case: &str, port: $port) {
            let outcome: $crate::testing::conformance::CaseResult = match case {
                $(stringify!($case) => Box::pin($case(port)).await,)+
                unknown => panic!("the suite has no case {unknown}"),
            };
            if let Err(error) = outcome {
                panic!("{case}: {error:?}");
            }
        }

        #[doc = concat!("One test per case of the suite `", stringify!($($suite)::+), "`.")]
        #[macro_export]
        macro_rules! $tests {
            ($d make:expr) => {
                use $d crate::testing::conformance::$($suite)::+ as suite;
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $case() {
                        let (port, _guard) = $d make;
                        suite::run(stringify!($case), port).await;
                    }
                )+
            };
        }
    };
}
pub(super) use cases;

/// Starts `callers` calls at the same moment, each in a task of its own, and waits for their answers.
pub(super) async fn race<T, F>(callers: usize, call: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let gate = Arc::new(Barrier::new(callers));
    let running: Vec<_> = (0..callers)
        .map(|caller| {
            let (gate, call) = (Arc::clone(&gate), call(caller));
            tokio::spawn(async move {
                gate.wait().await;
                call.await
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(callers);
    for task in running {
        answers.push(task.await.expect("a panic of a caller fails the case"));
    }
    answers
}
