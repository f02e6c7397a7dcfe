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
        let mark = without.map(|check| format!("-- check: {check}"));
        let kept = |line: &&str| !mark.as_ref().is_some_and(|mark| line.ends_with(mark.as_str()));
        for line in include_str!("lua/common.lua")
            .lines()
            .chain(code.lines())
            .filter(kept)
        {
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

/// All scripts.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) ingest: Declared,
    pub(super) claim: Declared,
    pub(super) commit: Declared,
    pub(super) fail: Declared,
    pub(super) renew: Declared,
    pub(super) release: Declared,
    pub(super) set_rev: Declared,
    pub(super) claim_out: Declared,
    pub(super) load_out: Declared,
    pub(super) begin_send: Declared,
    pub(super) ack_out: Declared,
    pub(super) park: Declared,
    pub(super) set_aside: Declared,
    pub(super) replay: Declared,
    pub(super) repair: Declared,
    pub(super) purge: Declared,
    pub(super) purge_bot: Declared,
    pub(super) stats: Declared,
    pub(super) close: Declared,
}

impl Scripts {
    /// `without` leaves out the guard of this name, to prove that the tests notice.
    pub(super) fn new(without: Option<&str>) -> Self {
        let declared = |code: &str, keys| Declared::new(code, keys, without);
        Self {
            ingest: declared(
                include_str!("lua/ingest.lua"),
                &[
                    "rz", "bf", "vt", "lx", "revs", "seq", "cnt", "spread", "qin", "state", "idemp",
                ],
            ),
            claim: declared(
                include_str!("lua/claim.lua"),
                &["rz", "bf", "vt", "lx", "dl", "att", "revs", "seq"],
            ),
            commit: declared(
                include_str!("lua/commit.lua"),
                &[
                    "rz", "bf", "vt", "lx", "att", "revs", "seq", "cnt", "oz", "obf", "ovt", "ox", "opark",
                    "opz", "ocnt", "ogu", "qin", "state", "qout", "qurgent",
                ],
            ),
            fail: declared(
                include_str!("lua/fail.lua"),
                &["rz", "bf", "vt", "lx", "dl", "att", "seq", "cnt", "qin", "dlq"],
            ),
            renew: declared(include_str!("lua/renew.lua"), &["leases", "seq"]),
            release: declared(include_str!("lua/release.lua"), &["rz", "bf", "vt", "lx", "seq"]),
            set_rev: declared(include_str!("lua/set_rev.lua"), &["revs"]),
            claim_out: declared(
                include_str!("lua/claim_out.lua"),
                &[
                    "oz", "obf", "ovt", "ox", "odl", "opark", "opz", "ogu", "odoubt", "seq",
                ],
            ),
            load_out: declared(
                include_str!("lua/load_out.lua"),
                &["ox", "odoubt", "ogu", "qout", "qurgent"],
            ),
            begin_send: declared(
                include_str!("lua/begin_send.lua"),
                &["ox", "ogu", "qout", "qurgent"],
            ),
            ack_out: declared(
                include_str!("lua/ack_out.lua"),
                &[
                    "oz", "obf", "ovt", "ox", "odl", "opark", "opz", "ogu", "odoubt", "seq", "ocnt", "qout",
                    "qurgent", "dlq",
                ],
            ),
            park: declared(
                include_str!("lua/park.lua"),
                &["oz", "obf", "ovt", "opark", "opz", "seq"],
            ),
            set_aside: declared(include_str!("lua/set_aside.lua"), &["dlq"]),
            replay: declared(
                include_str!("lua/replay.lua"),
                &[
                    "rz", "bf", "vt", "seq", "cnt", "oz", "obf", "ovt", "opark", "opz", "ocnt", "qin",
                    "qout", "qurgent", "dlq", "idemp",
                ],
            ),
            repair: declared(
                include_str!("lua/repair.lua"),
                &[
                    "rz", "bf", "vt", "lx", "dl", "seq", "oz", "obf", "ovt", "ox", "odl", "opark", "opz",
                    "qin", "qout", "qurgent",
                ],
            ),
            purge: declared(
                include_str!("lua/purge.lua"),
                &[
                    "rz", "lx", "dl", "att", "oz", "ox", "odl", "opz", "odoubt", "ogu", "qin", "qout",
                    "qurgent", "state",
                ],
            ),
            purge_bot: declared(
                include_str!("lua/purge_bot.lua"),
                &["revs", "cnt", "ocnt", "opark", "dlq_in", "dlq_out"],
            ),
            close: declared(
                include_str!("lua/close.lua"),
                &["cnt", "ocnt", "spread", "dlq_in", "dlq_out"],
            ),
            stats: declared(include_str!("lua/stats.lua"), &["rz", "lx", "dl", "cnt", "ocnt"]),
        }
    }
}

/// Names of the guards in the scripts.
pub(super) fn checks() -> Vec<String> {
    let scripts = [
        include_str!("lua/ingest.lua"),
        include_str!("lua/claim.lua"),
        include_str!("lua/commit.lua"),
        include_str!("lua/fail.lua"),
        include_str!("lua/renew.lua"),
        include_str!("lua/release.lua"),
        include_str!("lua/set_rev.lua"),
        include_str!("lua/claim_out.lua"),
        include_str!("lua/begin_send.lua"),
        include_str!("lua/ack_out.lua"),
        include_str!("lua/replay.lua"),
        include_str!("lua/close.lua"),
    ];
    let lines = scripts.iter().flat_map(|script| script.lines());
    let names = lines.filter_map(|line| line.split_once("-- check: "));
    names.map(|(_, name)| name.to_owned()).collect()
}
