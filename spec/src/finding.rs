//! A finding, and the bounded list that rules add to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::code::{Code, Severity};
use crate::{limits, pointer};

/// One thing that is wrong, or looks wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub code: Code,
    /// Whether it refuses the spec.
    pub severity: Severity,
    /// JSON Pointer (RFC 6901) to the place that is wrong or that refers to something missing; empty: the document.
    pub pointer: String,
    /// The fact, as a sentence.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Findings so far. Keeps at most [`limits::FINDINGS`] of each severity and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    errors: usize,
    warnings: usize,
    suggestions: usize,
    /// Places of which no more is said.
    silent: BTreeSet<String>,
}

/// "Did you mean" compares texts letter by letter; a spec of nothing but unknown names must not make that dear.
const SUGGESTIONS: usize = 50;

impl Findings {
    /// Adds a finding; texts are made only when it is kept.
    pub(crate) fn add(&mut self, code: Code, pointer: &str, message: impl FnOnce() -> String) {
        self.add_hinted(code, pointer, || (message(), None));
    }

    /// Adds a finding with a hint.
    pub(crate) fn add_hinted(
        &mut self,
        code: Code,
        pointer: &str,
        texts: impl FnOnce() -> (String, Option<String>),
    ) {
        if self.is_silent(pointer) {
            return;
        }
        let severity = code.severity();
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= limits::FINDINGS {
            let (message, hint) = texts();
            self.list.push(Finding {
                code,
                severity,
                pointer: pointer.to_owned(),
                message,
                hint,
            });
        }
    }

    /// A "did you mean" hint: the nearest of the known names, if one is near.
    pub(crate) fn suggest<'a>(
        &mut self,
        wrong: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        if self.suggestions >= SUGGESTIONS || wrong.len() > 64 {
            return None;
        }
        self.suggestions += 1;
        // Two for short names: exchanging two letters counts as two.
        let allowed = wrong.chars().count().div_ceil(3).clamp(1, 3);
        known
            .into_iter()
            .take(500)
            .filter_map(|name| Some((distance(wrong, name, allowed)?, name)))
            .min()
            .map(|(_, name)| format!("Did you mean `{name}`?"))
    }

    /// Whether a finding of this code would still be kept; its texts need not be made otherwise.
    pub(crate) fn keeps(&self, code: Code) -> bool {
        let count = match code.severity() {
            Severity::Error => self.errors,
            Severity::Warning => self.warnings,
        };
        count < limits::FINDINGS
    }

    /// From here on nothing is added at or below these places.
    pub(crate) fn silence(&mut self, pointers: BTreeSet<String>) {
        self.silent = pointers;
    }

    /// Whether nothing more is said of a place.
    pub(crate) fn is_silent(&self, pointer: &str) -> bool {
        if self.silent.is_empty() {
            return false;
        }
        let mut outer = pointer.match_indices('/').map(|(end, _)| &pointer[..end]);
        self.silent.contains(pointer) || outer.any(|outer| self.silent.contains(outer))
    }

    /// The findings that are kept so far.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.list.iter()
    }

    /// Whether the spec is refused.
    pub(crate) fn refused(&self) -> bool {
        self.errors > 0
    }

    /// Pointers of everything found so far.
    pub(crate) fn pointers(&self) -> BTreeSet<String> {
        self.list.iter().map(|finding| finding.pointer.clone()).collect()
    }

    /// All findings in document order, errors first where not all of them fit.
    pub(crate) fn finish(self) -> Vec<Finding> {
        let mut list = self.list;
        let total = self.errors + self.warnings;
        if total > limits::FINDINGS {
            list.sort_by_key(|finding| finding.severity);
            list.truncate(limits::FINDINGS - 1);
        }
        list.sort_by(|a, b| {
            pointer::compare(&a.pointer, &b.pointer)
                .then_with(|| a.code.cmp(&b.code))
                .then_with(|| a.message.cmp(&b.message))
        });
        if total > limits::FINDINGS {
            let code = Code::TooManyFindings;
            list.push(Finding {
                code,
                severity: code.severity(),
                pointer: String::new(),
                message: format!("{total} findings; {} of them are listed.", list.len()),
                hint: Some("Repair these and check again.".to_owned()),
            });
        }
        list
    }
}

/// Levenshtein distance of two short texts, if it is at most `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let b: Vec<char> = b.chars().take(80).collect();
    if a.chars().count().abs_diff(b.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row.last().copied().filter(|found| *found <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_near_names_only() {
        let mut findings = Findings::default();
        assert_eq!(
            findings.suggest("welcom", ["order", "welcome"]).as_deref(),
            Some("Did you mean `welcome`?")
        );
        assert_eq!(findings.suggest("welcome", ["order"]), None);
    }

    #[test]
    fn many_warnings_never_hide_an_error() {
        let mut findings = Findings::default();
        for n in 0..5_000 {
            findings.add(Code::UnreachableFlow, &format!("/flows/{n}"), String::new);
        }
        findings.add(Code::UnknownFlow, "/z", String::new);
        assert!(findings.refused());
        let list = findings.finish();
        assert_eq!(list.len(), limits::FINDINGS);
        assert_eq!(list[0].pointer, "/flows/0");
        assert_eq!(list[limits::FINDINGS - 2].code, Code::UnknownFlow);
        assert_eq!(list[limits::FINDINGS - 1].code, Code::TooManyFindings);
    }
}
