//! The difference as a JSON Patch (RFC 6902).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::align::{Step, align};
use crate::pointer;

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

/// What turns one document into the other.
pub(super) fn patch(from: &Value, to: &Value) -> Vec<PatchOp> {
    let mut operations = Vec::new();
    value(&mut operations, "", from, to);
    operations
}

fn value(patch: &mut Vec<PatchOp>, path: &str, from: &Value, to: &Value) {
    match (from, to) {
        _ if from == to => {}
        // A step of another kind is another step.
        (Value::Object(from), Value::Object(to)) if from.get("type") == to.get("type") => {
            members(patch, path, from, to);
        }
        (Value::Array(from), Value::Array(to)) => entries(patch, path, from, to),
        _ => patch.push(PatchOp::Replace {
            path: path.to_owned(),
            value: to.clone(),
        }),
    }
}

fn members(patch: &mut Vec<PatchOp>, path: &str, from: &Map<String, Value>, to: &Map<String, Value>) {
    for (name, old) in from {
        let path = pointer::join(path, name);
        match to.get(name) {
            Some(new) => value(patch, &path, old, new),
            None => patch.push(PatchOp::Remove { path }),
        }
    }
    for (name, new) in to.iter().filter(|(name, _)| !from.contains_key(*name)) {
        patch.push(PatchOp::Add {
            path: pointer::join(path, name),
            value: new.clone(),
        });
    }
}

fn entries(patch: &mut Vec<PatchOp>, path: &str, from: &[Value], to: &[Value]) {
    let mut here = 0;
    for step in align(from, to) {
        let path = pointer::index(path, here);
        match step {
            Step::Keep(i, j) => {
                value(patch, &path, &from[i], &to[j]);
                here += 1;
            }
            Step::Remove(_) => patch.push(PatchOp::Remove { path }),
            Step::Add(j) => {
                patch.push(PatchOp::Add {
                    path,
                    value: to[j].clone(),
                });
                here += 1;
            }
        }
    }
}
