//! What changed between two specs: in words, and as a JSON Patch (RFC 6902).

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::BotSpec;
use crate::{json, pointer};

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// One sentence per change, in document order.
    pub changes: Vec<Change>,
    /// Turns the first spec (with defaults filled in) into the second.
    pub patch: Vec<PatchOp>,
}

/// A change in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where, in the second spec; in the first for what was removed.
    pub pointer: String,
    /// What, for people.
    pub message: String,
}

/// One operation of a JSON Patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum PatchOp {
    /// Puts a value at a new place.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Takes a value away.
    Remove {
        /// Which.
        path: String,
    },
    /// Puts a value in another's place.
    Replace {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
}

/// Compares two specs. Lists are matched by the ids of their entries, so an inserted step is one change.
pub fn diff(from: &BotSpec, to: &BotSpec) -> Diff {
    let value =
        |spec| serde_json::to_value(spec).expect("maps of the types have text keys and numbers are finite");
    let mut differ = Differ {
        diff: Diff::default(),
    };
    let root = Place {
        patch: String::new(),
        from: String::new(),
        to: String::new(),
        words: Vec::new(),
    };
    differ.value(&root, &value(from), &value(to));
    differ.diff
}

/// Comparing lists entry by entry takes time and memory in the product of their lengths.
const ALIGNED_CELLS: usize = 250_000;

/// The same place in the patched document, in both documents and in words.
struct Place {
    patch: String,
    from: String,
    to: String,
    words: Vec<String>,
}

impl Place {
    fn member(&self, name: &str) -> Self {
        let mut words = self.words.clone();
        words.push(name.to_owned());
        Self {
            patch: pointer::join(&self.patch, name),
            from: pointer::join(&self.from, name),
            to: pointer::join(&self.to, name),
            words,
        }
    }

    fn entry(&self, patch: usize, from: usize, to: usize, entry: &Value) -> Self {
        let mut words = self.words.clone();
        let list = words.pop().unwrap_or_default();
        words.push(match identity(entry) {
            Some(id) => format!("{} `{id}`", list.strip_suffix('s').unwrap_or(&list)),
            None => format!("{list}[{to}]"),
        });
        Self {
            patch: pointer::index(&self.patch, patch),
            from: pointer::index(&self.from, from),
            to: pointer::index(&self.to, to),
            words,
        }
    }

    fn said(&self) -> String {
        // From the inside out: "`text` of step `ask_size` of flow `order`".
        let mut said = String::new();
        for word in self.words.iter().rev() {
            let separator = if said.is_empty() { "" } else { " of " };
            let quote = if word.contains('`') { "" } else { "`" };
            write!(said, "{separator}{quote}{word}{quote}").expect("writing to a String cannot fail");
        }
        said
    }
}

/// What an entry of a list is known by.
fn identity(entry: &Value) -> Option<&str> {
    ["id", "command"]
        .into_iter()
        .find_map(|name| entry.get(name)?.as_str())
}

fn same(a: &Value, b: &Value) -> bool {
    match (identity(a), identity(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a == b,
        _ => false,
    }
}

struct Differ {
    diff: Diff,
}

impl Differ {
    fn say(&mut self, pointer: &str, message: String) {
        self.diff.changes.push(Change {
            pointer: pointer.to_owned(),
            message,
        });
    }

    fn value(&mut self, at: &Place, from: &Value, to: &Value) {
        match (from, to) {
            _ if from == to => {}
            (Value::Object(from), Value::Object(to)) if from.get("type") == to.get("type") => {
                self.members(at, from, to);
            }
            (Value::Array(from), Value::Array(to)) => self.entries(at, from, to),
            _ => {
                self.diff.patch.push(PatchOp::Replace {
                    path: at.patch.clone(),
                    value: to.clone(),
                });
                self.say(
                    &at.to,
                    format!("{} changed from {} to {}.", at.said(), shown(from), shown(to)),
                );
            }
        }
    }

    fn members(&mut self, at: &Place, from: &Map<String, Value>, to: &Map<String, Value>) {
        for (name, old) in from {
            let place = at.member(name);
            if let Some(new) = to.get(name) {
                self.value(&place, old, new);
            } else {
                self.diff.patch.push(PatchOp::Remove {
                    path: place.patch.clone(),
                });
                self.say(
                    &place.from,
                    format!("{} removed (was {}).", place.said(), shown(old)),
                );
            }
        }
        for (name, new) in to.iter().filter(|(name, _)| !from.contains_key(*name)) {
            let place = at.member(name);
            self.diff.patch.push(PatchOp::Add {
                path: place.patch.clone(),
                value: new.clone(),
            });
            self.say(&place.to, format!("{} added: {}.", place.said(), shown(new)));
        }
    }

    fn entries(&mut self, at: &Place, from: &[Value], to: &[Value]) {
        let mut here = 0;
        for step in align(from, to) {
            match step {
                Step::Keep(i, j) => {
                    self.value(&at.entry(here, i, j, &to[j]), &from[i], &to[j]);
                    here += 1;
                }
                Step::Remove(i) => {
                    let place = at.entry(here, i, i, &from[i]);
                    self.diff.patch.push(PatchOp::Remove {
                        path: place.patch.clone(),
                    });
                    self.say(&place.from, format!("{} removed{}.", place.said(), was(&from[i])));
                }
                Step::Add(j) => {
                    let place = at.entry(here, j, j, &to[j]);
                    self.diff.patch.push(PatchOp::Add {
                        path: place.patch.clone(),
                        value: to[j].clone(),
                    });
                    self.say(&place.to, format!("{} added{}.", place.said(), now(&to[j])));
                    here += 1;
                }
            }
        }
    }
}

fn was(value: &Value) -> String {
    if identity(value).is_some() {
        String::new()
    } else {
        format!(" (was {})", shown(value))
    }
}

fn now(value: &Value) -> String {
    if identity(value).is_some() {
        String::new()
    } else {
        format!(": {}", shown(value))
    }
}

/// A value in a sentence: its JSON, cut when it is long.
fn shown(value: &Value) -> String {
    let text = json::canonical(value);
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

enum Step {
    Keep(usize, usize),
    Remove(usize),
    Add(usize),
}

/// Matches two lists: what they have in common at both ends, and between the ends their longest common subsequence.
fn align(from: &[Value], to: &[Value]) -> Vec<Step> {
    let head = from.iter().zip(to).take_while(|(a, b)| same(a, b)).count();
    let tail = from[head..]
        .iter()
        .rev()
        .zip(to[head..].iter().rev())
        .take_while(|(a, b)| same(a, b))
        .count();
    let (a, b) = (&from[head..from.len() - tail], &to[head..to.len() - tail]);
    let mut steps: Vec<Step> = (0..head).map(|index| Step::Keep(index, index)).collect();
    if a.len().saturating_mul(b.len()) > ALIGNED_CELLS {
        let common = a.len().min(b.len());
        steps.extend((0..common).map(|index| Step::Keep(head + index, head + index)));
        steps.extend((common..a.len()).map(|index| Step::Remove(head + index)));
        steps.extend((common..b.len()).map(|index| Step::Add(head + index)));
    } else {
        let width = b.len() + 1;
        let mut longest = vec![0_usize; (a.len() + 1) * width];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                longest[i * width + j] = if same(&a[i], &b[j]) {
                    longest[(i + 1) * width + j + 1] + 1
                } else {
                    longest[(i + 1) * width + j].max(longest[i * width + j + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            if i < a.len() && j < b.len() && same(&a[i], &b[j]) {
                steps.push(Step::Keep(head + i, head + j));
                (i, j) = (i + 1, j + 1);
            } else if j == b.len()
                || (i < a.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
            {
                steps.push(Step::Remove(head + i));
                i += 1;
            } else {
                steps.push(Step::Add(head + j));
                j += 1;
            }
        }
    }
    steps.extend(
        (0..tail)
            .rev()
            .map(|back| Step::Keep(from.len() - 1 - back, to.len() - 1 - back)),
    );
    steps
}
