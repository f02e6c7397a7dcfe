//! Waiting for what the API will tell.

use std::time::Duration;

use serde_json::Value;

/// How long a test waits for something that has to come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Looks until something tells of this `state`; answers it.
pub(crate) async fn until_state(state: &str, look: impl AsyncFn() -> Value) -> Value {
    let waiting = async {
        loop {
            let found = look().await;
            if found["state"] == state {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if let Ok(found) = tokio::time::timeout(PATIENCE, waiting).await {
        return found;
    }
    panic!("not {state}: {}", look().await)
}
