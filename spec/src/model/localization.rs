//! `localization`: texts by locale and key.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Texts by locale, then by key; what a locale lacks comes from `meta.defaultLocale`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("additionalProperties" = {
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 128},
    "additionalProperties": {"type": "string"}
}))]
pub struct Localization(pub BTreeMap<String, BTreeMap<String, String>>);

impl Localization {
    /// The text of `key` in exactly `locale`, without fallback.
    pub fn get(&self, locale: &str, key: &str) -> Option<&str> {
        self.0.get(locale)?.get(key).map(String::as_str)
    }
}
