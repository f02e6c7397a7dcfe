//! A document read part by part: every part that has the right shape is there, whatever is wrong with the others.
//! The meaning checks run on this, so that one pass reports everything.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::code::Code;
use crate::finding::Findings;
use crate::model::{
    BotSpec, Command, Flow, Intent, Localization, Meta, Security, State, StateKey, Telemetry,
};
use crate::pointer;
use crate::step::Step;

/// A part and where it stands.
#[derive(Debug)]
pub(crate) struct Part<T> {
    /// Pointer to the part.
    pub(crate) pointer: String,
    /// The part.
    pub(crate) value: T,
}

/// A step, or what can be said about one that has not the right shape.
#[derive(Debug)]
pub(crate) struct StepDraft<'v> {
    /// Pointer to the step.
    pub(crate) pointer: String,
    /// Its id, if it is a text.
    pub(crate) id: Option<&'v str>,
    /// The step, if it has the right shape.
    pub(crate) step: Option<Step>,
    /// The document's text of it.
    pub(crate) raw: &'v Value,
}

/// A flow whose steps may or may not have the right shape.
#[derive(Debug)]
pub(crate) struct FlowDraft<'v> {
    /// Pointer to the flow.
    pub(crate) pointer: String,
    /// Its id, if it is a text.
    pub(crate) id: Option<&'v str>,
    /// Its steps.
    pub(crate) steps: Vec<StepDraft<'v>>,
}

/// The parts of a document. Lists that could not be read are `None`: what refers to them is not judged.
#[derive(Debug)]
pub(crate) struct Draft<'v> {
    pub(crate) meta: Option<Meta>,
    pub(crate) locales: Option<Vec<&'v str>>,
    pub(crate) default_locale: Option<&'v str>,
    pub(crate) commands: Option<Vec<Part<Command>>>,
    pub(crate) intents: Option<Vec<Part<Intent>>>,
    /// Flows that commands and intents start, also those of a wrong shape.
    pub(crate) entries: Vec<&'v str>,
    pub(crate) flows: Option<Vec<FlowDraft<'v>>>,
    pub(crate) state_keys: Option<BTreeMap<&'v str, Option<StateKey>>>,
    pub(crate) localization: Option<BTreeMap<&'v str, BTreeMap<&'v str, &'v str>>>,
    pub(crate) telemetry: Option<Telemetry>,
    pub(crate) allow_domains: Option<Vec<(usize, &'v str)>>,
    document: &'v Value,
}

/// What an absent section reads as.
static NULL: Value = Value::Null;

/// Reads parts that are not at fault.
struct Reader<'f> {
    broken: BTreeSet<String>,
    findings: &'f mut Findings,
}

impl Reader<'_> {
    /// Whether something at or below `pointer` is at fault.
    fn is_broken(&self, pointer: &str) -> bool {
        if self.broken.is_empty() {
            return false;
        }
        let below = format!("{pointer}/");
        self.broken.contains(pointer)
            || self
                .broken
                .range(below.clone()..)
                .next()
                .is_some_and(|found| found.starts_with(&below))
    }

    fn part<'v, T: Deserialize<'v>>(&mut self, pointer: &str, value: &'v Value) -> Option<T> {
        if self.is_broken(pointer) {
            return None;
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

    fn parts<'v, T: Deserialize<'v>>(&mut self, base: &str, list: &'v Value) -> Option<Vec<Part<T>>> {
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

    fn flow<'v>(&mut self, pointer: String, flow: &'v Value) -> FlowDraft<'v> {
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
}

impl<'v> Draft<'v> {
    /// Reads the parts of a document; what `findings` hold so far is at fault.
    pub(crate) fn read(document: &'v Value, findings: &mut Findings) -> Self {
        let mut reader = Reader {
            broken: findings.pointers(),
            findings,
        };
        let section = |name: &str| document.get(name).unwrap_or(&NULL);
        let absent = |name: &str| document.is_object() && document.get(name).is_none();
        let meta = section("meta");
        let entries = ["commands", "intents"]
            .into_iter()
            .flat_map(|name| section(name).as_array().into_iter().flatten())
            .filter_map(|entry| entry["flow"].as_str())
            .collect();
        let flows = document.get("flows").and_then(Value::as_array).map(|flows| {
            let flows = flows.iter().enumerate();
            flows
                .map(|(index, flow)| reader.flow(pointer::index("/flows", index), flow))
                .collect()
        });
        let keys = section("state").get("keys");
        let state_keys = match keys.map(Value::as_object) {
            Some(keys) => keys.map(|keys| {
                let keys = keys.iter();
                let key = |(name, key): (&'v String, _)| {
                    (
                        name.as_str(),
                        reader.part(&pointer::join("/state/keys", name), key),
                    )
                };
                keys.map(key).collect()
            }),
            None => (absent("state") || section("state").is_object()).then(BTreeMap::new),
        };
        let localization = match section("localization").as_object() {
            Some(locales) => Some(
                locales
                    .iter()
                    .map(|(locale, texts)| (locale.as_str(), strings(texts)))
                    .collect(),
            ),
            None => absent("localization").then(BTreeMap::new),
        };
        let allow_domains = match section("security").get("allowDomains").map(Value::as_array) {
            Some(domains) => domains.map(|domains| {
                let domains = domains.iter().enumerate();
                domains
                    .filter_map(|(index, domain)| Some((index, domain.as_str()?)))
                    .collect()
            }),
            None => (absent("security") || section("security").is_object()).then(Vec::new),
        };
        let commands = if absent("commands") {
            Some(Vec::new())
        } else {
            reader.parts("/commands", section("commands"))
        };
        let intents = if absent("intents") {
            Some(Vec::new())
        } else {
            reader.parts("/intents", section("intents"))
        };
        let telemetry = match document.get("telemetry") {
            Some(telemetry) => reader.part("/telemetry", telemetry),
            None => Some(Telemetry::default()),
        };
        Self {
            meta: document.get("meta").and_then(|meta| reader.part("/meta", meta)),
            locales: meta["locales"]
                .as_array()
                .map(|tags| tags.iter().filter_map(Value::as_str).collect()),
            default_locale: meta["defaultLocale"].as_str(),
            commands,
            intents,
            entries,
            flows,
            state_keys,
            localization,
            telemetry,
            allow_domains,
            document,
        }
    }

    /// Every step of the right shape.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&FlowDraft<'v>, usize, &str, &Step)> {
        self.flows.iter().flatten().flat_map(|flow| {
            flow.steps.iter().enumerate().filter_map(move |(index, draft)| {
                Some((flow, index, draft.pointer.as_str(), draft.step.as_ref()?))
            })
        })
    }

    /// Whether a command is listed, also in an entry of a wrong shape.
    pub(crate) fn names_command(&self, name: &str) -> bool {
        let list = self.document.get("commands").and_then(Value::as_array);
        list.into_iter().flatten().any(|entry| entry["command"] == *name)
    }

    /// The whole spec. Call it when there are no errors; `None` then means that the parts and the whole disagree.
    pub(crate) fn into_spec(self) -> Option<BotSpec> {
        let section = |name: &str| self.document.get(name);
        let flows = self.flows?.into_iter().map(|flow| {
            let steps = flow
                .steps
                .into_iter()
                .map(|draft| draft.step)
                .collect::<Option<_>>()?;
            Some(Flow {
                id: flow.id?.to_owned(),
                steps,
            })
        });
        let mut state = match section("state") {
            None => State::default(),
            Some(state) => {
                // The keys have been read already.
                let rest: Map<_, _> = state
                    .as_object()?
                    .iter()
                    .filter(|(name, _)| *name != "keys")
                    .map(owned)
                    .collect();
                State::deserialize(Value::Object(rest)).ok()?
            }
        };
        let keys = self
            .state_keys?
            .into_iter()
            .map(|(name, key)| Some((name.to_owned(), key?)));
        state.keys = keys.collect::<Option<_>>()?;
        let security = match section("security") {
            None => Security::default(),
            Some(security) => Security::deserialize(security).ok()?,
        };
        let localization = section("localization").map(Localization::deserialize);
        Some(BotSpec {
            meta: self.meta?,
            commands: self.commands?.into_iter().map(|part| part.value).collect(),
            intents: self.intents?.into_iter().map(|part| part.value).collect(),
            flows: flows.collect::<Option<_>>()?,
            state,
            localization: localization.transpose().ok()?.unwrap_or_default(),
            telemetry: self.telemetry?,
            security,
        })
    }
}

/// The texts among the members of an object.
fn strings(texts: &Value) -> BTreeMap<&str, &str> {
    let texts = texts.as_object().into_iter().flatten();
    texts
        .filter_map(|(key, text)| Some((key.as_str(), text.as_str()?)))
        .collect()
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Should the schema ever admit what the types do not, the document is refused all the same.
    #[test]
    fn what_the_types_refuse_is_reported_without_the_schema() {
        let mut findings = Findings::default();
        let document = json!({"telemetry": 5, "commands": [{"command": "/start"}]});
        let draft = Draft::read(&document, &mut findings);
        assert!(draft.telemetry.is_none());
        let found: Vec<_> = findings
            .finish()
            .into_iter()
            .map(|found| (found.code, found.pointer))
            .collect();
        let at = |pointer: &str| (Code::InvalidValue, pointer.to_owned());
        assert_eq!(found, [at("/commands/0"), at("/telemetry")]);
    }
}
