//! The difference in words that the author of a bot understands: commands, flows and steps instead of pointers.
//!
//! Each section has words of its own; a field that has none is told of by its name in the spec, so nothing that differs
//! goes unsaid when the format grows.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Change;
use super::align::{Step, align, identity};
use crate::pointer;

/// Texts up to this length are quoted in a sentence.
const QUOTED_CHARACTERS: usize = 40;

/// One sentence per change.
pub(super) fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let mut words = Words { changes: Vec::new() };
    let absent = Value::Null;
    for section in members(from, to) {
        let (old, new) = (
            from.get(&section).unwrap_or(&absent),
            to.get(&section).unwrap_or(&absent),
        );
        if old == new {
            continue;
        }
        let before = words.changes.len();
        let at = Place::section(&section);
        match section.as_str() {
            "meta" => words.meta(&at, old, new),
            "commands" => words.entries(&at, &COMMANDS, old, new),
            "intents" => words.entries(&at, &INTENTS, old, new),
            "flows" => words.entries(&at, &FLOWS, old, new),
            "state" => words.state(&at, old, new),
            "localization" => words.localization(&at, old, new),
            "telemetry" => words.telemetry(&at, old, new),
            "security" => words.security(&at, old, new),
            _ => {}
        }
        if words.changes.len() == before {
            words.say(&at.to, format!("Section {section} changed"));
        }
    }
    words.changes
}

/// Names of the members of both, those of the second first where it has them.
fn members(from: &Value, to: &Value) -> Vec<String> {
    let names = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .map(|members| members.keys().cloned().collect())
            .unwrap_or_default()
    };
    let mut all = names(from);
    let known: std::collections::HashSet<String> = all.iter().cloned().collect();
    all.extend(names(to).into_iter().filter(|name| !known.contains(name)));
    all
}

/// The same place in both documents.
#[derive(Clone)]
struct Place {
    from: String,
    to: String,
}

impl Place {
    fn section(name: &str) -> Self {
        let pointer = pointer::join("", name);
        Self {
            from: pointer.clone(),
            to: pointer,
        }
    }

    fn member(&self, name: &str) -> Self {
        Self {
            from: pointer::join(&self.from, name),
            to: pointer::join(&self.to, name),
        }
    }

    fn entry(&self, from: usize, to: usize) -> Self {
        Self {
            from: pointer::index(&self.from, from),
            to: pointer::index(&self.to, to),
        }
    }
}

/// How entries of a list are spoken of.
struct Kind {
    /// `Command`.
    one: &'static str,
    /// Of an entry that is new: `: runs flow order`.
    about: fn(&Value) -> String,
    /// What changed inside an entry that both have.
    inside: fn(&mut Words, &Place, &str, &Value, &Value),
}

const COMMANDS: Kind = Kind {
    one: "Command",
    about: runs,
    inside: Words::trigger,
};
const INTENTS: Kind = Kind {
    one: "Intent",
    about: runs,
    inside: Words::trigger,
};
const FLOWS: Kind = Kind {
    one: "Flow",
    about: |flow| format!(" with {}", count(list(&flow["steps"]).len(), "step")),
    inside: Words::flow,
};

fn runs(trigger: &Value) -> String {
    format!(": runs flow {}", text(&trigger["flow"]))
}

struct Words {
    changes: Vec<Change>,
}

impl Words {
    fn say(&mut self, pointer: &str, message: String) {
        self.changes.push(Change {
            pointer: pointer.to_owned(),
            message,
        });
    }

    fn meta(&mut self, at: &Place, from: &Value, to: &Value) {
        self.list(
            &at.member("locales"),
            &from["locales"],
            &to["locales"],
            [("Language", "added"), ("Language", "removed")],
        );
        let told = [
            ("botId", "The bot's id"),
            ("name", "The name"),
            ("defaultLocale", "The default language"),
            ("timezone", "The time zone"),
        ];
        for (name, subject) in told {
            let (old, new) = (&from[name], &to[name]);
            if old != new {
                let message = format!("{subject} is now {} (was {})", text(new), text(old));
                self.say(&at.member(name).to, message);
            }
        }
        let named: Vec<&str> = told.iter().map(|(name, _)| *name).chain(["locales"]).collect();
        self.fields(at, "Meta", "", from, to, &named);
    }

    /// Commands and intents: what starts a flow.
    fn trigger(&mut self, at: &Place, subject: &str, from: &Value, to: &Value) {
        if from["flow"] != to["flow"] {
            let message = format!(
                "{subject} now runs flow {} (was {})",
                text(&to["flow"]),
                text(&from["flow"])
            );
            self.say(&at.member("flow").to, message);
        }
        let (old, new) = (&from["keywords"], &to["keywords"]);
        for locale in members(old, new) {
            let (old, new) = (list(&old[&locale]), list(&new[&locale]));
            let added = new.iter().filter(|word| !old.contains(word)).count();
            let removed = old.iter().filter(|word| !new.contains(word)).count();
            let what = [(added, "added"), (removed, "removed")];
            let place = at.member("keywords").member(&locale);
            if let Some(what) = tally(&what, "keyword") {
                self.say(&place.to, format!("{subject}: {what} in locale {locale}"));
            } else if old != new {
                let message = format!("{subject}: keywords in locale {locale} in another order");
                self.say(&place.to, message);
            }
        }
        self.fields(at, subject, "", from, to, &["flow", "keywords"]);
    }

    fn flow(&mut self, at: &Place, subject: &str, from: &Value, to: &Value) {
        let flow = text(&to["id"]);
        let at_steps = at.member("steps");
        let (old, new) = (list(&from["steps"]), list(&to["steps"]));
        let places = Places::of(old, new);
        for (index, step) in old.iter().enumerate() {
            if places.now(step).is_none() {
                let message = format!(
                    "Step {} ({}) of flow {flow} removed",
                    index + 1,
                    text(&step["id"])
                );
                self.say(&at_steps.entry(index, index).from, message);
            }
        }
        for (index, step) in new.iter().enumerate() {
            let (number, id) = (index + 1, text(&step["id"]));
            let Some(was) = places.was(step) else {
                let message = format!(
                    "Step {number} ({id}) of flow {flow} added: {}",
                    text(&step["type"])
                );
                self.say(&at_steps.entry(index, index).to, message);
                continue;
            };
            let place = at_steps.entry(was, index);
            if places.moved(step) {
                let message = format!("Step {number} ({id}) of flow {flow} was step {}", was + 1);
                self.say(&place.to, message);
            }
            let before = &old[was];
            let subject = format!("Step {number} ({id}) of flow {flow}");
            if before["type"] == step["type"] {
                self.fields(&place, &subject, "", before, step, &[]);
            } else {
                let (now, was) = (text(&step["type"]), text(&before["type"]));
                self.say(&place.to, format!("{subject} is now of type {now} (was {was})"));
            }
        }
        self.fields(at, subject, "", from, to, &["steps"]);
    }

    fn state(&mut self, at: &Place, from: &Value, to: &Value) {
        let (old, new) = (&from["keys"], &to["keys"]);
        for name in members(old, new) {
            let place = at.member("keys").member(&name);
            match (old.get(&name), new.get(&name)) {
                (Some(_), None) => self.say(&place.from, format!("State key {name} removed")),
                (None, Some(key)) => {
                    let message = format!("State key {name} added: {}", text(&key["type"]));
                    self.say(&place.to, message);
                }
                (Some(old), Some(new)) => {
                    self.fields(&place, &format!("State key {name}"), "", old, new, &[]);
                }
                (None, None) => {}
            }
        }
        self.fields(at, "State", "", from, to, &["keys"]);
    }

    fn localization(&mut self, at: &Place, from: &Value, to: &Value) {
        let absent = Value::Null;
        for locale in members(from, to) {
            let (old, new) = (
                from.get(&locale).unwrap_or(&absent),
                to.get(&locale).unwrap_or(&absent),
            );
            let (mut added, mut changed, mut removed) = (0, 0, 0);
            for key in members(old, new) {
                match (old.get(&key), new.get(&key)) {
                    (None, Some(_)) => added += 1,
                    (Some(_), None) => removed += 1,
                    (old, new) if old != new => changed += 1,
                    _ => {}
                }
            }
            let what = [(added, "added"), (changed, "changed"), (removed, "removed")];
            let place = at.member(&locale);
            let place = if new.is_null() { &place.from } else { &place.to };
            match tally(&what, "text") {
                Some(what) => self.say(place, format!("Locale {locale}: {what}")),
                // A locale that came or went without any text.
                None if old != new => self.say(place, format!("Locale {locale}: no texts")),
                None => {}
            }
        }
    }

    fn telemetry(&mut self, at: &Place, from: &Value, to: &Value) {
        self.list(
            &at.member("events"),
            &from["events"],
            &to["events"],
            [("Event", "is now recorded"), ("Event", "is no longer recorded")],
        );
        self.fields(at, "Telemetry", "", from, to, &["events"]);
    }

    fn security(&mut self, at: &Place, from: &Value, to: &Value) {
        let name = "allowDomains";
        self.list(
            &at.member(name),
            &from[name],
            &to[name],
            [("The bot may now call", ""), ("The bot may no longer call", "")],
        );
        self.fields(at, "Security", "", from, to, &[name]);
    }

    /// A list of names, in words for one that came and one that went: what stands before it, what behind.
    fn list(&mut self, at: &Place, from: &Value, to: &Value, words: [(&str, &str); 2]) {
        let (old, new) = (list(from), list(to));
        let [came, went] = words;
        let sentence = |(before, behind): (&str, &str), name: &Value| {
            format!("{before} {} {behind}", text(name)).trim_end().to_owned()
        };
        let before = self.changes.len();
        for (index, name) in old.iter().enumerate().filter(|(_, name)| !new.contains(name)) {
            self.say(&pointer::index(&at.from, index), sentence(went, name));
        }
        for (index, name) in new.iter().enumerate().filter(|(_, name)| !old.contains(name)) {
            self.say(&pointer::index(&at.to, index), sentence(came, name));
        }
        if old != new && self.changes.len() == before {
            let name = at.to.rsplit('/').next().unwrap_or_default();
            self.say(&at.to, format!("The list {name} is in another order"));
        }
    }

    /// A list whose entries have names: what went, came, moved, and what changed inside.
    fn entries(&mut self, at: &Place, kind: &Kind, from: &Value, to: &Value) {
        let (old, new) = (list(from), list(to));
        let places = Places::of(old, new);
        let name = |entry: &Value| identity(entry).unwrap_or_default().to_owned();
        for (index, entry) in old.iter().enumerate() {
            if places.now(entry).is_none() {
                let message = format!("{} {} removed", kind.one, name(entry));
                self.say(&at.entry(index, index).from, message);
            }
        }
        for (index, entry) in new.iter().enumerate() {
            let subject = format!("{} {}", kind.one, name(entry));
            let Some(was) = places.was(entry) else {
                let message = format!("{subject} added{}", (kind.about)(entry));
                self.say(&at.entry(index, index).to, message);
                continue;
            };
            let place = at.entry(was, index);
            if places.moved(entry) {
                let message = format!("{subject} moved from place {} to {}", was + 1, index + 1);
                self.say(&place.to, message);
            }
            (kind.inside)(self, &place, &subject, &old[was], entry);
        }
    }

    /// Fields by their names in the spec, those of inner objects as `outer.inner`.
    fn fields(&mut self, at: &Place, subject: &str, outer: &str, from: &Value, to: &Value, told: &[&str]) {
        let empty = Map::new();
        let (old, new) = (
            from.as_object().unwrap_or(&empty),
            to.as_object().unwrap_or(&empty),
        );
        for name in members(from, to) {
            if told.contains(&name.as_str()) {
                continue;
            }
            let (place, field) = (at.member(&name), format!("{outer}{name}"));
            match (old.get(&name), new.get(&name)) {
                (Some(old), Some(new)) if old == new => {}
                (Some(old @ Value::Object(_)), Some(new @ Value::Object(_))) => {
                    self.fields(&place, subject, &format!("{field}."), old, new, &[]);
                }
                (Some(old), Some(new)) => {
                    let message = match (short(old), short(new)) {
                        (Some(old), Some(new)) => {
                            format!("{subject}: {field} changed from {old} to {new}")
                        }
                        _ => format!("{subject}: {field} changed"),
                    };
                    self.say(&place.to, message);
                }
                (Some(_), None) => self.say(&place.from, format!("{subject}: {field} removed")),
                (None, Some(new)) => {
                    let value = short(new).map_or_else(String::new, |value| format!(": {value}"));
                    self.say(&place.to, format!("{subject}: {field} added{value}"));
                }
                (None, None) => {}
            }
        }
    }
}

/// Where the entries of two lists are, by what they are known by.
struct Places<'a> {
    was: HashMap<&'a str, usize>,
    now: HashMap<&'a str, usize>,
    moved: std::collections::HashSet<&'a str>,
}

impl<'a> Places<'a> {
    fn of(from: &'a [Value], to: &'a [Value]) -> Self {
        let by_name = |list: &'a [Value]| -> HashMap<&'a str, usize> {
            let named = list.iter().enumerate();
            named
                .filter_map(|(index, entry)| Some((identity(entry)?, index)))
                .collect()
        };
        let (was, now) = (by_name(from), by_name(to));
        // What the common order of both lists leaves out, although both have it, changed its place.
        let moved = align(from, to)
            .into_iter()
            .filter_map(|step| match step {
                Step::Remove(index) => identity(&from[index]),
                Step::Keep(..) | Step::Add(_) => None,
            })
            .filter(|name| now.contains_key(name))
            .collect();
        Self { was, now, moved }
    }

    fn was(&self, entry: &Value) -> Option<usize> {
        self.was.get(identity(entry)?).copied()
    }

    fn now(&self, entry: &Value) -> Option<usize> {
        self.now.get(identity(entry)?).copied()
    }

    fn moved(&self, entry: &Value) -> bool {
        identity(entry).is_some_and(|name| self.moved.contains(name))
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A name as it is; anything else as JSON.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A value that fits into a sentence.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::String(text) if text.chars().count() <= QUOTED_CHARACTERS && !text.contains('\n') => {
            Some(format!("“{text}”"))
        }
        _ => None,
    }
}

/// `2 steps`, `1 step`.
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `2 texts added, 1 changed`; `None` if nothing was counted.
fn tally(parts: &[(usize, &str)], noun: &str) -> Option<String> {
    let mut said = Vec::new();
    for (number, verb) in parts.iter().filter(|(number, _)| *number > 0) {
        said.push(if said.is_empty() {
            format!("{} {verb}", count(*number, noun))
        } else {
            format!("{number} {verb}")
        });
    }
    (!said.is_empty()).then(|| said.join(", "))
}
