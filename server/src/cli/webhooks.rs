//! The grammar of `botloom webhooks`.

use clap::{Args, Subcommand, ValueEnum};

use super::Login;

/// On which server, shown how.
#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub login: Login,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WebhookStatusArg {
    /// Telegram delivers.
    Healthy,
    /// Something older of ours is being replaced.
    Repairing,
    /// Updates do not come as they should.
    Drifted,
    /// Not checked yet, or Telegram does not answer.
    Unknown,
}

impl WebhookStatusArg {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Repairing => "repairing",
            Self::Drifted => "drifted",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// List connected bots with what the last check found.
    List {
        /// Only bots of this status.
        #[arg(long, value_name = "STATUS")]
        status: Option<WebhookStatusArg>,
        /// Only bots of this project, by name or id.
        #[arg(long, value_name = "PROJECT", env = "BOTLOOM_PROJECT")]
        project: Option<String>,
        #[command(flatten)]
        at: WebhookArgs,
    },
    /// Say of one bot what was found, what it means and what to do.
    Show {
        /// The bot.
        bot: String,
        #[command(flatten)]
        at: WebhookArgs,
    },
    /// Have Telegram give a bot's updates to this server again, whoever gets them now.
    Reclaim {
        /// The bot.
        bot: String,
        #[command(flatten)]
        at: WebhookArgs,
    },
    /// Say how many bots wait to be registered anew, after a change of the public URL, and for how long about.
    Progress {
        #[command(flatten)]
        at: WebhookArgs,
    },
}
