//! Commands are unique, described in Telegram's length, and `/start` and `/help` are there.

use std::collections::HashSet;

use super::strings::resolved;
use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::limits::COMMAND_DESCRIPTION_CODE_POINTS;
use crate::pointer;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    let Some(commands) = &draft.commands else { return };
    let mut seen = HashSet::new();
    for part in commands {
        let name = part.value.command.as_str();
        if !seen.insert(name) {
            let pointer = pointer::join(&part.pointer, "command");
            findings.add(Code::DuplicateCommand, &pointer, || {
                format!("`{name}` is already listed.")
            });
        }
        let Some(description) = &part.value.description else {
            continue;
        };
        for (locale, text) in resolved(draft, description) {
            let length = text.chars().count();
            if (1..=COMMAND_DESCRIPTION_CODE_POINTS).contains(&length) {
                continue;
            }
            let pointer = pointer::join(&part.pointer, "description");
            findings.add(Code::DescriptionLength, &pointer, || {
                let place = locale.map(|locale| format!(" in `{locale}`")).unwrap_or_default();
                format!(
                    "The description has {length} code points{place}; Telegram takes 1 to \
                     {COMMAND_DESCRIPTION_CODE_POINTS}."
                )
            });
        }
    }
    for name in ["/start", "/help"] {
        if !draft.names_command(name) {
            findings.add_hinted(Code::MissingCommand, "/commands", || {
                (
                    format!("There is no command `{name}`."),
                    Some("Telegram users expect it of every bot.".to_owned()),
                )
            });
        }
    }
}
