//! A queue of lines on disk, between those who must not wait and a service that may be away.
//!
//! Lines are appended to an open segment. A segment is sealed when it is large or old enough: synced and renamed, from
//! then on it never changes and its name says what it is, so that whoever takes it twice can tell. The oldest sealed
//! segment is read, delivered and removed. When the spool has no room, the oldest segment makes room.
//!
//! What was written survives the end of the process; what was sealed or synced survives the end of the machine.

mod segment;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use segment::{Segment, open_name, recover};
use uuid::Uuid;

pub(crate) use segment::SegmentId;

/// Numbers of a spool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpoolLimits {
    /// Lines after which a segment is sealed.
    pub(crate) lines: u64,
    /// Age after which a segment is sealed, or at least synced.
    pub(crate) age: Duration,
    /// Bytes of all segments together.
    pub(crate) bytes: u64,
}

/// The spool of one folder, used by one process. Its methods block on the disk.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    limits: SpoolLimits,
    sealed: VecDeque<Segment>,
    open: Option<Open>,
}

/// The segment that is written to.
#[derive(Debug)]
struct Open {
    segment: Segment,
    file: File,
    since: Instant,
    /// When what it holds was synced, or when its first line came.
    synced: Instant,
    dirty: bool,
}

impl Spool {
    /// The spool in `dir`, which is made if it is not there, with everything an earlier process left in it.
    pub(crate) fn open(dir: &Path, limits: SpoolLimits) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            limits,
            sealed: recover(dir)?,
            open: None,
        })
    }

    /// Appends lines, each of which ends with a line break. Answers how many older lines were dropped to make room. A
    /// failure appends nothing.
    pub(crate) fn append(&mut self, lines: &[Vec<u8>]) -> io::Result<u64> {
        let mut dropped = 0;
        let mut rest = lines;
        while !rest.is_empty() {
            let held = self.open.as_ref().map_or(0, |open| open.segment.lines);
            let room = usize::try_from(self.limits.lines.saturating_sub(held).max(1)).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(room.min(rest.len()));
            dropped += self.append_to_open(&now.concat(), now.len() as u64)?;
            rest = later;
        }
        Ok(dropped)
    }

    fn append_to_open(&mut self, bytes: &[u8], lines: u64) -> io::Result<u64> {
        let size = bytes.len() as u64;
        if size > self.limits.bytes {
            return Ok(lines);
        }
        let mut dropped = 0;
        while self.bytes() + size > self.limits.bytes {
            if self.sealed.is_empty() {
                self.seal()?;
            }
            dropped += self.drop_oldest()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(Open::make(&self.dir)?),
        };
        if let Err(error) = open.file.write_all(bytes) {
            // Half a line would take the whole segment with it.
            open.file.set_len(open.segment.bytes)?;
            return Err(error);
        }
        open.segment.bytes += size;
        open.segment.lines += lines;
        if !open.dirty {
            (open.dirty, open.synced) = (true, Instant::now());
        }
        if open.segment.lines >= self.limits.lines {
            self.seal()?;
        }
        Ok(dropped)
    }

    /// Does what time asks for: seals the open segment, or only syncs it while older ones wait, so that a service that
    /// is away for long leaves few large segments instead of many small ones.
    pub(crate) fn tick(&mut self) -> io::Result<()> {
        let age = self.limits.age;
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if self.sealed.is_empty() && open.since.elapsed() >= age {
            return self.seal();
        }
        if open.dirty && open.synced.elapsed() >= age {
            open.file.sync_data()?;
            open.dirty = false;
        }
        Ok(())
    }

    /// Seals the open segment, if there is one.
    pub(crate) fn seal(&mut self) -> io::Result<()> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        open.file.sync_data()?;
        let segment = open.segment;
        segment.rename_sealed(&self.dir)?;
        self.sealed.push_back(segment);
        self.open = None;
        Ok(())
    }

    /// The oldest sealed segment and its lines.
    pub(crate) fn oldest(&mut self) -> io::Result<Option<(SegmentId, Vec<u8>)>> {
        let Some(segment) = self.sealed.front() else {
            return Ok(None);
        };
        let lines = fs::read(segment.path(&self.dir))?;
        Ok(Some((segment.id, lines)))
    }

    /// Removes a sealed segment; answers how many lines it had, 0 if it was gone.
    pub(crate) fn remove(&mut self, id: SegmentId) -> io::Result<u64> {
        let Some(place) = self.sealed.iter().position(|segment| segment.id == id) else {
            return Ok(0);
        };
        let segment = self.sealed[place];
        segment.delete(&self.dir)?;
        self.sealed.remove(place);
        Ok(segment.lines)
    }

    /// Removes the oldest sealed segment to make room; answers how many lines it had.
    pub(crate) fn drop_oldest(&mut self) -> io::Result<u64> {
        match self.sealed.front() {
            Some(oldest) => self.remove(oldest.id),
            None => Ok(0),
        }
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.iter().map(|segment| segment.bytes).sum();
        sealed + self.open.as_ref().map_or(0, |open| open.segment.bytes)
    }

    /// The newest sealed segment.
    pub(crate) fn newest(&self) -> Option<SegmentId> {
        self.sealed.back().map(|segment| segment.id)
    }

    /// Whether this sealed segment, or an older one, is still here.
    pub(crate) fn holds_up_to(&self, id: SegmentId) -> bool {
        self.sealed.front().is_some_and(|segment| segment.id <= id)
    }
}

impl Open {
    fn make(dir: &Path) -> io::Result<Self> {
        // Ids of version 7 sort by the time they were made.
        let id = SegmentId(Uuid::now_v7());
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(dir.join(open_name(id)))?;
        Ok(Self {
            segment: Segment {
                id,
                lines: 0,
                bytes: 0,
            },
            file,
            since: Instant::now(),
            synced: Instant::now(),
            dirty: false,
        })
    }
}
