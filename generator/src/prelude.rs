//! The SDK: JavaScript written by hand that every `bot.js` carries below its tables.
//!
//! A bot carries only the step kinds it uses. Each part stands in a section of its own, under a marker line, so that the
//! AST filter can recognise it by its digest: inside a recognised section loops and computed members are allowed.
//! `prelude/digests.txt` lists every part ever released; it only grows, so that older revisions stay deployable.

use std::collections::BTreeSet;

/// Version of the SDK. Part of a revision's name: counts up when a file in `prelude/` changes.
pub const SDK_VERSION: &str = "1";

/// First characters of the line above a section.
pub(crate) const MARKER: &str = "// --- sdk: ";

/// One file of the SDK.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Name in the marker line.
    pub(crate) name: &'static str,
    /// The step kind that needs it; `None`: every bot does.
    pub(crate) kind: Option<&'static str>,
    /// JavaScript.
    pub(crate) source: &'static str,
}

macro_rules! part {
    ($name:literal, $kind:expr) => {
        Part {
            name: $name,
            kind: $kind,
            source: include_str!(concat!("../prelude/", $name, ".js")),
        }
    };
}

/// All parts, in the order in which they stand in `bot.js`.
pub(crate) const PARTS: [Part; 12] = [
    part!("run", None),
    part!("steps/reply", Some("reply")),
    part!("steps/ask", Some("ask")),
    part!("steps/validate", Some("validate")),
    part!("steps/save", Some("save")),
    part!("steps/apiCall", Some("apiCall")),
    part!("steps/goto", Some("goto")),
    part!("intents", None),
    part!("send", None),
    part!("state", None),
    part!("text", None),
    part!("core", None),
];

/// The sections a bot with these step kinds needs.
pub(crate) fn sections(kinds: &BTreeSet<&str>) -> String {
    let mut out = String::new();
    for part in PARTS
        .iter()
        .filter(|part| part.kind.is_none_or(|kind| kinds.contains(kind)))
    {
        out.push('\n');
        out.push_str(&marker(part.name));
        out.push('\n');
        out.push_str(part.source);
    }
    out
}

/// The line above a section.
pub(crate) fn marker(name: &str) -> String {
    format!("{MARKER}{name} ---")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_kind_has_its_part_and_its_lowering() {
        let parts: Vec<_> = PARTS.iter().filter_map(|part| part.kind).collect();
        assert_eq!(parts, botloom_spec::step::KINDS);
        for part in PARTS.iter().filter(|part| part.kind.is_some()) {
            let kind = part.kind.expect("filtered");
            assert_eq!(part.name, format!("steps/{kind}"));
            assert!(part.source.contains(&format!("\nfunction {kind}(turn")), "{kind}");
        }
    }
}
