//! The scripts with the keys that each declares.
//!
//! Every key that a script touches is among its `KEYS`, all of one slot, and the first one never exists: a slot that is
//! being moved answers `TRYAGAIN` before such a script starts, never in the middle of it.

use botloom_core::Lane;
use botloom_core::ports::Direction;

use crate::redis::{Names, Script};

/// A script and the names of its keys.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) script: Script,
    keys: &'static [&'static str],
}

/// What keys are made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) shard: u16,
    /// The lane as the places know it, `bot:chat`; only the bot where no lane is meant.
    pub(super) lane: &'a str,
    /// The dead letters of this direction.
    pub(super) letters: Direction,
    /// The key that remembers the update's id.
    pub(super) seen: &'a str,
}

impl<'a> Place<'a> {
    pub(super) const fn of(shard: u16, lane: &'a str) -> Self {
        Self {
            shard,
            lane,
            letters: Direction::In,
            seen: "",
        }
    }
}

impl Declared {
    fn new(code: &str, keys: &'static [&'static str], without: Option<&str>) -> Self {
        let mut text = String::new();
        for (at, key) in keys.iter().enumerate() {
            text.extend(["local ", key, " = KEYS[", &(at + 2).to_string(), "]\n"]);
        }
        let kept = |line: &&str| without.is_none() || guard_of(line) != without;
        for line in COMMON.lines().chain(code.lines()).filter(kept) {
            text.push_str(line);
            text.push('\n');
        }
        Self {
            script: Script::new(text),
            keys,
        }
    }

    /// The keys on the server.
    pub(super) fn keys(&self, names: &Names, place: Place<'_>) -> Vec<String> {
        let mut keys = Vec::with_capacity(self.keys.len() + 1);
        keys.push(names.of_shard("nil", place.shard));
        keys.extend(self.keys.iter().map(|key| key_of(names, key, place)));
        keys
    }
}

/// The key's name on the server.
pub(super) fn key_of(names: &Names, key: &str, place: Place<'_>) -> String {
    let lane = place.lane;
    let bot = || lane.split(':').next().unwrap_or(lane);
    let name = match key {
        "qin" => format!("q:in:{lane}"),
        "qout" => format!("q:out:{lane}"),
        "qurgent" => format!("q:urgent:{lane}"),
        "state" => {
            let chat = lane.split_once(':').map_or("", |(_, chat)| chat);
            format!("state:bot:{}:chat:{chat}", bot())
        }
        "dlq" => format!("dlq:{}:{}", place.letters, bot()),
        "dlq_in" => format!("dlq:in:{}", bot()),
        "dlq_out" => format!("dlq:out:{}", bot()),
        "idemp" => place.seen.to_owned(),
        "leases" => match place.letters {
            Direction::In => return names.of_shard("lx", place.shard),
            Direction::Out => return names.of_shard("ox", place.shard),
        },
        of_shard => return names.of_shard(of_shard, place.shard),
    };
    names.phys(&name, place.shard)
}

/// A lane as the places know it. A bot's id has no colon, so that the first one divides.
pub(super) fn member(lane: &Lane) -> String {
    lane.to_string()
}

/// What all scripts begin with.
const COMMON: &str = include_str!("lua/common.lua");

/// The text of a script.
macro_rules! text {
    ($name:ident) => {
        include_str!(concat!("lua/", stringify!($name), ".lua"))
    };
}

/// Makes [`Scripts`] of the files in `lua/` and the keys that each declares, and the list of their texts.
macro_rules! scripts {
    ($($name:ident: $keys:expr),* $(,)?) => {
        /// All scripts.
        #[derive(Debug)]
        pub(super) struct Scripts {
            $(pub(super) $name: Declared),*
        }

        impl Scripts {
            /// `without` leaves out the guard of this name, to prove that the tests notice.
            pub(super) fn new(without: Option<&str>) -> Self {
                Self {
                    $($name: Declared::new(text!($name), &$keys, without)),*
                }
            }
        }

        /// Name and text of each file.
        const FILES: &[(&str, &str)] = &[("common", COMMON), $((stringify!($name), text!($name))),*];
    };
}

scripts! {
    ingest: ["rz", "bf", "vt", "lx", "taken", "revs", "seq", "cnt", "spread", "qin", "state", "idemp"],
    claim: ["rz", "bf", "vt", "lx", "taken", "dl", "att", "revs", "seq"],
    commit: [
        "rz", "bf", "vt", "lx", "taken", "att", "revs", "seq", "cnt", "oz", "obf", "ovt", "ox", "opark", "opz",
        "ocnt", "ogu", "qin", "state", "qout", "qurgent",
    ],
    fail: ["rz", "bf", "vt", "lx", "dl", "att", "seq", "cnt", "qin", "dlq"],
    renew: ["leases", "seq"],
    release: ["rz", "bf", "vt", "lx", "seq"],
    set_rev: ["spread", "revs"],
    claim_out: ["oz", "obf", "ovt", "ox", "odl", "opark", "opz", "ogu", "odoubt", "oflood", "seq"],
    load_out: ["ox", "odoubt", "ogu", "qout", "qurgent"],
    begin_send: ["ox", "ogu", "qout", "qurgent"],
    ack_out: [
        "oz", "obf", "ovt", "ox", "odl", "opark", "opz", "ogu", "odoubt", "oflood", "seq", "ocnt", "qout",
        "qurgent", "dlq",
    ],
    park: ["spread", "oz", "obf", "ovt", "opark", "opz", "seq"],
    set_aside: ["spread", "dlq"],
    replay: [
        "spread", "rz", "bf", "vt", "seq", "cnt", "oz", "obf", "ovt", "opark", "opz", "ocnt", "qin", "qout",
        "qurgent", "dlq", "idemp",
    ],
    repair: [
        "rz", "bf", "vt", "lx", "dl", "seq", "oz", "obf", "ovt", "ox", "odl", "opark", "opz", "qin", "qout",
        "qurgent",
    ],
    purge: [
        "rz", "lx", "dl", "att", "oz", "ox", "odl", "opz", "odoubt", "ogu", "oflood", "qin", "qout", "qurgent",
        "state",
    ],
    purge_bot: ["revs", "cnt", "ocnt", "opark", "dlq_in", "dlq_out"],
    stats: ["rz", "lx", "dl", "cnt", "ocnt"],
    close: ["cnt", "ocnt", "spread", "dlq_in", "dlq_out"],
    look: [
        "spread", "rz", "lx", "dl", "att", "oz", "ox", "odl", "opz", "opark", "ogu", "qin", "qout", "qurgent",
    ],
    free: ["spread", "rz", "bf", "vt", "lx", "dl", "att", "seq", "cnt", "qin", "dlq"],
    free_out: [
        "spread", "oz", "obf", "ovt", "ox", "odl", "opark", "opz", "odoubt", "oflood", "seq", "ocnt", "qout",
        "qurgent", "dlq",
    ],
    forget: ["spread", "rz", "bf", "vt", "lx", "taken", "seq", "state"],
    count_letters: ["dlq"],
}

/// The guard that a line is part of.
fn guard_of(line: &str) -> Option<&str> {
    line.split_once("-- check: ").map(|(_, name)| name.trim_end())
}

/// Names of the guards in the scripts, each once.
pub(super) fn checks() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in FILES.iter().flat_map(|(_, text)| text.lines()) {
        if let Some(name) = guard_of(line).filter(|name| !names.iter().any(|known| known == name)) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::FILES;

    #[test]
    fn every_file_is_a_script_that_is_used() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lanes/redis/lua");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let used: BTreeSet<String> = FILES.iter().map(|(name, _)| format!("{name}.lua")).collect();
        assert_eq!(files, used, "guards of other files would not be tried");
    }
}
