//! The grammar of the commands about a bot at work: its chats, its dead letters, its numbers.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::Login;

const UNBLOCK_EXIT: &str = "Exit codes: 0 done, 1 a failure, 3 nothing was done about what was asked for, or about a part of it, \
                            64 wrong usage.";

/// On which server, shown how.
#[derive(Debug, Args)]
pub(crate) struct Shown {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub login: Login,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlaceArg {
    /// Updates wait for a worker.
    Queued,
    /// Updates are being worked on.
    Running,
    /// The first update failed and is tried again.
    Retrying,
    /// Messages wait for a sender.
    Outgoing,
    /// Messages are being sent.
    Sending,
    /// Messages wait for a moment.
    Held,
    /// The whole bot sends nothing.
    Parked,
}

/// What is done about something that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RemedyArg {
    /// Try it now.
    Retry,
    /// Make it a dead letter; those behind it go on.
    SetAside,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChatsCommand {
    /// List chats in which something waits.
    List {
        /// The bot.
        bot: String,
        /// Only those in this place.
        #[arg(long)]
        place: Option<PlaceArg>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Look at one chat: what waits, why, and what the chat remembers. Prints JSON.
    Show {
        /// The bot.
        bot: String,
        /// The chat, as the list shows it.
        #[arg(allow_hyphen_values = true)]
        chat: String,
        #[command(flatten)]
        login: Login,
    },
    /// Help a chat whose first update or message failed.
    ///
    /// What is being worked on is left alone, and so is a wait that Telegram asked for.
    #[command(
        after_help = UNBLOCK_EXIT,
        group = ArgGroup::new("what").required(true).multiple(true).args(["update", "message"])
    )]
    Unblock {
        /// The bot.
        bot: String,
        /// The chat.
        #[arg(allow_hyphen_values = true)]
        chat: String,
        /// What is done about the first update.
        #[arg(long, value_name = "REMEDY")]
        update: Option<RemedyArg>,
        /// What is done about the first message.
        #[arg(long, value_name = "REMEDY")]
        message: Option<RemedyArg>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Make a chat forget everything: its conversation starts anew.
    Forget {
        /// The bot.
        bot: String,
        /// The chat.
        #[arg(allow_hyphen_values = true)]
        chat: String,
        #[command(flatten)]
        login: Login,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DirectionArg {
    /// Updates.
    In,
    /// Messages.
    Out,
}

/// Which dead letters are meant.
#[derive(Debug, Args)]
pub(crate) struct LetterFilter {
    /// Updates (in) or messages (out).
    #[arg(long, default_value = "in")]
    pub direction: DirectionArg,
    /// Only of this chat.
    #[arg(long, allow_hyphen_values = true)]
    pub chat: Option<String>,
    /// Only with this reason.
    #[arg(long)]
    pub reason: Option<String>,
}

/// Dead letters to be handled: some by their ids, or all of a filter.
#[derive(Debug, Args)]
pub(crate) struct Letters {
    /// The bot.
    pub bot: String,
    /// Their ids; they are handled in this order.
    #[arg(required_unless_present = "all")]
    pub ids: Vec<String>,
    /// All that the filter means, oldest first.
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    #[command(flatten)]
    pub filter: LetterFilter,
    #[command(flatten)]
    pub shown: Shown,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List dead letters, newest first.
    List {
        /// The bot.
        bot: String,
        #[command(flatten)]
        filter: LetterFilter,
        #[command(flatten)]
        shown: Shown,
    },
    /// Look at one dead letter with its content. Prints JSON.
    Show {
        /// The bot.
        bot: String,
        /// Its id.
        id: String,
        #[command(flatten)]
        login: Login,
    },
    /// Put dead letters back at the ends of their chats.
    ///
    /// What cannot be put back stays and is told. Fails if any stays.
    Replay(Letters),
    /// Throw dead letters away for good.
    Discard(Letters),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AskArg {
    /// Everything in one row.
    Totals,
    /// Updates in and messages out, over time.
    Messages,
    /// Chats that wrote, and new ones, over time.
    Chats,
    /// Errors, over time.
    Errors,
    /// From an update's acceptance to its commit, over time, ms.
    Latency,
    /// Calls of JSON APIs and those that failed, over time.
    ApiCalls,
    /// Errors by reason.
    ErrorReasons,
    /// Calls of JSON APIs by outcome, with times, ms.
    ApiOutcomes,
    /// Events by name.
    Events,
    /// Flows: started, completed, chats.
    Flows,
    /// How far chats came in a flow.
    Funnel,
    /// Which revision went live when.
    Deploys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IntervalArg {
    /// Hours; 31 days at the most.
    Hour,
    /// Days; 400 at the most.
    Day,
}

#[derive(Debug, Args)]
pub(crate) struct AnalyticsArgs {
    /// The bot.
    pub bot: String,
    /// What to ask.
    #[arg(default_value = "totals")]
    pub ask: AskArg,
    /// From this time on, e.g. 2026-11-01T00:00:00Z; 30 days ago where absent.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Before this time; now where absent.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// How time is cut.
    #[arg(long)]
    pub interval: Option<IntervalArg>,
    /// Whose hours and days, e.g. Europe/Berlin; UTC where absent.
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// The flow; for funnel.
    #[arg(long)]
    pub flow: Option<String>,
    #[command(flatten)]
    pub shown: Shown,
}
