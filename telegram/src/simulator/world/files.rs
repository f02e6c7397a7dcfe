//! Files by id.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

/// A file that somebody sent.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) id: String,
    pub(crate) unique_id: String,
    /// Path behind `/file/bot<token>/`.
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
    /// What the sender says it is; may be more than is kept.
    pub(crate) size: u64,
}

/// All files, up to so many bytes; the oldest go first.
#[derive(Debug)]
pub(crate) struct Files {
    by_id: HashMap<String, Arc<StoredFile>>,
    order: VecDeque<String>,
    bytes: usize,
    limit: usize,
    made: u64,
}

impl Files {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            limit,
            made: 0,
        }
    }

    /// Keeps a file. `folder` is Telegram's, like `photos`.
    pub(crate) fn add(
        &mut self,
        folder: &str,
        name: &str,
        content_type: &str,
        bytes: Bytes,
        size: Option<u64>,
    ) -> Arc<StoredFile> {
        self.made += 1;
        let extension = name
            .rsplit_once('.')
            .map(|(_, e)| e)
            .filter(|e| (1..=8).contains(&e.len()) && e.bytes().all(|b| b.is_ascii_alphanumeric()))
            .unwrap_or("bin");
        let file = Arc::new(StoredFile {
            id: format!("SimFile-{folder}-{:08}", self.made),
            unique_id: format!("SimUniq{:08}", self.made),
            path: format!("{folder}/file_{}.{extension}", self.made),
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            size: size.unwrap_or(bytes.len() as u64),
            bytes,
        });
        self.bytes += file.bytes.len();
        self.order.push_back(file.id.clone());
        self.by_id.insert(file.id.clone(), Arc::clone(&file));
        while self.bytes > self.limit || self.order.len() > 100_000 {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(file) = self.by_id.remove(&oldest) {
                self.bytes -= file.bytes.len();
            }
        }
        file
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Arc<StoredFile>> {
        self.by_id.get(id)
    }

    pub(crate) fn by_path(&self, path: &str) -> Option<&Arc<StoredFile>> {
        self.by_id.values().find(|file| file.path == path)
    }
}
