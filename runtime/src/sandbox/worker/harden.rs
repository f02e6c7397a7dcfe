//! Gives up what a worker does not need, before it sees bot code.

use std::fmt;

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

use super::{fds, seccomp};
use crate::sandbox::limits::Limits;

/// Which protections hold in the workers of a pool. All of them on Linux on x86-64, aarch64 and riscv64.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Protections(u8);

impl Protections {
    /// System calls are confined to memory, the channel, time and exit.
    pub const SECCOMP: Self = Self(1);
    /// No privilege can be gained, not even by executing a file.
    pub const NO_NEW_PRIVS: Self = Self(2);
    /// No other process of the user can trace the worker or read its memory.
    pub const NOT_DUMPABLE: Self = Self(4);
    /// Address space is bounded; no files, no processes, no core dumps.
    pub const RLIMITS: Self = Self(8);
    /// No descriptor of the node was left open.
    pub const CLOSED_FDS: Self = Self(16);
    /// The kernel ends the worker when the node ends, however that happens.
    pub const DIES_WITH_NODE: Self = Self(32);

    const ALL: [(Self, &'static str); 6] = [
        (Self::SECCOMP, "seccomp"),
        (Self::NO_NEW_PRIVS, "no_new_privs"),
        (Self::NOT_DUMPABLE, "not_dumpable"),
        (Self::RLIMITS, "rlimits"),
        (Self::CLOSED_FDS, "closed_fds"),
        (Self::DIES_WITH_NODE, "dies_with_node"),
    ];

    /// Whether `protection` holds.
    pub const fn has(self, protection: Self) -> bool {
        self.0 & protection.0 == protection.0
    }

    /// Names of the protections that do not hold; empty is good.
    pub fn missing(self) -> Vec<&'static str> {
        Self::ALL
            .iter()
            .filter(|(protection, _)| !self.has(*protection))
            .map(|(_, name)| *name)
            .collect()
    }

    pub(in crate::sandbox) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    fn set(&mut self, protection: Self, holds: bool) {
        if holds {
            self.0 |= protection.0;
        }
    }
}

impl fmt::Debug for Protections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(
                Self::ALL
                    .iter()
                    .filter(|(p, _)| self.has(*p))
                    .map(|(_, name)| name),
            )
            .finish()
    }
}

/// What has to happen while the process has one thread.
pub(super) fn before_threads() -> Protections {
    let mut holds = Protections::default();
    holds.set(Protections::CLOSED_FDS, fds::close_inherited());
    holds.set(
        Protections::DIES_WITH_NODE,
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).is_ok(),
    );
    holds.set(
        Protections::NOT_DUMPABLE,
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok(),
    );
    holds.set(
        Protections::NO_NEW_PRIVS,
        rustix::thread::set_no_new_privs(true).is_ok(),
    );
    holds
}

/// The rest, on the thread that will run bot code. `held` is what [`before_threads`] got.
pub(super) fn confine(limits: &Limits, held: Protections) -> Protections {
    let mut holds = held;
    let caps = [
        (Resource::As, limits.address_space_bytes),
        (Resource::Nofile, 3),
        (Resource::Nproc, 0),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    let capped = caps.into_iter().all(|(resource, value)| {
        let value = Some(value);
        rustix::process::setrlimit(
            resource,
            Rlimit {
                current: value,
                maximum: value,
            },
        )
        .is_ok()
    });
    holds.set(Protections::RLIMITS, capped);
    holds.set(Protections::SECCOMP, seccomp::confine());
    holds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_protections_are_named() {
        let mut some = Protections::default();
        assert_eq!(some.missing().len(), 6);
        some.set(Protections::SECCOMP, true);
        some.set(Protections::RLIMITS, false);
        assert!(some.has(Protections::SECCOMP) && !some.has(Protections::RLIMITS));
        assert_eq!(format!("{some:?}"), r#"{"seccomp"}"#);
        assert_eq!(Protections::from_bits(63).missing(), Vec::<&str>::new());
    }
}
