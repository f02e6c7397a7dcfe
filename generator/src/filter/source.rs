//! Rules about characters: what a reader sees is what runs.

use super::{MAX_SOURCE_BYTES, Report};

/// Sequences that end or begin something in HTML, and that engines read as comments outside modules.
const HTML: [&str; 3] = ["<!--", "-->", "</script"];

pub(super) fn check(source: &str, report: &mut Report<'_>) {
    if source.len() > MAX_SOURCE_BYTES {
        report.add(
            "too-large",
            0,
            format!("a program has at most {MAX_SOURCE_BYTES} bytes"),
        );
        return;
    }
    if source.starts_with("#!") {
        report.add("construct", 0, "a first line for a shell is not allowed");
    }
    for (at, character) in source.char_indices() {
        if is_treacherous(character) {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            report.add(
                "character",
                at,
                format!("U+{:04X} must be written as an escape", u32::from(character)),
            );
        }
    }
    let lower = source.to_ascii_lowercase();
    for sequence in HTML {
        for (at, _) in lower.match_indices(sequence) {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            report.add("html", at, format!("`{sequence}` must be written with an escape"));
        }
    }
}

/// Control characters but tab and line feed, separators that end a line for some readers, marks that turn the
/// direction of text, and the byte order mark.
pub(crate) fn is_treacherous(character: char) -> bool {
    match character {
        '\t' | '\n' => false,
        '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => true,
        other => other.is_control(),
    }
}
