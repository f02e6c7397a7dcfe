//! A document read part by part and field by field: what has the right shape is there, whatever is wrong beside it.
//! The meaning checks run on this, so that one pass reports everything.

mod reader;
mod repair;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::reader::Reader;
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

/// A step, or what can be said about one of no known kind.
#[derive(Debug)]
pub(crate) struct StepDraft<'v> {
    /// Pointer to the step.
    pub(crate) pointer: String,
    /// Its id, if it is a text.
    pub(crate) id: Option<&'v str>,
    /// The step, its faults repaired, if it is of a known kind.
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
    /// With their places in the list.
    pub(crate) locales: Option<Vec<(usize, &'v str)>>,
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

impl<'v> Draft<'v> {
    /// Reads the parts of a document; what `findings` hold so far is at fault.
    pub(crate) fn read(document: &'v Value, findings: &mut Findings) -> Self {
        let mut reader = Reader::new(findings);
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
            Some(domains) => domains.map(|domains| numbered(domains)),
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
        let whole_meta = document.get("meta").and_then(|meta| reader.part("/meta", meta));
        reader.finish(document);
        Self {
            meta: whole_meta,
            locales: meta["locales"].as_array().map(|tags| numbered(tags)),
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

    /// Every step of a known kind.
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

/// The texts of a list and their places in it.
fn numbered(list: &[Value]) -> Vec<(usize, &str)> {
    let list = list.iter().enumerate();
    list.filter_map(|(index, text)| Some((index, text.as_str()?)))
        .collect()
}

/// The texts among the members of an object, and something in place of what is no text.
fn strings(texts: &Value) -> BTreeMap<&str, &str> {
    let texts = texts.as_object().into_iter().flatten();
    texts
        .map(|(key, text)| (key.as_str(), text.as_str().unwrap_or("?")))
        .collect()
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
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
