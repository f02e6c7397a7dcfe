//! Which part of a program is the SDK.

use botloom_core::Sha256Hash;
use oxc::span::Span;

use super::Report;
use crate::prelude::{MARKER, marker};

/// Digests of all parts of the SDK ever released: `<sha256> <name>` per line.
const KNOWN: &str = include_str!("../../prelude/digests.txt");

/// The recognised sections. They stand at the end of the program, one after the other.
#[derive(Debug)]
pub(super) struct Sections {
    /// Byte ranges.
    ranges: Vec<(u32, u32)>,
    /// Where the bot's own part ends.
    own_end: usize,
}

impl Sections {
    /// Finds the sections. A section that is not known is reported, and counts as the bot's own part.
    pub(super) fn of(source: &str, report: &mut Report<'_>) -> Self {
        let all = Self {
            ranges: Vec::new(),
            own_end: source.len(),
        };
        let Some(first) = find_marker(source, 0) else {
            return all;
        };
        let mut ranges = Vec::new();
        let mut start = first;
        while start < source.len() {
            let end = find_marker(source, start + 1).unwrap_or(source.len());
            if !is_known(&source[start..end]) {
                report.add(
                    "sdk",
                    offset(start),
                    "this section of the SDK is not one that was released",
                );
                return all;
            }
            ranges.push((offset(start), offset(end)));
            start = end;
        }
        Self {
            ranges,
            own_end: first,
        }
    }

    /// Whether a span lies in one section.
    pub(super) fn contains(&self, span: Span) -> bool {
        self.ranges
            .iter()
            .any(|&(start, end)| start <= span.start && span.end <= end)
    }

    /// Whether a span lies wholly in the bot's own part.
    pub(super) fn before(&self, span: Span) -> bool {
        span.end as usize <= self.own_end
    }

    /// Where the bot's own part ends.
    pub(super) fn own_end(&self) -> usize {
        self.own_end
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The next marker at the start of a line, at or after `from`.
fn find_marker(source: &str, from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = source.get(at..)?.find(MARKER).map(|found| at + found) {
        if found == 0 || source.as_bytes()[found - 1] == b'\n' {
            return Some(found);
        }
        at = found + MARKER.len();
    }
    None
}

fn is_known(section: &str) -> bool {
    let Some((line, text)) = section.split_once('\n') else {
        return false;
    };
    // Sections are separated by one empty line, which belongs to neither.
    let text = text
        .strip_suffix("\n\n")
        .map_or_else(|| text.to_owned(), |text| format!("{text}\n"));
    let digest = Sha256Hash::of(&text).to_string();
    KNOWN
        .lines()
        .filter_map(|known| known.split_once(' '))
        .any(|(hash, name)| hash == digest && marker(name) == line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::PARTS;

    #[test]
    fn every_part_of_the_sdk_is_listed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/prelude/digests.txt");
        let mut known = std::fs::read_to_string(path).unwrap();
        for part in PARTS {
            let line = format!("{} {}\n", Sha256Hash::of(part.source), part.name);
            if known.contains(&line) {
                continue;
            }
            assert!(
                std::env::var_os("BOTLOOM_REGEN").is_some(),
                "prelude/{}.js changed: count SDK_VERSION up and run this test with BOTLOOM_REGEN=1",
                part.name
            );
            known.push_str(&line);
        }
        std::fs::write(path, known).unwrap();
    }
}
