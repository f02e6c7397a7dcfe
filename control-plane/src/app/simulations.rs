//! Trying a bot out: a conversation with a spec, without Telegram. Without traces too, unless its calls are to be real ones.

use botloom_core::ids::{BotId, ProjectId};
use botloom_core::ports::{Happening, SandboxError, SimulatedHttp, SimulatedTurn, Simulation};
use botloom_core::time::TimestampMs;
use botloom_generator::{BuildInputs, COMPILER, build};
use botloom_spec::{Accepted, Checked, Finding};
use bytes::Bytes;

use super::actor::{Actor, verb};
use super::{Error, access, audit, specs};
use crate::auth::policy::{self, Action};
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
    http: SimulatedHttp,
) -> Result<Simulated, Error> {
    let action = match http {
        SimulatedHttp::Prepared => Action::Read,
        SimulatedHttp::Live => Action::SimulateLive,
    };
    let (text, version) = match partner {
        Partner::Spec(text) => (text, 1),
        Partner::Version(bot, number) => {
            access::bot(app, actor, &bot, action).await?;
            let version = app.deps.ports.catalog.version(&bot, number).await?;
            let version = version.ok_or(Error::NotFound)?;
            (Bytes::from(version.canonical), number)
        }
    };
    let Checked { findings, spec } = specs::check(app, text).await?;
    let Some(accepted) = spec else {
        return Ok(Simulated::Refused(findings));
    };
    let caller = match http {
        SimulatedHttp::Prepared => None,
        SimulatedHttp::Live => {
            let bot = bot_of(&accepted)?;
            Some((may_call(app, actor, &bot).await?, bot))
        }
    };
    let simulations = app.deps.simulations.as_ref().ok_or(SandboxError::NoNode)?;
    if let Some((project, bot)) = caller {
        // The calls are about to happen, whatever becomes of the conversation.
        let entry = actor.did_to_bot(app, verb::BOT_SIMULATED_LIVE, &bot, project);
        audit::note(app, entry).await;
    }
    let mut simulation = compile(app, accepted, version, begins, happenings).await?;
    simulation.http = http;
    Ok(Simulated::Turns {
        warnings: findings,
        turns: simulations.simulate(simulation).await?,
    })
}

/// The project in whose name real calls are made: that of the bot, or, for a bot that is nobody's yet, one in which the
/// caller could make it.
async fn may_call(app: &App, actor: Actor, bot: &BotId) -> Result<ProjectId, Error> {
    let known = app.deps.ports.catalog.bot(bot).await?;
    if known.is_some_and(|row| row.deleted_at.is_none()) {
        let row = access::bot(app, actor, bot, Action::SimulateLive).await?;
        return Ok(row.project);
    }
    let memberships = access::memberships(app, actor).await?;
    memberships
        .into_iter()
        .find(|membership| policy::allows(membership.role, Action::SimulateLive))
        .map(|membership| membership.project.id)
        .ok_or(Error::Forbidden)
}

fn bot_of(accepted: &Accepted) -> Result<BotId, Error> {
    let id = accepted.spec.meta.bot_id.parse();
    id.map_err(|_| Error::Internal("an accepted spec names no bot"))
}

/// Makes the program, off the threads that serve requests.
async fn compile(
    app: &App,
    accepted: Accepted,
    spec_version: u32,
    begins: TimestampMs,
    happenings: Vec<Happening>,
) -> Result<Simulation, Error> {
    let bot_id = bot_of(&accepted)?;
    let inputs = BuildInputs {
        model: COMPILER.to_owned(),
        seed: 0,
        bot_id,
        spec_version,
        author: None,
        built_at: begins,
    };
    let built = app.specs.run(move || build(&accepted, &inputs)).await;
    let built = built.map_err(|_| Error::Internal("build"))??;
    Ok(Simulation {
        bot_js: built.bot_js,
        passport: built.rev,
        begins,
        happenings,
        http: SimulatedHttp::default(),
    })
}
