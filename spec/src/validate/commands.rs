//! Commands are unique, and `/start` and `/help` are there.

use std::collections::HashSet;

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
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
