//! The grammar of the commands about what is live, and what led to it: versions, revisions, deployments, events.

use clap::{Args, Subcommand};

use super::Login;
use super::bots::At;

pub(crate) const DEPLOY_EXIT: &str =
    "Exit codes: 0 it is live (without --wait: it was asked for), 1 a failure, 64 wrong usage.";
pub(crate) const EVENTS_EXIT: &str = "Exit codes: 0 everything was told, or the command was interrupted (Ctrl-C), 1 a failure, \
                                      64 wrong usage.";
const DIFF_EXIT: &str = "Exit codes: 0 no differences, 1 a failure, 2 differences, 64 wrong usage.";
const SHOW_EXIT: &str =
    "Exit codes: 0 it was shown (with --watch: it succeeded), 1 a failure, 64 wrong usage.";

/// Which revision is to be live instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The newest revision of this version.
    Version(u32),
    /// This revision.
    Revision(String),
}

impl std::str::FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Revision(text.to_ascii_lowercase()));
        }
        let version = text.parse().ok().filter(|version| *version > 0);
        let rule = "must be the number of a version, or a revision (64 hexadecimal digits)";
        version.map(Self::Version).ok_or(rule)
    }
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The bot.
    pub bot: String,
    /// Where to: a revision, or the number of a version, of which the newest revision is taken; the revision that was live
    /// before where absent.
    #[arg(long, value_name = "REVISION|VERSION")]
    pub to: Option<Target>,
    /// Wait for the end and show progress.
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub at: At,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The bot.
    pub bot: String,
    /// The version, which is built first; the newest one where absent.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub version: Option<u32>,
    /// A revision that was built already.
    #[arg(long, value_name = "REVISION", conflicts_with = "version")]
    pub revision: Option<String>,
    /// Wait for the end and show progress.
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub at: At,
}

/// A list of a bot's things, newest first.
#[derive(Debug, Args)]
pub(crate) struct NewestArgs {
    /// The bot.
    pub bot: String,
    /// At most so many, the newest.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: usize,
    #[command(flatten)]
    pub at: At,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VersionsCommand {
    /// List the versions of a bot's spec, newest first.
    List(NewestArgs),
    /// Print the spec of a version, as `pull` writes it.
    Show {
        /// The bot.
        bot: String,
        /// The version; the newest one where absent.
        version: Option<u32>,
        #[command(flatten)]
        login: Login,
    },
    /// Say what changed from one version to another.
    #[command(after_help = DIFF_EXIT)]
    Diff {
        /// The bot.
        bot: String,
        /// From this version; the one that is live where absent.
        from: Option<u32>,
        /// To this version; the newest one where absent.
        to: Option<u32>,
        /// Print the differences as JSON: in words and as JSON Patch (RFC 6902).
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        login: Login,
    },
    /// Make the content of an older version the newest one, under a new number. Nothing is deployed.
    Restore {
        /// The bot.
        bot: String,
        /// The version whose content is wanted back.
        version: u32,
        /// Said about the new version.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Say something about a version.
    Note {
        /// The bot.
        bot: String,
        /// The version.
        version: u32,
        /// What is said, instead of what was said before; an empty text takes that away.
        text: String,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeploymentsCommand {
    /// List the deployments of a bot, rollbacks included, newest first.
    List(NewestArgs),
    /// Show a deployment: from what to what, its stages, why it failed.
    #[command(after_help = SHOW_EXIT)]
    Show {
        /// Its task, as `list`, `deploy` and `rollback` tell it.
        task: String,
        /// Wait for the end and show progress.
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// The bot.
    pub bot: String,
    /// Go on with what happens from now on. Comes back to a server that was away, and misses nothing.
    #[arg(long, short)]
    pub follow: bool,
    /// Begin after the event with this number; 0: with the oldest that the server still has. Without it `--follow` begins
    /// now, and everything else with the oldest.
    #[arg(long, value_name = "NUMBER")]
    pub after: Option<u64>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub login: Login,
}
