//! Regular expressions of bot authors.

use regex::{Regex, RegexBuilder};

use super::InvalidTest;

/// Longest expression, in bytes.
const MAX_PATTERN: usize = 4_096;
/// Memory of an ordinary compiled expression, in bytes: the unit in which the cache counts.
const ORDINARY: usize = 64 * 1024;
/// Memory of any compiled expression, in bytes: bounds `(a{1000}){1000}`. What the validator of specs lets through fits.
pub(super) const MAX_COMPILED: usize = 12 * 1024 * 1024;
/// Memory that matching may take for its tables; without it matching goes on, more slowly.
const MAX_TABLES: usize = 1024 * 1024;

/// A compiled expression and its share of the cache.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    pub(super) weight: u32,
}

impl Pattern {
    pub(super) fn compile(pattern: &str) -> Result<Self, InvalidTest> {
        if pattern.len() > MAX_PATTERN {
            return Err(InvalidTest(format!("a pattern of more than {MAX_PATTERN} bytes")));
        }
        // The engine does not tell how large a compiled expression is, only whether it fits.
        if let Ok(regex) = build(pattern, ORDINARY) {
            return Ok(Self { regex, weight: 1 });
        }
        let regex = build(pattern, MAX_COMPILED).map_err(|error| InvalidTest(error.to_string()))?;
        let weight = u32::try_from(MAX_COMPILED / ORDINARY).expect("a small constant");
        Ok(Self { regex, weight })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn build(pattern: &str, size: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(size)
        .dfa_size_limit(MAX_TABLES)
        .build()
}
