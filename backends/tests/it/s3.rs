//! Artifacts in a real S3 server: the suite, with and without the cache, and the failures of a store that is far away.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use botloom_backends::{ArtifactCache, S3Artifacts, S3Credentials, S3Error, S3Options};
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::BotId;
use botloom_core::ports::{ArtifactError, ArtifactName, Artifacts};
use botloom_core::testing::conformance;
use botloom_core::{Coded as _, Secret};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::proxy::{Network, Proxy};
use crate::settings::setting;

/// Options for the server of the test run, with a bucket that nobody has made yet.
fn options() -> S3Options {
    S3Options {
        bucket: format!("test-{}", Uuid::new_v4()),
        prefix: "here/".to_owned(),
        endpoint: Some(setting("BOTLOOM_TEST_S3_ENDPOINT").parse().unwrap()),
        region: setting("AWS_REGION"),
        credentials: S3Credentials {
            access_key_id: Secret::new(setting("AWS_ACCESS_KEY_ID")),
            secret_access_key: Secret::new(setting("AWS_SECRET_ACCESS_KEY")),
            session_token: None,
        },
    }
}

/// A client of the test's own, past all rules.
fn raw(options: &S3Options) -> Client {
    let key = Credentials::new(
        options.credentials.access_key_id.expose(),
        options.credentials.secret_access_key.expose(),
        None,
        None,
        "test",
    );
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(options.region.clone()))
        .credentials_provider(key)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(options.endpoint.as_ref().unwrap().as_str())
        .force_path_style(true);
    Client::from_conf(config.build())
}

async fn bucket() -> S3Options {
    let options = options();
    raw(&options)
        .create_bucket()
        .bucket(&options.bucket)
        .send()
        .await
        .unwrap();
    options
}

/// The same bucket through a proxy.
async fn proxied(options: &S3Options) -> (S3Options, Proxy) {
    let url = options.endpoint.as_ref().unwrap();
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let proxy = Proxy::start(&target, Network::Works).await;
    let through = S3Options {
        endpoint: Some(format!("http://{}", proxy.address()).parse().unwrap()),
        ..options.clone()
    };
    (through, proxy)
}

#[derive(Debug)]
struct Bucket {
    options: S3Options,
    store: S3Artifacts,
    cache: Option<TempDir>,
}

impl Bucket {
    async fn make(cached: bool) -> (conformance::artifacts::Subject, ()) {
        let options = bucket().await;
        let cache = cached.then(|| tempfile::tempdir().unwrap());
        let opened = cache.as_ref().map(|dir| open_cache(dir.path()));
        let store = S3Artifacts::connect(options.clone(), opened).await.unwrap();
        let subject = Self {
            options,
            store,
            cache,
        };
        (Arc::new(subject), ())
    }
}

fn open_cache(dir: &Path) -> ArtifactCache {
    ArtifactCache::open(dir, ArtifactCache::DEFAULT_MAX_BYTES).unwrap()
}

async fn overwrite(options: &S3Options, bot: &BotId, rev: &RevHash, name: ArtifactName, bytes: &[u8]) {
    let put = raw(options).put_object().bucket(&options.bucket);
    put.key(format!("here/bots/{bot}/{rev}/{name}"))
        .body(Bytes::copy_from_slice(bytes).into())
        .send()
        .await
        .unwrap();
}

#[async_trait]
impl conformance::artifacts::DamageableArtifacts for Bucket {
    fn store(&self) -> Arc<dyn Artifacts> {
        Arc::new(self.store.clone())
    }

    async fn overwrite(&self, bot: &BotId, rev: &RevHash, name: ArtifactName, bytes: &[u8]) {
        overwrite(&self.options, bot, rev, name, bytes).await;
        for file in self.cache.iter().flat_map(|dir| dir.path().read_dir().unwrap()) {
            std::fs::write(file.unwrap().path(), bytes).unwrap();
        }
    }

    async fn crash_while_writing(&self, _: &BotId, _: &RevHash, _: ArtifactName, bytes: &[u8]) {
        // The store makes an object when it has all of it. What a crash leaves is in the cache.
        if let Some(dir) = &self.cache {
            std::fs::write(dir.path().join(format!("{}.half", Uuid::new_v4())), bytes).unwrap();
            let whole = Sha256Hash::of(b"export {}").to_string();
            std::fs::write(dir.path().join(whole), bytes).unwrap();
        }
    }
}

mod bucket_alone {
    botloom_core::artifacts_conformance!(super::Bucket::make(false).await);
}
mod bucket_with_cache {
    botloom_core::artifacts_conformance!(super::Bucket::make(true).await);
}

const NAME: ArtifactName = ArtifactName::BotJs;

fn place() -> (BotId, RevHash) {
    (BotId::new("a-bot").unwrap(), RevHash(Sha256Hash::of("rev")))
}

async fn put(store: &S3Artifacts, name: ArtifactName, text: &'static str) -> Result<(), ArtifactError> {
    let (bot, rev) = place();
    store
        .put(&bot, &rev, name, Bytes::from_static(text.as_bytes()))
        .await
}

async fn get(store: &S3Artifacts, name: ArtifactName, text: &str) -> Result<Bytes, ArtifactError> {
    let (bot, rev) = place();
    store.get(&bot, &rev, name, &Sha256Hash::of(text)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_cached_files_are_served_and_others_unavailable() {
    let options = bucket().await;
    let writer = S3Artifacts::connect(options.clone(), None).await.unwrap();
    put(&writer, ArtifactName::BotJs, "cached").await.unwrap();
    put(&writer, ArtifactName::RevJson, "not cached").await.unwrap();
    let (through, proxy) = proxied(&options).await;
    let dir = tempfile::tempdir().unwrap();
    let store = S3Artifacts::connect(through, Some(open_cache(dir.path())))
        .await
        .unwrap();
    get(&store, ArtifactName::BotJs, "cached").await.unwrap();
    proxy.set(Network::Cut);
    let cached = get(&store, ArtifactName::BotJs, "cached").await.unwrap();
    assert_eq!(cached, "cached");
    let away = [
        get(&store, ArtifactName::RevJson, "not cached").await.map(drop),
        put(&store, ArtifactName::SpecJson, "new").await,
    ];
    for answer in away {
        assert!(matches!(answer, Err(ArtifactError::Unavailable(_))), "{answer:?}");
    }
    assert!(store.check(Duration::from_secs(20)).await.is_err());
    proxy.set(Network::Works);
    store.check(Duration::from_secs(20)).await.unwrap();
    let again = get(&store, ArtifactName::RevJson, "not cached").await.unwrap();
    assert_eq!(again, "not cached");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_cache_file_is_fetched_anew() {
    let options = bucket().await;
    let dir = tempfile::tempdir().unwrap();
    let store = S3Artifacts::connect(options.clone(), Some(open_cache(dir.path())))
        .await
        .unwrap();
    put(&store, NAME, "good").await.unwrap();
    let file = dir.path().join(Sha256Hash::of("good").to_string());
    for damage in ["bad!", "", "goo", "good and more"] {
        std::fs::write(&file, damage).unwrap();
        assert_eq!(get(&store, NAME, "good").await.unwrap(), "good");
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "good",
            "after {damage:?}"
        );
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(get(&store, NAME, "good").await.unwrap(), "good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_gives_other_bytes_is_not_believed_and_not_cached() {
    let options = bucket().await;
    let dir = tempfile::tempdir().unwrap();
    let writer = S3Artifacts::connect(options.clone(), None).await.unwrap();
    put(&writer, NAME, "good").await.unwrap();
    let (bot, rev) = place();
    overwrite(&options, &bot, &rev, NAME, b"evil").await;
    let store = S3Artifacts::connect(options.clone(), Some(open_cache(dir.path())))
        .await
        .unwrap();
    for store in [&writer, &store] {
        let answer = get(store, NAME, "good").await;
        assert!(matches!(answer, Err(ArtifactError::Corrupt)), "{answer:?}");
    }
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    // Nor may the revision be stored again under its name as if nothing had happened.
    let answer = put(&store, NAME, "good").await;
    assert!(matches!(answer, Err(ArtifactError::Conflict)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_whose_answer_was_lost_is_no_conflict() {
    let options = bucket().await;
    let (through, proxy) = proxied(&options).await;
    let store = S3Artifacts::connect(through, None).await.unwrap();
    proxy.set(Network::LosesAnswers);
    let lost = put(&store, NAME, "good").await;
    assert!(matches!(lost, Err(ArtifactError::Unavailable(_))), "{lost:?}");
    proxy.set(Network::Works);
    assert_eq!(
        get(&store, NAME, "good").await.unwrap(),
        "good",
        "it was stored all the same"
    );
    put(&store, NAME, "good").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_that_cannot_be_used_say_why_and_show_no_key() {
    let missing = options();
    let mut denied = bucket().await;
    denied.credentials.secret_access_key = Secret::new("geheim-geheim");
    let mut away = denied.clone();
    away.endpoint = Some("http://127.0.0.1:1/".parse().unwrap());
    let mut no_tls = denied.clone();
    no_tls.endpoint = Some(
        setting("BOTLOOM_TEST_S3_ENDPOINT")
            .replace("http:", "https:")
            .parse()
            .unwrap(),
    );
    for (options, code) in [
        (missing, "s3-bucket-missing"),
        (denied, "s3-access-denied"),
        (away, "s3-unreachable"),
        (no_tls, "s3-unreachable"),
    ] {
        let key = options.credentials.access_key_id.expose().to_owned();
        let printed = format!("{options:?}");
        let error = S3Artifacts::connect(options, None).await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        let told = format!("{printed} {error} {error:?} {}", error.outside());
        assert!(
            !told.contains("geheim") && !told.contains(&format!("\"{key}\"")),
            "{told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_overwrites_is_refused() {
    // Says yes to everything, as servers do that do not know `If-None-Match`.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 16 * 1024];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let yes = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    stream.write_all(yes).await.ok();
                }
            });
        }
    });
    let options = S3Options {
        endpoint: Some(format!("http://{address}").parse().unwrap()),
        ..options()
    };
    let error = S3Artifacts::connect(options, None).await.unwrap_err();
    assert!(matches!(error, S3Error::Overwrites), "{error:?}");
    assert_eq!(error.code(), "s3-no-conditional-put");
}
