//! Settings: read from layers, checked as a whole, typed.

mod error;
mod layers;
mod oidc;
mod roles;
mod services;
mod table;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use botloom_control_plane::OidcOptions;
use botloom_core::Secret;
use botloom_core::vault::Vault;
use botloom_runtime::DevHosts;
use botloom_telegram::Token;
use url::Url;

use crate::proxies::TrustedProxies;
pub(crate) use error::ConfigError;
pub(crate) use layers::Layers;
pub(crate) use roles::Roles;
pub(crate) use services::{Bucket, Dedupe, Services};
pub(crate) use table::{SETTINGS, reference};

/// How logs are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Auto,
    Json,
    Text,
}

/// Limits of sending; 0 switches one off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SendLimits {
    pub bot_per_s: u32,
    pub bulk_per_s: u32,
    pub chat_per_s: u32,
    pub chat_burst: u32,
    pub group_per_min: u32,
    pub group_burst: u32,
}

/// Numbers of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SandboxSettings {
    /// `None`: one per core.
    pub workers: Option<usize>,
    pub budget: Duration,
    pub cache: usize,
    pub idle: Duration,
}

/// The settings in force.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub roles: Roles,
    pub services: Services,
    /// Bytes of artifacts kept on this node's disk.
    pub artifact_cache: u64,
    pub public_url: Option<Url>,
    pub console_origin: Option<Url>,
    pub trusted_proxies: TrustedProxies,
    /// Where people log in.
    pub oidc: Option<OidcOptions>,
    pub password_login: bool,
    pub master_key: Option<Secret>,
    /// A second key that opens secrets, while one replaces the other.
    pub second_master_key: Option<Secret>,
    pub telegram_api_root: Url,
    /// The bot that has people make bots.
    pub manager_bot: Option<Token>,
    pub owner: Option<(String, Secret)>,
    pub dev_hosts: DevHosts,
    pub send: SendLimits,
    pub sandbox: SandboxSettings,
    pub drain: Duration,
    pub auto_rollback: bool,
    pub log: String,
    pub log_format: LogFormat,
}

impl Config {
    /// Reads file and environment of this process.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::from_layers(&Layers::read(file, std::env::vars())?)
    }

    /// Types and cross-checks values.
    pub(crate) fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
        let read = Reader { layers };
        let public_url = read.url("BOTLOOM_PUBLIC_URL")?;
        let dev_hosts = dev_hosts(&read.text("BOTLOOM_DEV_HOSTS"))?;
        if !dev_hosts.is_empty() && public_url.as_ref().is_some_and(|url| url.scheme() == "https") {
            return Err(invalid(
                "BOTLOOM_DEV_HOSTS",
                "is for development and refused when BOTLOOM_PUBLIC_URL is https",
            ));
        }
        let services = Services::read(&read)?;
        let oidc = oidc::read(&read, public_url.as_ref())?;
        let second_master_key = master_key(&read, "BOTLOOM_MASTER_KEY_SECOND")?;
        let master_key = master_key(&read, "BOTLOOM_MASTER_KEY")?;
        if master_key.is_none() && second_master_key.is_some() {
            return Err(invalid(
                "BOTLOOM_MASTER_KEY_SECOND",
                "goes with BOTLOOM_MASTER_KEY: a key in the data folder is replaced by `botloom rotate-master-key` alone",
            ));
        }
        if master_key.is_none() && services.embedded_part().is_none() {
            return Err(invalid(
                "BOTLOOM_MASTER_KEY",
                "is missing: nodes that share an installation seal secrets with one key; `openssl rand -base64 32` makes one",
            ));
        }
        let owner = match (
            read.text("BOTLOOM_OWNER_EMAIL"),
            read.text("BOTLOOM_OWNER_PASSWORD"),
        ) {
            (email, password) if email.is_empty() && password.is_empty() => None,
            (email, password) if email.is_empty() || password.is_empty() => {
                let key = if email.is_empty() {
                    "BOTLOOM_OWNER_EMAIL"
                } else {
                    "BOTLOOM_OWNER_PASSWORD"
                };
                return Err(invalid(
                    key,
                    "is missing: e-mail and password of the owner go together",
                ));
            }
            (email, password) => Some((email, Secret::new(password))),
        };
        let workers: usize = read.number("BOTLOOM_SANDBOX_WORKERS", 0, 256)?;
        Ok(Self {
            listen: read.parse("BOTLOOM_LISTEN", "an address with a port, like 127.0.0.1:8080")?,
            data_dir: PathBuf::from(read.text("BOTLOOM_DATA_DIR")),
            console_origin: origin(&read)?,
            trusted_proxies: trusted_proxies(&read)?,
            password_login: oidc::password_login(&read, oidc.as_ref())?,
            oidc,
            master_key,
            second_master_key,
            roles: Roles::parse(&read.text("BOTLOOM_ROLES"), &services)?,
            services,
            artifact_cache: read.number::<u64>("BOTLOOM_ARTIFACT_CACHE_MB", 1, 1_048_576)? << 20,
            telegram_api_root: read
                .url("BOTLOOM_TELEGRAM_API_ROOT")?
                .ok_or_else(|| invalid("BOTLOOM_TELEGRAM_API_ROOT", "must not be empty"))?,
            manager_bot: manager_bot(&read)?,
            owner,
            dev_hosts,
            public_url,
            send: SendLimits {
                bot_per_s: read.number("BOTLOOM_SEND_BOT_PER_S", 0, 10_000)?,
                bulk_per_s: read.number("BOTLOOM_SEND_BULK_PER_S", 0, 10_000)?,
                chat_per_s: read.number("BOTLOOM_SEND_CHAT_PER_S", 0, 1_000)?,
                chat_burst: read.number("BOTLOOM_SEND_CHAT_BURST", 1, 1_000)?,
                group_per_min: read.number("BOTLOOM_SEND_GROUP_PER_MIN", 0, 10_000)?,
                group_burst: read.number("BOTLOOM_SEND_GROUP_BURST", 1, 1_000)?,
            },
            sandbox: SandboxSettings {
                workers: (workers > 0).then_some(workers),
                budget: Duration::from_millis(read.number("BOTLOOM_SANDBOX_BUDGET_MS", 10, 1_000)?),
                cache: read.number("BOTLOOM_SANDBOX_CACHE", 1, 10_000)?,
                idle: Duration::from_secs(60 * read.number::<u64>("BOTLOOM_SANDBOX_IDLE_MIN", 1, 1_440)?),
            },
            drain: Duration::from_secs(read.number("BOTLOOM_DRAIN_S", 1, 600)?),
            auto_rollback: read.flag("BOTLOOM_AUTO_ROLLBACK")?,
            log: read.text("BOTLOOM_LOG"),
            log_format: match read.text("BOTLOOM_LOG_FORMAT").as_str() {
                "auto" => LogFormat::Auto,
                "json" => LogFormat::Json,
                "text" => LogFormat::Text,
                _ => return Err(invalid("BOTLOOM_LOG_FORMAT", "must be auto, json or text")),
            },
        })
    }

    /// Where people reach this server, for printing.
    pub(crate) fn address(&self) -> String {
        self.public_url.as_ref().map_or_else(
            || format!("http://{}", self.listen),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        )
    }
}

fn invalid(key: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Invalid {
        key,
        reason: reason.into(),
    }
}

fn master_key(read: &Reader<'_>, key: &'static str) -> Result<Option<Secret>, ConfigError> {
    let Some(text) = read.optional(key).map(Secret::new) else {
        return Ok(None);
    };
    Vault::from_base64(text.expose()).map_err(|error| invalid(key, error.to_string()))?;
    Ok(Some(text))
}

fn manager_bot(read: &Reader<'_>) -> Result<Option<Token>, ConfigError> {
    let key = "BOTLOOM_MANAGER_BOT_TOKEN";
    let token = read.optional(key).map(Token::new).transpose();
    token.map_err(|error| invalid(key, error.to_string()))
}

fn origin(read: &Reader<'_>) -> Result<Option<Url>, ConfigError> {
    let key = "BOTLOOM_CONSOLE_ORIGIN";
    let Some(url) = read.url(key)? else {
        return Ok(None);
    };
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(
            key,
            "must be an origin, like https://console.example.com",
        ));
    }
    Ok(Some(url))
}

fn trusted_proxies(read: &Reader<'_>) -> Result<TrustedProxies, ConfigError> {
    let key = "BOTLOOM_TRUSTED_PROXIES";
    TrustedProxies::parse(&read.text(key)).map_err(|reason| invalid(key, reason))
}

fn dev_hosts(text: &str) -> Result<DevHosts, ConfigError> {
    DevHosts::parse(text).map_err(|error| invalid("BOTLOOM_DEV_HOSTS", error.to_string()))
}

struct Reader<'a> {
    layers: &'a Layers,
}

impl Reader<'_> {
    fn text(&self, key: &'static str) -> String {
        let setting = table::find(key).expect("every key that is read stands in the table");
        self.layers.get(setting).text
    }

    fn optional(&self, key: &'static str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    fn parse<T: FromStr>(&self, key: &'static str, form: &str) -> Result<T, ConfigError> {
        self.text(key)
            .trim()
            .parse()
            .map_err(|_| invalid(key, format!("must be {form}")))
    }

    fn flag(&self, key: &'static str) -> Result<bool, ConfigError> {
        match self.text(key).as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(invalid(key, "must be true or false")),
        }
    }

    fn number<T: FromStr + PartialOrd + std::fmt::Display + Copy>(
        &self,
        key: &'static str,
        min: T,
        max: T,
    ) -> Result<T, ConfigError> {
        let form = format!("a number from {min} to {max}");
        let number: T = self.parse(key, &form)?;
        if number < min || number > max {
            Err(invalid(key, format!("must be {form}")))
        } else {
            Ok(number)
        }
    }

    fn url(&self, key: &'static str) -> Result<Option<Url>, ConfigError> {
        let Some(text) = self.optional(key) else {
            return Ok(None);
        };
        let url = Url::parse(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.map(Some)
            .ok_or_else(|| invalid(key, "must be an http or https URL"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let env = pairs
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect::<Vec<_>>();
        let layers = Layers::read(None, env.into_iter()).map_err(|error| error.to_string())?;
        Config::from_layers(&layers).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_valid() {
        let config = config(&[]).unwrap();
        assert_eq!(config.address(), "http://127.0.0.1:8080");
        assert_eq!(config.send.chat_burst, 3);
        assert!(config.owner.is_none() && config.public_url.is_none());
    }

    #[test]
    fn bad_values_name_their_key() {
        for (key, text) in [
            ("BOTLOOM_LISTEN", "nowhere"),
            ("BOTLOOM_MASTER_KEY", "abc"),
            ("BOTLOOM_MANAGER_BOT_TOKEN", "canary"),
            ("BOTLOOM_PUBLIC_URL", "ftp://x"),
            ("BOTLOOM_SEND_BOT_PER_S", "-1"),
            ("BOTLOOM_SANDBOX_BUDGET_MS", "5"),
            ("BOTLOOM_ROLES", "runtime,cook"),
            ("BOTLOOM_ROLES", "runtime"),
            ("BOTLOOM_ROLES", ","),
            ("DATABASE_URL", "mysql://u:canary@h/d"),
            ("REDIS_URL", "canary"),
            ("CLICKHOUSE_URL", "tcp://canary"),
            ("BOTLOOM_REDIS_DEDUPE", "bloom"),
            ("BOTLOOM_REDIS_ALLOW_VOLATILE", "yes"),
            ("BOTLOOM_AUTO_ROLLBACK", "perhaps"),
            ("BOTLOOM_OWNER_EMAIL", "a@example.com"),
            ("BOTLOOM_DEV_HOSTS", "api.example"),
            ("BOTLOOM_CONSOLE_ORIGIN", "https://a.example/path"),
            ("BOTLOOM_LOG_FORMAT", "xml"),
            ("BOTLOOM_TRUSTED_PROXIES", "10.0.0.0/8,proxy.example"),
            ("BOTLOOM_TRUSTED_PROXIES", "0.0.0.0/0"),
            ("BOTLOOM_PASSWORD_LOGIN", "perhaps"),
            ("BOTLOOM_PASSWORD_LOGIN", "off"),
        ] {
            let error = config(&[(key, text)]).unwrap_err();
            let named = if key == "BOTLOOM_OWNER_EMAIL" {
                "BOTLOOM_OWNER_PASSWORD"
            } else {
                key
            };
            assert!(error.starts_with(named), "{key}={text}: {error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    const SERVICES: [(&str, &str); 7] = [
        ("DATABASE_URL", "postgres://u:canary@h/d"),
        ("REDIS_URL", "redis+cluster://:canary@h:1,h:2"),
        ("S3_BUCKET", "bots"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "canary"),
        ("CLICKHOUSE_URL", "http://u:canary@h:8123/d"),
        (
            "BOTLOOM_MASTER_KEY",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
    ];

    #[test]
    fn services_are_read_and_never_printed() {
        let config = config(&SERVICES).unwrap();
        assert_eq!(config.services.embedded_part(), None);
        assert!(config.services.bucket.is_some());
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn part_of_the_roles_needs_services() {
        let runtime = ("BOTLOOM_ROLES", "runtime");
        let mut all = SERVICES.to_vec();
        all.push(runtime);
        let roles = config(&all).unwrap().roles;
        assert!(roles.runtime && !roles.control_plane);
        let error = config(&[runtime]).unwrap_err();
        assert!(
            error.starts_with("BOTLOOM_ROLES") && error.contains("DATABASE_URL"),
            "{error}"
        );
    }

    #[test]
    fn nodes_that_share_anything_share_everything() {
        for missing in ["DATABASE_URL", "REDIS_URL", "S3_BUCKET", "CLICKHOUSE_URL"] {
            let some: Vec<_> = SERVICES.into_iter().filter(|(key, _)| *key != missing).collect();
            let error = config(&some).unwrap_err();
            assert!(error.starts_with(&format!("{missing}: is missing")), "{error}");
        }
        let bucket = [SERVICES[2], SERVICES[3], SERVICES[4], SERVICES[5]];
        assert!(config(&bucket).is_ok(), "a bucket and a ClickHouse of one node");
    }

    #[test]
    fn what_services_need_is_named() {
        for missing in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "BOTLOOM_MASTER_KEY"] {
            let some: Vec<_> = SERVICES.into_iter().filter(|(key, _)| *key != missing).collect();
            let error = config(&some).unwrap_err();
            assert!(error.starts_with(missing), "{error}");
        }
        assert!(
            config(&[("DATABASE_URL", "sqlite:control.db")])
                .unwrap()
                .services
                .database
                .is_none()
        );
    }

    #[test]
    fn development_hosts_are_refused_in_production() {
        let hosts = (
            "BOTLOOM_DEV_HOSTS",
            "api.pizza.example=http://127.0.0.1:9000, b.example=http://127.0.0.1:1",
        );
        assert_eq!(config(&[hosts]).unwrap().dev_hosts.names().count(), 2);
        let error = config(&[hosts, ("BOTLOOM_PUBLIC_URL", "https://bots.example.com")]).unwrap_err();
        assert!(error.contains("development"), "{error}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = config(&[
            ("BOTLOOM_OWNER_EMAIL", "a@b.c"),
            ("BOTLOOM_OWNER_PASSWORD", "canary-password"),
            ("BOTLOOM_MANAGER_BOT_TOKEN", "7100000000:canary-token"),
        ])
        .unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn the_reference_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
        if std::env::var_os("BOTLOOM_REGEN").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap_or_default(),
            reference(),
            "run `make regen`"
        );
    }
}
