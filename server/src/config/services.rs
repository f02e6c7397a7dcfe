//! Where the shared parts of an installation are: embedded, or services that many nodes use.

use botloom_core::Secret;
use url::Url;

use super::{ConfigError, Reader, invalid};

/// The keys that must all be set before several nodes can share an installation.
const SHARED: [&str; 4] = ["DATABASE_URL", "REDIS_URL", "S3_BUCKET", "CLICKHOUSE_URL"];

/// An S3 bucket and the keys to it.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub name: String,
    /// `None`: Amazon's own, by region.
    pub endpoint: Option<Url>,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
}

/// How update ids are remembered in Redis. Fixed at the first start of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dedupe {
    /// A key per update.
    Keys,
    /// A bit per update, 1,024 in a key: a fraction of the memory for busy bots.
    Bitmap,
}

/// Services by what they keep; `None`: that part is embedded.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    /// PostgreSQL.
    pub database: Option<Secret>,
    /// Redis or Valkey, one server or a cluster.
    pub redis: Option<Secret>,
    pub redis_allow_volatile: bool,
    pub redis_dedupe: Dedupe,
    pub bucket: Option<Bucket>,
    pub clickhouse: Option<Secret>,
}

impl Services {
    pub(super) fn read(read: &Reader<'_>) -> Result<Self, ConfigError> {
        let services = Self {
            database: database(read)?,
            redis: url(
                read,
                "REDIS_URL",
                &["redis", "rediss", "redis+cluster", "rediss+cluster"],
            )?,
            redis_allow_volatile: read.flag("BOTLOOM_REDIS_ALLOW_VOLATILE")?,
            redis_dedupe: match read.text("BOTLOOM_REDIS_DEDUPE").as_str() {
                "keys" => Dedupe::Keys,
                "bitmap" => Dedupe::Bitmap,
                _ => return Err(invalid("BOTLOOM_REDIS_DEDUPE", "must be keys or bitmap")),
            },
            bucket: bucket(read)?,
            clickhouse: url(read, "CLICKHOUSE_URL", &["http", "https"])?,
        };
        services.check()?;
        Ok(services)
    }

    /// Whoever names a database or a Redis makes an installation that a second node can join, and that node must find all
    /// of it. A bucket or a ClickHouse alone belongs to the one node that has the data folder.
    fn check(&self) -> Result<(), ConfigError> {
        let named = if self.redis.is_some() {
            "REDIS_URL"
        } else if self.database.is_some() {
            "DATABASE_URL"
        } else {
            return Ok(());
        };
        match self.embedded_part() {
            None => Ok(()),
            Some(missing) => Err(invalid(
                missing,
                format!("is missing: {named} is set, and nodes that share an installation share all of it"),
            )),
        }
    }

    /// The first shared part that is embedded although others may be services; `None`: several nodes may share.
    pub(crate) fn embedded_part(&self) -> Option<&'static str> {
        let set = [
            self.database.is_some(),
            self.redis.is_some(),
            self.bucket.is_some(),
            self.clickhouse.is_some(),
        ];
        SHARED
            .into_iter()
            .zip(set)
            .find_map(|(key, set)| (!set).then_some(key))
    }

    /// Whether any part is a service.
    pub(crate) fn any(&self) -> bool {
        self.database.is_some() || self.redis.is_some() || self.bucket.is_some() || self.clickhouse.is_some()
    }
}

fn database(read: &Reader<'_>) -> Result<Option<Secret>, ConfigError> {
    let key = "DATABASE_URL";
    if read.text(key).starts_with("sqlite:") {
        return Ok(None);
    }
    url(read, key, &["postgres", "postgresql"])
}

/// A URL with one of these schemes. What is wrong with it is told without repeating it: it may hold a password.
fn url(read: &Reader<'_>, key: &'static str, schemes: &[&str]) -> Result<Option<Secret>, ConfigError> {
    let Some(text) = read.optional(key) else {
        return Ok(None);
    };
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| schemes.contains(&scheme)) {
        return Ok(Some(Secret::new(text)));
    }
    let forms: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://…")).collect();
    Err(invalid(
        key,
        format!("must be a URL of the form {}", forms.join(" or ")),
    ))
}

fn bucket(read: &Reader<'_>) -> Result<Option<Bucket>, ConfigError> {
    let Some(name) = read.optional("S3_BUCKET") else {
        return Ok(None);
    };
    let needed = |key: &'static str| {
        read.optional(key)
            .ok_or_else(|| invalid(key, "is missing: S3_BUCKET is set"))
    };
    let endpoint = match read.url("AWS_ENDPOINT_URL_S3")? {
        Some(endpoint) => Some(endpoint),
        None => read.url("AWS_ENDPOINT_URL")?,
    };
    Ok(Some(Bucket {
        name,
        endpoint,
        region: read.text("AWS_REGION"),
        access_key_id: needed("AWS_ACCESS_KEY_ID")?,
        secret_access_key: Secret::new(needed("AWS_SECRET_ACCESS_KEY")?),
        session_token: read.optional("AWS_SESSION_TOKEN").map(Secret::new),
    }))
}
