//! Placeholders are closed and read things that exist.

use super::strings::templates;
use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::model::StateType;
use crate::path::{CONTEXT_PATHS, Path, PathError};
use crate::pointer;
use crate::template::{self, Segment};

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    templates(draft, |at, text| match template::parse(text) {
        Err(error) => {
            findings.add(Code::InvalidTemplate, at, || format!("{error}."));
        }
        Ok(segments) => {
            for segment in segments {
                if let Segment::Placeholder { path, .. } = segment {
                    check_path(draft, at, path, findings);
                }
            }
        }
    });
}

/// Reports a path that reads nothing.
pub(super) fn check_path(draft: &Draft<'_>, at: &str, path: &str, findings: &mut Findings) {
    match Path::parse(path) {
        Ok(Path::Context(_)) => {}
        Ok(Path::State { key, rest }) => {
            if !known_key(draft, at, key, findings) || rest.is_empty() {
                return;
            }
            let kind = draft
                .state_keys
                .as_ref()
                .and_then(|keys| keys.get(key))
                .and_then(Option::as_ref);
            if let Some(kind) = kind.map(|key| key.kind)
                && !matches!(kind, StateType::Object | StateType::Array)
                && !findings.is_silent(&format!("{}/type", pointer::join("/state/keys", key)))
            {
                findings.add(Code::UnknownPath, at, || {
                    format!("`state.{key}` is a {}; it has nothing inside.", kind.as_str())
                });
            }
        }
        Err(error) => {
            let hint = match error {
                PathError::UnknownContext => findings.suggest(path, CONTEXT_PATHS),
                PathError::Shape => {
                    Some("Write `state.<key>` or a value of the context such as `context.input`.".to_owned())
                }
            };
            let hint = hint.or_else(|| Some(format!("Known: {}.", CONTEXT_PATHS.join(", "))));
            findings.add_hinted(Code::UnknownPath, at, || {
                (format!("`{path}` reads nothing: {error}."), hint)
            });
        }
    }
}

/// Reports a state key that is not declared; `true` if it is, or if that cannot be told.
pub(super) fn known_key(draft: &Draft<'_>, at: &str, key: &str, findings: &mut Findings) -> bool {
    let Some(keys) = &draft.state_keys else {
        return true;
    };
    if keys.contains_key(key) {
        return true;
    }
    let hint = findings.suggest(key, keys.keys().copied());
    let hint = hint.or_else(|| Some("Declare it in `state.keys`.".to_owned()));
    findings.add_hinted(Code::UnknownStateKey, at, || {
        (format!("The state key `{key}` is not declared."), hint)
    });
    false
}
