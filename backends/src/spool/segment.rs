//! Files of a spool: `<id>.open` while it is written to, `<id>.<lines>.sealed` from then on.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use uuid::Uuid;

/// What a copy without its damaged lines is called until it is whole.
const HEALING: &str = ".healing";

/// Name of a segment; ids sort by the time they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentId(pub(super) Uuid);

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known of a segment without reading it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) id: SegmentId,
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

/// File name of a segment that is written to.
pub(super) fn open_name(id: SegmentId) -> String {
    format!("{id}.open")
}

impl Segment {
    /// Where it is once it is sealed.
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.{}.sealed", self.id, self.lines))
    }

    /// Gives it the name of a sealed one. It must have been synced.
    pub(super) fn rename_sealed(&self, dir: &Path) -> io::Result<()> {
        fs::rename(dir.join(open_name(self.id)), self.path(dir))?;
        // If the new name is lost with the machine, the old one is found, and what it holds is sealed under the same id.
        File::open(dir).and_then(|dir| dir.sync_all()).ok();
        Ok(())
    }

    /// Deletes its file. A removal that a crash undoes only makes the segment come twice.
    pub(super) fn delete(&self, dir: &Path) -> io::Result<()> {
        match fs::remove_file(self.path(dir)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads what the name of a file says.
    fn parse(name: &str, bytes: u64) -> Option<Self> {
        let mut parts = name.strip_suffix(".sealed")?.split('.');
        let id = SegmentId(parts.next()?.parse().ok()?);
        let lines = parts.next()?.parse().ok()?;
        Some(Self { id, lines, bytes })
    }
}

/// What an earlier process left in `dir`, oldest first. A segment that was written to is sealed with its whole lines.
/// Files of other names are left alone.
pub(super) fn recover(dir: &Path) -> io::Result<VecDeque<Segment>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(segment) = Segment::parse(name, entry.metadata()?.len()) {
            found.push(segment);
        } else if let Some(id) = name.strip_suffix(".open").and_then(|id| id.parse().ok()) {
            found.extend(seal_left_open(dir, SegmentId(id))?);
        } else if name.ends_with(HEALING) {
            fs::remove_file(entry.path())?;
        }
    }
    found.sort_by_key(|segment| segment.id);
    Ok(found.into())
}

/// Seals what a process was writing to when it ended. Only lines that are JSON are kept: the last one may be half
/// written, and after a loss of power any unsynced page may be missing.
fn seal_left_open(dir: &Path, id: SegmentId) -> io::Result<Option<Segment>> {
    let path = dir.join(open_name(id));
    let bytes = fs::read(&path)?;
    let whole: Vec<&[u8]> = bytes
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| line.ends_with(b"\n") && serde_json::from_slice::<IgnoredAny>(line).is_ok())
        .collect();
    if whole.is_empty() {
        fs::remove_file(&path)?;
        return Ok(None);
    }
    let segment = Segment {
        id,
        lines: whole.len() as u64,
        bytes: whole.iter().map(|line| line.len() as u64).sum(),
    };
    if segment.bytes == bytes.len() as u64 {
        File::open(&path)?.sync_all()?;
    } else {
        let aside = dir.join(format!("{id}{HEALING}"));
        let mut healed = File::create(&aside)?;
        healed.write_all(&whole.concat())?;
        healed.sync_all()?;
        fs::rename(&aside, &path)?;
    }
    segment.rename_sealed(dir)?;
    Ok(Some(segment))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Spool, SpoolLimits};
    use super::*;

    const LIMITS: SpoolLimits = SpoolLimits {
        lines: 3,
        age: Duration::ZERO,
        bytes: 100,
    };

    fn lines(texts: &[&str]) -> Vec<Vec<u8>> {
        texts
            .iter()
            .map(|text| format!("\"{text}\"\n").into_bytes())
            .collect()
    }

    /// Takes everything out, in order.
    fn drain(spool: &mut Spool) -> Vec<String> {
        let mut taken = Vec::new();
        while let Some((id, lines)) = spool.oldest().unwrap() {
            taken.push(String::from_utf8(lines).unwrap().replace(['"', '\n'], ""));
            assert!(spool.remove(id).unwrap() > 0);
        }
        taken
    }

    #[test]
    fn segments_are_sealed_by_size_and_by_age() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), LIMITS).unwrap();
        spool
            .append(&lines(&["a", "b", "c", "d", "e", "f", "g"]))
            .unwrap();
        assert_eq!(drain(&mut spool), ["abc", "def"]);
        spool.tick().unwrap();
        assert_eq!(drain(&mut spool), ["g"]);
        assert_eq!((spool.bytes(), fs::read_dir(dir.path()).unwrap().count()), (0, 0));
    }

    #[test]
    fn behind_segments_that_wait_age_alone_seals_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), LIMITS).unwrap();
        spool.append(&lines(&["a", "b", "c", "d"])).unwrap();
        spool.tick().unwrap();
        spool.append(&lines(&["e"])).unwrap();
        spool.seal().unwrap();
        assert_eq!(drain(&mut spool), ["abc", "de"]);
    }

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), LIMITS).unwrap();
        let long = "x".repeat(20);
        let mut dropped = 0;
        for n in 0..9 {
            dropped += spool.append(&lines(&[&format!("{n}{long}")])).unwrap();
            assert!(spool.bytes() <= LIMITS.bytes);
        }
        spool.seal().unwrap();
        let kept = drain(&mut spool).concat().replace('x', "");
        assert_eq!(kept.len() as u64 + dropped, 9, "{kept}");
        assert!(kept.ends_with('8') && dropped > 0, "{kept}");
        assert_eq!(
            spool.append(&lines(&[&"y".repeat(200)])).unwrap(),
            1,
            "it can never fit"
        );
    }

    #[test]
    fn what_a_process_left_is_found_without_its_last_half_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), LIMITS).unwrap();
        spool.append(&lines(&["a", "b", "c", "d", "e"])).unwrap();
        drop(spool);
        let open = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().unwrap() == "open")
            .unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(open).unwrap();
        file.write_all(b"\"half").unwrap();
        let mut spool = Spool::open(dir.path(), LIMITS).unwrap();
        assert_eq!(drain(&mut spool), ["abc", "de"]);
        let mut spool = Spool::open(dir.path(), LIMITS).unwrap();
        assert_eq!(drain(&mut spool), Vec::<String>::new());
    }

    #[test]
    fn pages_that_a_loss_of_power_took_cost_their_lines_alone() {
        let dir = tempfile::tempdir().unwrap();
        let id = SegmentId(Uuid::now_v7());
        fs::write(dir.path().join(format!("{id}{HEALING}")), b"\"a\"\n").unwrap();
        fs::write(dir.path().join(open_name(id)), b"\"a\"\n\0\0\0\0\n\"b\"\n\0\0").unwrap();
        let mut spool = Spool::open(dir.path(), LIMITS).unwrap();
        assert_eq!(drain(&mut spool), ["ab"]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
