//! `botloom simulator`: a Bot API of one's own.

use botloom_telegram::simulator::{FloodModel, JournalMode, Options, Simulator};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{JournalArg, SimulatorArgs};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// Runs until a signal.
pub(crate) async fn simulator(args: &SimulatorArgs) -> CommandResult {
    let quiet = FloodModel::off();
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
    let handle = Simulator::start(options)
        .await
        .map_err(|error| CommandError::Start(error.to_string()))?;
    let root = handle.url();
    say(format!("Bot API simulator on {root}"));
    say(format!(
        "\nBotloom talks to it with BOTLOOM_TELEGRAM_API_ROOT={root} botloom serve.\n\
         Any token of the form 123456:abcdef is a bot, from its first use. Somebody to write to it:\n\n  \
         curl -H 'content-type: application/json' {root}sim/people -d '{{\"id\": 1, \"first_name\": \"Ada\"}}'\n  \
         curl -H 'content-type: application/json' {root}sim/bots/123456/send -d '{{\"person\": 1, \"text\": \"/start\"}}'\n  \
         curl {root}sim/bots/123456/chats/1/messages\n\n\
         The rest of the control API is in telegram/README.md."
    ));
    let stopped = |kind| signal(kind).map_err(|error| CommandError::Start(error.to_string()));
    let (mut terminate, mut interrupt) = (
        stopped(SignalKind::terminate())?,
        stopped(SignalKind::interrupt())?,
    );
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = handle.stopped() => {}
    }
    handle.shutdown().await;
    Ok(())
}
