//! Descriptions of the bot and of its commands have a length that Telegram takes, and need no chat.

use super::strings::{self, resolved};
use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::template::{self, Segment};

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    strings::descriptions(draft, |at, text, lengths| {
        let mut filled = false;
        for (locale, text) in resolved(draft, text) {
            let length = text.chars().count();
            if !lengths.contains(&length) {
                let (least, most) = (lengths.start(), lengths.end());
                findings.add(Code::DescriptionLength, at, || {
                    let place = locale.map(|locale| format!(" in `{locale}`")).unwrap_or_default();
                    format!(
                        "The description has {length} code points{place}; Telegram takes {least} to {most}."
                    )
                });
            }
            filled |= template::parse(text).is_ok_and(|segments| segments.iter().any(is_placeholder));
        }
        if filled {
            findings.add(Code::DescriptionPlaceholder, at, || {
                "A placeholder in a description is left out: Telegram shows it to everybody, outside of any chat."
                    .to_owned()
            });
        }
    });
}

fn is_placeholder(segment: &Segment<'_>) -> bool {
    matches!(segment, Segment::Placeholder { .. })
}
