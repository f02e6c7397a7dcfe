//! `botloom simulator`: a Bot API of one's own.

use botloom_telegram::simulator::{FloodModel, JournalMode, Options, Simulator};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{JournalArg, SimulatorArgs};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// Runs until a signal.
pub(crate) async fn simulator(args: &SimulatorArgs) -> CommandResult {
    let quiet = FloodModel { chat: None, group: None, bulk: None, set_webhook: None, penalty_secs: 0 };
    let options = Options {
        listen: args.listen,
        flood: if args.flood { FloodModel::default() } else { quiet },
        latency_ms: args.latency_ms,
        journal: match args.journal {
            JournalArg::Full => JournalMode::Full,
            JournalArg::Counters => JournalMode::Counters,
            JournalArg::Off => JournalMode::Off,
        },
        ..Options::default()
    };
    let handle = Simulator::start(options).await.map_err(|error| CommandError::Start(error.to_string()))?;
    let root = handle.url();
    say(format!("Bot API simulator on {root}"));
    say(format!(
        "\n  botloom serve with BOTLOOM_TELEGRAM_API_ROOT={root}\n  \
         any token of the form 123:abcde is a bot, from its first use\n  \
         people: curl -d '{{\"first_name\":\"Ada\"}}' -H 'content-type: application/json' {root}sim/people\n  \
         everything else: telegram/README.md"
    ));
    let stopped = |kind| signal(kind).map_err(|error| CommandError::Start(error.to_string()));
    let (mut terminate, mut interrupt) = (stopped(SignalKind::terminate())?, stopped(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = handle.stopped() => {}
    }
    handle.shutdown().await;
    Ok(())
}
