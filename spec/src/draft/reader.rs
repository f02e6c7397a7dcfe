//! Reads the parts of a document, those with faults too.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::repair::Repair;
use super::{FlowDraft, Part, StepDraft};
use crate::code::Code;
use crate::finding::{Finding, Findings};
use crate::{pointer, schema};

/// Reads parts; repairs those that are at fault.
pub(super) struct Reader<'f> {
    repair: Repair,
    findings: &'f mut Findings,
}

impl<'f> Reader<'f> {
    /// What `findings` hold so far is at fault.
    pub(super) fn new(findings: &'f mut Findings) -> Self {
        // Of a member with a wrong name the value may be right.
        let faults = findings.iter().filter(|found| found.code != Code::InvalidName);
        Self {
            repair: Repair::new(faults.map(|found| found.pointer.clone()).collect()),
            findings,
        }
    }

    pub(super) fn part<T: DeserializeOwned + JsonSchema>(
        &mut self,
        pointer: &str,
        value: &Value,
    ) -> Option<T> {
        if self.repair.is_broken(pointer) {
            let schema = &schema::DOCUMENT["$defs"][&*T::schema_name()];
            let repaired = value
                .is_object()
                .then(|| self.repair.value(schema, value, pointer))?;
            return T::deserialize(repaired).ok();
        }
        match T::deserialize(value) {
            Ok(part) => Some(part),
            Err(error) => {
                self.findings.add(Code::InvalidValue, pointer, || {
                    format!("Cannot be read: {error}.")
                });
                None
            }
        }
    }

    pub(super) fn parts<T: DeserializeOwned + JsonSchema>(
        &mut self,
        base: &str,
        list: &Value,
    ) -> Option<Vec<Part<T>>> {
        let parts = list.as_array()?.iter().enumerate();
        Some(
            parts
                .filter_map(|(index, value)| {
                    let pointer = pointer::index(base, index);
                    let value = self.part(&pointer, value)?;
                    Some(Part { pointer, value })
                })
                .collect(),
        )
    }

    pub(super) fn flow<'v>(&mut self, pointer: String, flow: &'v Value) -> FlowDraft<'v> {
        let base = pointer::join(&pointer, "steps");
        let steps = flow["steps"].as_array().map_or(&[][..], Vec::as_slice);
        let steps = steps.iter().enumerate().map(|(index, raw)| {
            let pointer = pointer::index(&base, index);
            StepDraft {
                id: raw["id"].as_str(),
                step: self.part(&pointer, raw),
                pointer,
                raw,
            }
        });
        FlowDraft {
            id: flow["id"].as_str(),
            steps: steps.collect(),
            pointer,
        }
    }

    /// From here on nothing is said about values that are wrong by themselves, or that stand in for missing ones.
    pub(super) fn finish(self, document: &Value) {
        let wrong_itself = |found: &&Finding| {
            found.code == Code::WrongType
                || document
                    .pointer(&found.pointer)
                    .is_some_and(|value| !value.is_object() && !value.is_array())
        };
        let found = self
            .findings
            .iter()
            .filter(|found| found.code != Code::InvalidName);
        let silent: BTreeSet<_> = found
            .filter(wrong_itself)
            .map(|found| found.pointer.clone())
            .chain(self.repair.added)
            .collect();
        self.findings.silence(silent);
    }
}
