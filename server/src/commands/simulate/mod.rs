//! `botloom simulate`: a conversation with a bot, without Telegram and without a server. The compiled program runs in a
//! real sandbox, by the same step loop as in production.

mod script;
mod shown;
mod typed;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use botloom_core::time::{Clock as _, SystemClock};
use botloom_core::{BotId, TimestampMs};
use botloom_generator::BuildInputs;
use botloom_runtime::sandbox::{Pool, PoolOptions};
use botloom_runtime::simulator::{Api, Conversation, Person};
use botloom_runtime::{Guard, SystemResolver};
use botloom_spec::Accepted;
use botloom_spec::script::{Script, User};
use tokio_util::sync::CancellationToken;

use crate::cli::SimulateArgs;
use crate::config::Config;
use crate::error::{self, CommandError, CommandResult};

/// Longest time of one `apiCall` with its retries.
const API_CALL_LONGEST: Duration = Duration::from_secs(30);

/// Runs a script, or talks with whoever types.
pub(crate) async fn simulate(file: Option<&Path>, args: &SimulateArgs) -> CommandResult {
    let config = Config::load(file)?;
    let accepted = super::validate::accept(&args.file, &error::read(&args.file)?)?;
    let stop = CancellationToken::new();
    let _ends = stop.clone().drop_guard();
    let options = PoolOptions {
        workers: 1,
        ..PoolOptions::with_budget(config.sandbox.budget)
    };
    let pool = Pool::start(options, stop)
        .await
        .map_err(|error| CommandError::Start(error.to_string()))?;
    let Some(chat) = &args.chat else {
        let guard = Guard::new(Arc::new(SystemResolver), config.dev_hosts, API_CALL_LONGEST);
        let conversation = conversation(&accepted, pool, Api::Real(Box::new(guard)), SystemClock.now())?;
        return typed::run(conversation, &accepted.spec, args.verbose).await;
    };
    let script: Script = serde_json::from_slice(&error::read(chat)?)
        .map_err(|error| CommandError::Script(format!("{}: {error}", chat.display())))?;
    let conversation = conversation(&accepted, pool, Api::Scripted, script::START)?;
    script::run(conversation, &accepted.spec, &script, args.verbose).await
}

fn conversation(
    accepted: &Accepted,
    pool: Pool,
    api: Api,
    now: TimestampMs,
) -> Result<Conversation, CommandError> {
    let failed = |error: &dyn std::fmt::Display| CommandError::Other(error.to_string());
    let inputs = BuildInputs {
        model: botloom_generator::COMPILER.to_owned(),
        seed: 0,
        bot_id: BotId::new(&accepted.spec.meta.bot_id).map_err(|error| failed(&error))?,
        spec_version: 1,
        author: None,
        built_at: now,
    };
    let built = botloom_generator::build(accepted, &inputs).map_err(|error| failed(&error))?;
    Ok(Conversation::new(pool, built.bot_js, built.rev, api, now))
}

fn person(user: &User) -> Person {
    Person {
        id: user.id,
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        username: user.username.clone(),
        language_code: user.language_code.clone(),
    }
}
