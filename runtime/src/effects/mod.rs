//! What the host does for bot code between two calls of `handle`.

mod http;
mod matcher;

pub(crate) use http::{AllowList, Attempt, is_callable};
pub use http::{DevHosts, Guard, InvalidDevHosts, Resolve, SystemResolver, is_public};
pub(crate) use matcher::Matcher;

use botloom_core::bot_js::{ApiCall, ApiCallError};
use serde_json::value::RawValue;

/// How an `apiCall` ended: status and JSON, or why not.
pub(crate) type ApiOutcome = Result<(u16, Option<Box<RawValue>>), (ApiCallError, Option<u16>)>;

/// Who makes `apiCall`s: the guarded client, a script of answers, or nobody.
pub(crate) trait ApiCalls: Send + Sync {
    /// Makes the call. `attempt` holds what the revision allows.
    fn call(&self, call: &ApiCall, attempt: Attempt<'_>) -> impl Future<Output = ApiOutcome> + Send;
}

impl ApiCalls for Guard {
    async fn call(&self, call: &ApiCall, attempt: Attempt<'_>) -> ApiOutcome {
        Self::call(self, call, attempt).await
    }
}

/// A world without a network: every call is denied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Denied;

impl ApiCalls for Denied {
    async fn call(&self, _: &ApiCall, _: Attempt<'_>) -> ApiOutcome {
        Err((ApiCallError::Denied, None))
    }
}
