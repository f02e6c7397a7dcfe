//! `botloom validate` and what other commands need of it.

use std::path::Path;

use botloom_spec::{Accepted, Finding, Severity};

use crate::error::{self, CommandError, CommandResult};
use crate::terminal::{note, say};

/// Prints all findings of a spec; fails if one of them is an error.
pub(crate) fn validate(file: &Path, as_json: bool) -> CommandResult {
    let checked = botloom_spec::check(&error::read(file)?);
    if as_json {
        say(serde_json::to_string_pretty(&checked.findings).unwrap_or_default());
    } else {
        checked.findings.iter().for_each(|finding| say(line(finding)));
    }
    match checked.spec {
        Some(accepted) => {
            if !as_json {
                say(format!("valid  {}", accepted.hash));
            }
            Ok(())
        }
        None => Err(refused(file, &checked.findings)),
    }
}

/// The spec, if it has no errors; its findings go to standard error.
pub(crate) fn accept(file: &Path, text: &[u8]) -> Result<Accepted, CommandError> {
    let checked = botloom_spec::check(text);
    checked.findings.iter().for_each(|finding| note(line(finding)));
    checked.spec.ok_or_else(|| refused(file, &checked.findings))
}

/// What is said of a spec with these findings.
pub(super) fn refused(file: &Path, findings: &[Finding]) -> CommandError {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    CommandError::InvalidSpec {
        file: file.display().to_string(),
        errors,
    }
}

/// `error   unknown-flow  /commands/0/flow  There is no flow "x".  (hint)`
pub(crate) fn line(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error  ",
        Severity::Warning => "warning",
    };
    let place = if finding.pointer.is_empty() {
        "(document)"
    } else {
        &finding.pointer
    };
    let hint = finding
        .hint
        .as_ref()
        .map_or_else(String::new, |hint| format!("  ({hint})"));
    format!(
        "{severity} {} at {place}: {}{hint}",
        finding.code, finding.message
    )
}
