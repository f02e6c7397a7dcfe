//! `security`: what a bot may reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// What a bot may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// Hosts an `apiCall` may call: `api.example.org`, or `*.example.org` for every host below `example.org`.
    #[serde(default, rename = "allowDomains")]
    #[schemars(length(max = 1000), extend("uniqueItems" = true), inner(length(min = 1, max = 255)))]
    pub allow_domains: Vec<String>,
    /// Largest answer of an `apiCall`, in units of 1,024 bytes.
    #[serde(default = "max_kb", rename = "maxApiResponseKB")]
    #[schemars(range(min = 1, max = limits::API_RESPONSE_KB))]
    pub max_api_response_kb: u32,
}

fn max_kb() -> u32 {
    limits::API_RESPONSE_KB
}

impl Default for Security {
    fn default() -> Self {
        Self {
            allow_domains: Vec::new(),
            max_api_response_kb: max_kb(),
        }
    }
}
