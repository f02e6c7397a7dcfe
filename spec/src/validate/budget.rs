//! What all patterns of a spec may cost together. Compiling one is bounded by its size; a spec may hold thousands.

use std::iter::Peekable;
use std::str::Chars;

use regex::RegexBuilder;

use crate::limits::{PATTERN_BUDGET, REGEX_COMPILED_BYTES, REGEX_SOURCE_BYTES};

/// What is left of [`PATTERN_BUDGET`].
#[derive(Debug)]
pub(super) struct Budget(u64);

/// Why a pattern is refused.
pub(super) enum Refusal {
    /// It does not compile: why, and what to do.
    Invalid(String, Option<&'static str>),
    /// The patterns before it used the budget up.
    Budget,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self(PATTERN_BUDGET)
    }

    /// Compiles a pattern if the budget allows it.
    pub(super) fn compile(&mut self, pattern: &str) -> Result<(), Refusal> {
        if pattern.len() > REGEX_SOURCE_BYTES {
            let why = format!(
                "the pattern has {} bytes; at most {REGEX_SOURCE_BYTES} are allowed",
                pattern.len()
            );
            return Err(Refusal::Invalid(why, None));
        }
        let cost = estimate(pattern);
        // One that is dear by itself is refused by its compiled size, at a bounded price.
        self.0 = self
            .0
            .checked_sub(cost.min(PATTERN_BUDGET / 2))
            .ok_or(Refusal::Budget)?;
        match RegexBuilder::new(pattern)
            .size_limit(REGEX_COMPILED_BYTES)
            .build()
        {
            Ok(_) => Ok(()),
            Err(regex::Error::CompiledTooBig(_)) => Err(Refusal::Invalid(
                "the pattern is too large when compiled".to_owned(),
                None,
            )),
            Err(error) => {
                let text = error.to_string();
                // The library draws the pattern first; the reason is its last line.
                let why = text
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                let hint = if why.contains("look-around") {
                    Some("Look-around is not supported; use `schema` with `allOf` and `not` for such tests.")
                } else if why.contains("backreference") {
                    Some("Back-references are not supported.")
                } else {
                    None
                };
                Err(Refusal::Invalid(why, hint))
            }
        }
    }
}

/// What the smallest pattern costs.
const BASE: u64 = 30;

/// A rough size of the compiled pattern: characters, more for Unicode classes, times counted repetitions.
fn estimate(pattern: &str) -> u64 {
    let mut open: Vec<u64> = Vec::new();
    let mut total: u64 = BASE;
    let mut last: u64 = 0;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        last = match character {
            '\\' => escape(&mut characters),
            '.' => 15,
            '[' => class(&mut characters),
            '(' => {
                open.push(total);
                total = 1;
                0
            }
            ')' => {
                let inner = total;
                total = open.pop().unwrap_or_default();
                inner
            }
            '{' => {
                let inside: String = characters.by_ref().take_while(|next| *next != '}').collect();
                let times = inside
                    .split(',')
                    .filter_map(|count| count.trim().parse::<u64>().ok())
                    .max();
                // One of them has been counted.
                last.saturating_mul(times.unwrap_or(1).saturating_sub(1))
            }
            _ => 1,
        };
        total = total.saturating_add(last);
    }
    open.into_iter().fold(total, u64::saturating_add)
}

type Characters<'p> = Peekable<Chars<'p>>;

/// Measured: a class of letters takes as long as some hundred single characters, one of digits or spaces as some tens.
/// The backslash has been read.
fn escape(characters: &mut Characters<'_>) -> u64 {
    match characters.next() {
        Some('p' | 'P') => {
            // The name, in braces or a single letter, is no repetition.
            if characters.next() == Some('{') {
                characters.by_ref().find(|next| *next == '}');
            }
            300
        }
        Some('w' | 'W' | 'D' | 'S') => 300,
        Some('d' | 's') => 60,
        _ => 1,
    }
}

/// A class in brackets, nested ones included; the opening bracket has been read.
fn class(characters: &mut Characters<'_>) -> u64 {
    let mut size: u64 = if characters.peek() == Some(&'^') { 30 } else { 1 };
    let mut depth = 1;
    while depth > 0 {
        match characters.next() {
            None => break,
            Some('\\') => size = size.saturating_add(escape(characters)),
            Some('[') => depth += 1,
            Some(']') => depth -= 1,
            Some(_) => size = size.saturating_add(1),
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::estimate;

    #[test]
    fn repetition_multiplies() {
        assert!(estimate("^[0-9]{7,15}$") < 100);
        assert!(estimate(r"\w{100}") > 5_000);
        assert!(estimate(r"((\w{10}){10}){10}") > 50_000);
        assert!(estimate(r"[\w.-]{100}") > 5_000);
        assert!(estimate(r"\p{L}{100}") > 5_000);
        assert!(estimate(r"\pL{100}") > 5_000);
        assert!(estimate(r"[a-z&&[^\p{Lu}]]{100}") > 5_000);
        assert!(estimate("(((a{9999}){9999}){9999}){9999}{9999}{9999}{9999}") > 1_000_000_000);
    }
}
