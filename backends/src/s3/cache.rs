//! Artifacts on the local disk, each under its digest: the name says what must be in the file, so a damaged file is
//! found when it is read, removed, and fetched anew. What was used longest ago makes room.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use botloom_core::hash::Sha256Hash;
use bytes::Bytes;
use uuid::Uuid;

use super::S3Error;

/// What files have at the end of their name that are not whole yet.
const HALF: &str = ".half";

/// Files on the local disk, for this process alone. Clones share it.
///
/// It never fails: what cannot be read or written is as good as not cached.
#[derive(Debug, Clone)]
pub struct ArtifactCache {
    dir: Arc<Path>,
    index: Arc<Mutex<Index>>,
}

/// What is cached, and in what order it was used.
#[derive(Debug)]
struct Index {
    max_bytes: u64,
    bytes: u64,
    /// Size and last use. Uses are numbered.
    files: HashMap<Sha256Hash, (u64, u64)>,
    by_use: BTreeSet<(u64, Sha256Hash)>,
    uses: u64,
}

impl ArtifactCache {
    /// Default of `max_bytes`: 1 GiB.
    pub const DEFAULT_MAX_BYTES: u64 = 1024 * 1024 * 1024;

    /// The cache in `dir`, which is made if it is not there, with what an earlier process left in it. It never holds
    /// more than `max_bytes`.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self, S3Error> {
        let index = Index::read(dir, max_bytes).map_err(S3Error::Cache)?;
        let cache = Self {
            dir: dir.into(),
            index: Arc::new(Mutex::new(index)),
        };
        cache.make_room(0);
        Ok(cache)
    }

    /// The file with this digest, if it is here and whole.
    pub(super) async fn get(&self, digest: Sha256Hash) -> Option<Bytes> {
        let cache = self.clone();
        let read = tokio::task::spawn_blocking(move || cache.get_now(digest));
        let found = read.await.ok().flatten();
        let result = if found.is_some() { "hit" } else { "miss" };
        metrics::counter!("botloom_cache_requests_total", "tier" => "artifact", "result" => result)
            .increment(1);
        found
    }

    /// Keeps a file whose digest this is.
    pub(super) async fn insert(&self, digest: Sha256Hash, bytes: Bytes) {
        let cache = self.clone();
        let written = tokio::task::spawn_blocking(move || cache.insert_now(digest, &bytes)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(error = %error, "an artifact could not be cached");
        }
    }

    fn get_now(&self, digest: Sha256Hash) -> Option<Bytes> {
        if !self.index().touch(digest) {
            return None;
        }
        let path = self.path(digest);
        let bytes = fs::read(&path).ok();
        if let Some(bytes) = bytes.filter(|bytes| Sha256Hash::of(bytes) == digest) {
            // The next process takes the order of use from the times of the files.
            let opened = File::options().append(true).open(&path);
            opened.and_then(|file| file.set_modified(SystemTime::now())).ok();
            return Some(bytes.into());
        }
        tracing::warn!(%digest, "a cached artifact was damaged, it is fetched again");
        self.index().forget(digest);
        fs::remove_file(&path).ok();
        None
    }

    fn insert_now(&self, digest: Sha256Hash, bytes: &[u8]) -> io::Result<()> {
        let size = bytes.len() as u64;
        if size > self.index().max_bytes || self.index().touch(digest) {
            return Ok(());
        }
        self.make_room(size);
        let half = self.dir.join(format!("{}{HALF}", Uuid::new_v4()));
        let written = File::create(&half)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&half, self.path(digest)));
        if written.is_err() {
            fs::remove_file(&half).ok();
        } else {
            self.index().add(digest, size);
            // Others may have written at the same moment.
            self.make_room(0);
        }
        written
    }

    /// Removes what was used longest ago until `size` more bytes fit.
    fn make_room(&self, size: u64) {
        while let Some(digest) = self.index().least_used_beyond(size) {
            fs::remove_file(self.path(digest)).ok();
        }
    }

    fn path(&self, digest: Sha256Hash) -> PathBuf {
        self.dir.join(digest.to_string())
    }

    fn index(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn read(dir: &Path, max_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.ends_with(HALF) {
                fs::remove_file(entry.path())?;
            } else if let Ok(digest) = name.parse::<Sha256Hash>() {
                let metadata = entry.metadata()?;
                found.push((metadata.modified()?, digest, metadata.len()));
            }
        }
        found.sort_by_key(|(modified, ..)| *modified);
        let mut index = Self {
            max_bytes,
            bytes: 0,
            files: HashMap::new(),
            by_use: BTreeSet::new(),
            uses: 0,
        };
        for (_, digest, size) in found {
            index.add(digest, size);
        }
        Ok(index)
    }

    /// Notes a use; answers whether the file is known.
    fn touch(&mut self, digest: Sha256Hash) -> bool {
        let Some((size, _)) = self.files.get(&digest).copied() else {
            return false;
        };
        self.add(digest, size);
        true
    }

    fn add(&mut self, digest: Sha256Hash, size: u64) {
        self.forget(digest);
        self.uses += 1;
        self.files.insert(digest, (size, self.uses));
        self.by_use.insert((self.uses, digest));
        self.bytes += size;
    }

    fn forget(&mut self, digest: Sha256Hash) {
        if let Some((size, used)) = self.files.remove(&digest) {
            self.by_use.remove(&(used, digest));
            self.bytes -= size;
        }
    }

    /// Forgets the file that was used longest ago, if `size` more bytes do not fit.
    fn least_used_beyond(&mut self, size: u64) -> Option<Sha256Hash> {
        if self.bytes + size <= self.max_bytes {
            return None;
        }
        let (_, digest) = *self.by_use.first()?;
        self.forget(digest);
        Some(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(letter: char) -> (Sha256Hash, Bytes) {
        let bytes = Bytes::from(letter.to_string().repeat(10));
        (Sha256Hash::of(&bytes), bytes)
    }

    async fn kept(cache: &ArtifactCache, letters: &str) -> String {
        let mut kept = String::new();
        for letter in letters.chars() {
            let (digest, bytes) = file(letter);
            if let Some(found) = cache.get(digest).await {
                assert_eq!(found, bytes);
                kept.push(letter);
            }
        }
        kept
    }

    #[tokio::test]
    async fn what_was_used_longest_ago_makes_room_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let cache = ArtifactCache::open(dir.path(), 30).unwrap();
        for letter in "abc".chars() {
            let (digest, bytes) = file(letter);
            cache.insert(digest, bytes).await;
        }
        assert_eq!(kept(&cache, "a").await, "a");
        let (digest, bytes) = file('d');
        cache.insert(digest, bytes).await;
        assert_eq!(kept(&cache, "abcd").await, "acd");
        assert_eq!(kept(&cache, "ca").await, "ca");
        let reopened = ArtifactCache::open(dir.path(), 20).unwrap();
        assert_eq!(kept(&reopened, "abcd").await, "ac");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn what_never_fits_is_not_kept_and_half_files_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x.half"), "half").unwrap();
        let cache = ArtifactCache::open(dir.path(), 9).unwrap();
        let (digest, bytes) = file('a');
        cache.insert(digest, bytes).await;
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_damaged_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = ArtifactCache::open(dir.path(), 100).unwrap();
        let (digest, bytes) = file('a');
        cache.insert(digest, bytes.clone()).await;
        fs::write(dir.path().join(digest.to_string()), "bbbbbbbbbb").unwrap();
        assert_eq!(cache.get(digest).await, None);
        assert!(!dir.path().join(digest.to_string()).exists());
        cache.insert(digest, bytes.clone()).await;
        assert_eq!(cache.get(digest).await, Some(bytes));
    }
}
