//! Looks at a server before it is trusted, and at the constants of the installation in it.

use std::collections::HashMap;

use botloom_core::ports::{StoreError, StoreResult};
use redis::cmd;

use super::{RedisConnectError, RedisLink, RedisOptions};
use crate::ConnectError;

/// Oldest version with all commands that are used.
const OLDEST: (u32, u32) = (6, 2);
/// Where the constants of the installation are kept.
const RECORD: &str = "botloom:install";

/// Refuses a server that is too old, or that may forget what it acknowledged, and an installation with other constants.
pub(super) async fn check(link: &RedisLink, options: &RedisOptions) -> Result<(), ConnectError> {
    for info in infos(link).await? {
        check_server(&info, options)?;
    }
    let wanted = format!(
        "mode={} shards={} dedupe={}",
        if link.is_cluster() { "cluster" } else { "plain" },
        options.shards,
        options.dedupe
    );
    let _set: Option<String> = link.run(cmd("SET").arg(RECORD).arg(&wanted).arg("NX")).await?;
    let found: String = link.run(cmd("GET").arg(RECORD)).await?;
    if found != wanted {
        return Err(RedisConnectError::Installation { found, wanted }.into());
    }
    Ok(())
}

/// What each primary says of itself. One that does not answer is passed over: a node must be able to start while a part
/// of the cluster is away.
async fn infos(link: &RedisLink) -> StoreResult<Vec<HashMap<String, String>>> {
    let mut infos = Vec::new();
    let mut missing = None;
    for node in link.primaries().await? {
        let text: String = match link.run_on(&node, cmd("INFO").arg("everything")).await {
            Ok(text) => text,
            Err(error @ StoreError::Unavailable(_)) => {
                tracing::warn!(
                    ?error,
                    "a primary of Redis does not answer, its settings were not looked at"
                );
                missing = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        infos.push(
            fields
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        );
    }
    match missing {
        Some(error) if infos.is_empty() => Err(error),
        _ => Ok(infos),
    }
}

fn check_server(info: &HashMap<String, String>, options: &RedisOptions) -> Result<(), RedisConnectError> {
    let field = |name: &str| info.get(name).map_or("", String::as_str);
    let version = field("redis_version");
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
        return Err(RedisConnectError::TooOld(version.to_owned()));
    }
    if options.allow_volatile {
        return Ok(());
    }
    if field("aof_enabled") != "1" {
        return Err(RedisConnectError::Volatile(
            "appendonly is no, set appendonly yes".to_owned(),
        ));
    }
    let policy = field("maxmemory_policy");
    if policy != "noeviction" {
        let what = format!("maxmemory-policy is {policy}, set maxmemory-policy noeviction");
        return Err(RedisConnectError::Volatile(what));
    }
    Ok(())
}
