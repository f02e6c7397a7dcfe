//! A corner of the real services for one world: a database, a number of Redis, a bucket, a database of ClickHouse.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::process::Command;

use super::http::Http;

/// Numbers of Redis databases that worlds take; tests of other crates use lower ones.
const REDIS_DATABASES: std::ops::Range<u32> = 3_584..4_096;

/// What only this world uses. Dropping it gives the number of the Redis database back.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) settings: Vec<(String, String)>,
    _redis: UnixListener,
}

fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the tests by `make test`, or under `scripts/services/with`")
    })
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {output:?}");
}

impl Services {
    /// Makes a fresh corner.
    pub(crate) async fn new() -> Self {
        let name = format!("world_{}", uuid::Uuid::new_v4().simple());
        let postgres = given("BOTLOOM_TEST_POSTGRES_URL");
        run(
            "psql",
            &[
                "--quiet",
                &postgres,
                "--command",
                &format!("CREATE DATABASE {name}"),
            ],
        );
        let analytics = given("BOTLOOM_TEST_CLICKHOUSE_URL");
        clickhouse(&analytics, &format!("CREATE DATABASE {name}")).await;
        let (redis, lock) = redis_number();
        let mut settings = vec![
            ("DATABASE_URL", with_path(&postgres, &name)),
            ("REDIS_URL", redis),
            ("S3_BUCKET", bucket(&name)),
            ("AWS_ENDPOINT_URL", given("BOTLOOM_TEST_S3_ENDPOINT")),
            ("CLICKHOUSE_URL", with_path(&analytics, &name)),
            (
                "BOTLOOM_MASTER_KEY",
                "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
            ),
        ];
        for key in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
            settings.push((key, given(key)));
        }
        Self {
            settings: settings
                .into_iter()
                .map(|(key, text)| (key.to_owned(), text))
                .collect(),
            _redis: lock,
        }
    }

    /// A setting.
    pub(crate) fn get(&self, key: &str) -> &str {
        let found = self.settings.iter().find(|(known, _)| known == key);
        found
            .map(|(_, text)| text.as_str())
            .expect("a setting of the services")
    }

    /// The same with another value of a setting.
    pub(crate) fn with(mut self, key: &str, text: &str) -> Self {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), text.to_owned()));
        self
    }
}

/// A bucket of this name; the server for tests keeps buckets as folders.
fn bucket(name: &str) -> String {
    let name = name.replace('_', "-");
    std::fs::create_dir(Path::new(&given("BOTLOOM_TEST_S3_BUCKETS")).join(&name)).unwrap();
    name
}

/// The same server, with another database.
fn with_path(url: &str, path: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let authority = rest.split('/').next().unwrap_or(rest);
    format!("{scheme}://{authority}/{path}")
}

/// Runs a statement in the database that a URL of ClickHouse names, and answers what it prints. The HTTP interface takes
/// user, password and database as parameters.
pub(crate) async fn clickhouse(url: &str, statement: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let mut target = url.clone();
    target.set_username("").unwrap();
    target.set_password(None).unwrap();
    target.set_path("/");
    let user = if url.username().is_empty() {
        "default"
    } else {
        url.username()
    };
    let database = if url.path().len() > 1 {
        &url.path()[1..]
    } else {
        "default"
    };
    target
        .query_pairs_mut()
        .append_pair("user", user)
        .append_pair("password", url.password().unwrap_or_default())
        .append_pair("database", database);
    let answer = Http::new()
        .send("POST", target.as_str(), &[], statement.to_owned())
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    String::from_utf8_lossy(&answer.body).trim_end().to_owned()
}

/// An empty database of Redis that no other test uses as long as the socket lives.
fn redis_number() -> (String, UnixListener) {
    let address = with_path(&given("BOTLOOM_TEST_REDIS_URL"), "");
    for number in REDIS_DATABASES {
        // A name of the kernel's, not a file: nothing stays behind, however the process ends.
        let name = SocketAddr::from_abstract_name(format!("botloom {address}{number}")).unwrap();
        if let Ok(taken) = UnixListener::bind_addr(&name) {
            let url = format!("{address}{number}");
            run("redis-cli", &["-u", &url, "FLUSHDB"]);
            return (url, taken);
        }
    }
    panic!("no free database of Redis");
}
