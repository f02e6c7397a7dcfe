//! Trying a bot out: a conversation with a spec, without Telegram and without traces.

use botloom_core::ids::BotId;
use botloom_core::ports::{Happening, SandboxError, SimulatedTurn, Simulation};
use botloom_core::time::TimestampMs;
use botloom_generator::{BuildInputs, COMPILER, build};
use botloom_spec::{Accepted, Checked, Finding};
use bytes::Bytes;

use super::actor::Actor;
use super::{Error, access, specs};
use crate::auth::policy::Action;
use crate::state::App;

/// Whom to talk to.
#[derive(Debug)]
pub(crate) enum Partner {
    /// A spec that need not be stored anywhere.
    Spec(Bytes),
    /// A version of a bot.
    Version(BotId, u32),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Simulated {
    /// The spec has errors.
    Refused(Vec<Finding>),
    /// What was said.
    Turns {
        warnings: Vec<Finding>,
        turns: Vec<SimulatedTurn>,
    },
}

/// Has a conversation.
pub(crate) async fn simulate(
    app: &App,
    actor: Actor,
    partner: Partner,
    begins: TimestampMs,
    happenings: Vec<Happening>,
) -> Result<Simulated, Error> {
    let (text, version) = match partner {
        Partner::Spec(text) => (text, 1),
        Partner::Version(bot, number) => {
            access::bot(app, actor, &bot, Action::Read).await?;
            let version = app.deps.ports.catalog.version(&bot, number).await?;
            let version = version.ok_or(Error::NotFound)?;
            (Bytes::from(version.canonical), number)
        }
    };
    let Checked { findings, spec } = specs::check(text).await?;
    let Some(accepted) = spec else {
        return Ok(Simulated::Refused(findings));
    };
    let simulations = app.deps.simulations.as_ref().ok_or(SandboxError::NoNode)?;
    let simulation = compile(accepted, version, begins, happenings).await?;
    Ok(Simulated::Turns {
        warnings: findings,
        turns: simulations.simulate(simulation).await?,
    })
}

/// Makes the program, off the threads that serve requests.
async fn compile(
    accepted: Accepted,
    spec_version: u32,
    begins: TimestampMs,
    happenings: Vec<Happening>,
) -> Result<Simulation, Error> {
    let bot_id = accepted
        .spec
        .meta
        .bot_id
        .parse()
        .map_err(|_| Error::Internal("an accepted spec names no bot"))?;
    let inputs = BuildInputs {
        model: COMPILER.to_owned(),
        seed: 0,
        bot_id,
        spec_version,
        author: None,
        built_at: begins,
    };
    let built = tokio::task::spawn_blocking(move || build(&accepted, &inputs))
        .await
        .map_err(|_| Error::Internal("build"))??;
    Ok(Simulation {
        bot_js: built.bot_js,
        passport: built.rev,
        begins,
        happenings,
    })
}
