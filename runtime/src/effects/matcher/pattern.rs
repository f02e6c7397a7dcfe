//! Regular expressions of bot authors.

use regex::{Regex, RegexBuilder};

use super::InvalidTest;

/// Longest expression, in bytes.
const MAX_PATTERN: usize = 4_096;
/// Memory of one compiled expression: bounds `(a{1000}){1000}`.
const MAX_COMPILED: usize = 256 * 1024;
/// Memory that matching may take for its tables; without it matching goes on, more slowly.
const MAX_TABLES: usize = 1024 * 1024;

pub(super) fn compile(pattern: &str) -> Result<Regex, InvalidTest> {
    if pattern.len() > MAX_PATTERN {
        return Err(InvalidTest(format!("a pattern of more than {MAX_PATTERN} bytes")));
    }
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_TABLES)
        .build()
        .map_err(|error| InvalidTest(error.to_string()))
}
