//! `apiCall`: call a JSON API.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::limits;

/// Calls a JSON API and stores parts of its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ApiCall {
    /// Unique in the flow.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub id: String,
    /// HTTP method.
    pub method: Method,
    /// `https` URL whose host is in `security.allowDomains`; placeholders allowed after the host.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    /// Headers; placeholders allowed in values.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub headers: BTreeMap<String, String>,
    /// Added to the URL's query; placeholders allowed in values.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64))]
    pub query: BTreeMap<String, Scalar>,
    /// JSON body whose strings may hold placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("type" = ["string", "number", "boolean", "object", "array"]))]
    pub body: Option<Value>,
    /// Milliseconds for one request, from connecting to the last byte.
    #[serde(default = "timeout_ms")]
    #[schemars(range(min = 1, max = limits::API_TIMEOUT_MS))]
    pub timeout_ms: u32,
    /// Further requests after the first.
    #[serde(default)]
    #[schemars(range(max = limits::API_RETRIES))]
    pub retries: u32,
    /// Pauses before further requests.
    #[serde(default)]
    pub backoff: Backoff,
    /// State key → JSON Pointer (RFC 6901) into the answer.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64))]
    pub map: BTreeMap<String, String>,
    /// What happens on failure.
    #[serde(default)]
    pub on_error: OnError,
}

fn timeout_ms() -> u32 {
    limits::API_TIMEOUT_MS
}

/// HTTP methods of an `apiCall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names are the methods")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The method's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A value of a query parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Text, placeholders allowed.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Boolean(bool),
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// Pauses between requests: `baseMs`, then each `factor` times the one before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Backoff {
    /// First pause in milliseconds.
    #[serde(default = "base_ms")]
    #[schemars(range(max = limits::BACKOFF_BASE_MS))]
    pub base_ms: u32,
    /// Growth.
    #[serde(default = "factor")]
    #[schemars(range(min = 1, max = 10))]
    pub factor: f64,
}

fn base_ms() -> u32 {
    100
}

fn factor() -> f64 {
    2.0
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base_ms: base_ms(),
            factor: factor(),
        }
    }
}

/// What happens when a call fails for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnError {
    /// Step of the same flow to go to; absent: the flow ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub goto: Option<String>,
}
