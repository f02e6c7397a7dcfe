//! Telemetry events occur.

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::model::KNOWN_EVENTS;
use crate::pointer;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    let Some(telemetry) = &draft.telemetry else { return };
    for (index, event) in telemetry.events.iter().enumerate() {
        if !KNOWN_EVENTS.contains(&event.as_str()) {
            let hint = findings.suggest(event, KNOWN_EVENTS);
            let hint = hint.or_else(|| Some(format!("Known: {}.", KNOWN_EVENTS.join(", "))));
            findings.add_hinted(
                Code::UnknownEvent,
                &pointer::index("/telemetry/events", index),
                || (format!("No event `{event}` is ever recorded."), hint),
            );
        }
    }
}
