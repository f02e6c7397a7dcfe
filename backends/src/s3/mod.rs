//! Files of revisions in a bucket of any S3-compatible store: `<prefix>bots/<botId>/<revHash>/<name>`.
//!
//! A file is made with a conditional put (`If-None-Match: *`), so of concurrent writers the store lets one win. Every
//! read is hashed. Reads go through a cache on the local disk, which serves what it has while the store is away.

mod cache;
mod client;
mod error;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::BotId;
use botloom_core::ports::{ArtifactError, ArtifactName, Artifacts, StoreError, StoreResult};
use bytes::{Bytes, BytesMut};
use uuid::Uuid;

pub use cache::ArtifactCache;
pub use client::{S3Credentials, S3Options};
pub use error::S3Error;
use error::{Answer, Failure};

/// Largest file that is read: many times what a revision may have.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How often a put is made that the store could not decide because of another one.
const UNDECIDED_PUTS: usize = 5;
const UNDECIDED_PAUSE: Duration = Duration::from_millis(100);

/// Artifacts in a bucket. Clones share the connections and the cache.
#[derive(Debug, Clone)]
pub struct S3Artifacts {
    client: Client,
    bucket: Arc<str>,
    prefix: Arc<str>,
    cache: Option<ArtifactCache>,
}

/// What became of a conditional put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Put {
    Made,
    /// There is an object of this name.
    Exists,
}

impl S3Artifacts {
    /// Connects, and makes sure that the bucket is there, may be used, and that its store honours conditional puts: a
    /// store that overwrites instead would let a revision change.
    pub async fn connect(options: S3Options, cache: Option<ArtifactCache>) -> Result<Self, S3Error> {
        let store = Self {
            client: client::connect(&options),
            bucket: options.bucket.into(),
            prefix: options.prefix.into(),
            cache,
        };
        store.check_bucket().await?;
        store.check_conditional_put().await?;
        Ok(store)
    }

    /// Whether the bucket answers within `limit`: for readiness.
    pub async fn check(&self, limit: Duration) -> StoreResult<()> {
        tokio::time::timeout(limit, self.check_bucket())
            .await
            .map_err(StoreError::unavailable)?
            .map_err(StoreError::unavailable)
    }

    async fn check_bucket(&self) -> Result<(), S3Error> {
        let head = self.client.head_bucket().bucket(&*self.bucket).send().await;
        head.map(drop)
            .map_err(|error| S3Error::of_bucket(&self.bucket, Failure::new("look at the bucket", &error)))
    }

    async fn check_conditional_put(&self) -> Result<(), S3Error> {
        let key = format!("{}probe/{}", self.prefix, Uuid::new_v4());
        let of_bucket = |failure| S3Error::of_bucket(&self.bucket, failure);
        self.put_new(&key, Bytes::from_static(b"one"))
            .await
            .map_err(of_bucket)?;
        let second = self.put_new(&key, Bytes::from_static(b"two")).await;
        // An object that stays behind takes three bytes and is in nobody's way.
        let deleted = self
            .client
            .delete_object()
            .bucket(&*self.bucket)
            .key(&key)
            .send()
            .await;
        if let Err(error) = deleted {
            tracing::debug!(key, error = %Failure::new("delete", &error), "a probe object stays behind");
        }
        match second.map_err(of_bucket)? {
            Put::Exists => Ok(()),
            Put::Made => Err(S3Error::Overwrites),
        }
    }

    /// Where the file of this name is. Ids and hashes are made of letters, digits and hyphens.
    fn key(&self, bot: &BotId, rev: &RevHash, name: ArtifactName) -> String {
        format!("{}bots/{bot}/{rev}/{name}", self.prefix)
    }

    /// Makes an object if there is none of this name.
    async fn put_new(&self, key: &str, bytes: Bytes) -> Result<Put, Failure> {
        let mut undecided = 0;
        loop {
            let put = self.client.put_object().bucket(&*self.bucket).key(key);
            let put = put
                .if_none_match("*")
                .body(ByteStream::from(bytes.clone()))
                .send();
            let failure = match put.await {
                Ok(_) => return Ok(Put::Made),
                Err(error) => Failure::new("put", &error),
            };
            match failure.answer() {
                Answer::Exists => return Ok(Put::Exists),
                Answer::Undecided if undecided < UNDECIDED_PUTS => {
                    undecided += 1;
                    tokio::time::sleep(UNDECIDED_PAUSE).await;
                }
                _ => return Err(failure),
            }
        }
    }

    /// The bytes of an object, whatever they are.
    async fn fetch(&self, key: &str) -> Result<Bytes, ArtifactError> {
        let get = self
            .client
            .get_object()
            .bucket(&*self.bucket)
            .key(key)
            .send()
            .await;
        let mut body = get
            .map_err(|error| Failure::new("get", &error).into_artifact_error())?
            .body;
        let mut bytes = BytesMut::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| ArtifactError::Unavailable(error.into()))?;
            if bytes.len() + piece.len() > MAX_BYTES {
                return Err(ArtifactError::Corrupt);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }
}

#[async_trait]
impl Artifacts for S3Artifacts {
    async fn put(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
        bytes: Bytes,
    ) -> Result<(), ArtifactError> {
        let key = self.key(bot, rev, name);
        let put = self.put_new(&key, bytes.clone()).await;
        // It may also be ours: a put whose answer was lost is made again by the client.
        if put.map_err(Failure::into_artifact_error)? == Put::Exists && self.fetch(&key).await? != bytes {
            return Err(ArtifactError::Conflict);
        }
        if let Some(cache) = &self.cache {
            cache.insert(Sha256Hash::of(&bytes), bytes).await;
        }
        Ok(())
    }

    async fn get(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
        expected: &Sha256Hash,
    ) -> Result<Bytes, ArtifactError> {
        if let Some(cache) = &self.cache
            && let Some(bytes) = cache.get(*expected).await
        {
            return Ok(bytes);
        }
        let bytes = self.fetch(&self.key(bot, rev, name)).await?;
        if Sha256Hash::of(&bytes) != *expected {
            return Err(ArtifactError::Corrupt);
        }
        if let Some(cache) = &self.cache {
            cache.insert(*expected, bytes.clone()).await;
        }
        Ok(bytes)
    }

    async fn get_unchecked(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
    ) -> Result<Bytes, ArtifactError> {
        self.fetch(&self.key(bot, rev, name)).await
    }
}
