//! CPU time and memory of a process and everything it started, and CPU time of the machine, from `/proc` (Linux).

use std::collections::HashMap;
use std::time::Duration;

/// Clock ticks per second in `/proc/<pid>/stat`: fixed at 100 by the kernel's interface to user space.
const TICKS: u64 = 100;

/// What a process tree has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time, ended children included.
    pub cpu: Duration,
    /// Resident memory of all processes, bytes.
    pub rss: u64,
}

struct Stat {
    parent: u32,
    ticks: u64,
    pages: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses; everything after its last parenthesis is numbers.
    let fields: Vec<&str> = text[text.rfind(')')? + 2..].split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // Fields 14 to 17 of proc(5): utime, stime, cutime, cstime; 24: rss. `fields[0]` is field 3.
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        ticks,
        pages: number(21)?,
    })
}

/// Usage of `root` and all its descendants that are alive.
pub(crate) fn usage(root: u32) -> Usage {
    let mut stats = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((pid, stat)) = pid.and_then(|pid| Some((pid, stat(pid)?))) {
            stats.insert(pid, stat);
        }
    }
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(parent) = tree.get(at).copied() {
        tree.extend(
            stats
                .iter()
                .filter(|(_, stat)| stat.parent == parent)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    tree.iter()
        .filter_map(|pid| stats.get(pid))
        .fold(Usage::default(), |sum, stat| Usage {
            cpu: sum.cpu + Duration::from_millis(stat.ticks * 1_000 / TICKS),
            rss: sum.rss + stat.pages * 4_096,
        })
}

/// CPU time of everything on this machine since it started, without what it idled or waited.
pub(crate) fn machine() -> Duration {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // Of proc(5)'s user, nice, system, idle, iowait, irq, softirq, steal, in ticks; guests' time is in user's already.
    let ticks: u64 = fields
        .take(8)
        .enumerate()
        .filter(|(at, _)| !matches!(at, 3 | 4))
        .filter_map(|(_, field)| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 1_000 / TICKS)
}
