//! The grammar of the commands about bots as a whole.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::Login;

/// On which server, shown how.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub login: Login,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BotsCommand {
    /// List the bots of your projects.
    List {
        /// Only bots of this project, by name or id.
        #[arg(long, value_name = "PROJECT", env = "BOTLOOM_PROJECT")]
        project: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Show a bot.
    Show {
        /// The bot.
        bot: String,
        #[command(flatten)]
        at: At,
    },
    /// Make a bot.
    Create {
        /// Its id: 3 to 63 of a-z, 0-9 and -, beginning with a letter.
        bot: String,
        /// Its name for people; its id where absent.
        #[arg(long)]
        name: Option<String>,
        /// The project, by name or id; your only one where absent.
        #[arg(long, value_name = "PROJECT", env = "BOTLOOM_PROJECT")]
        project: Option<String>,
        /// Make it the staging bot of this one.
        #[arg(long, value_name = "BOT")]
        staging_of: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Rename a bot.
    Rename {
        /// The bot.
        bot: String,
        /// The new name.
        name: String,
        #[command(flatten)]
        at: At,
    },
    /// Let a bot's updates wait.
    Pause {
        /// The bot.
        bot: String,
        #[command(flatten)]
        at: At,
    },
    /// Let a paused bot go on.
    Resume {
        /// The bot.
        bot: String,
        #[command(flatten)]
        at: At,
    },
    /// Have Telegram replace the token of a bot that was made by `new-bot`; the one before is no use any more.
    ReplaceToken {
        /// The bot.
        bot: String,
        #[command(flatten)]
        at: At,
    },
    /// Make a bot the staging bot of another one of its project, for `botloom promote`.
    Stage {
        /// The bot on which versions are tried out.
        staging: String,
        /// The bot in production.
        production: String,
        #[command(flatten)]
        at: At,
    },
    /// Make a bot no staging bot any more.
    Unstage {
        /// The bot.
        bot: String,
        #[command(flatten)]
        at: At,
    },
    /// Write a bot with everything that it knows, but no secrets, into a tar archive that you alone can read.
    ///
    /// Pause the bot first if the states of its chats must be of one moment.
    Export {
        /// The bot.
        bot: String,
        /// The archive; must not exist.
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Make a bot of an export: its versions with their notes. Chats, dead letters and the Telegram token are not brought back.
    Import {
        /// The archive.
        file: PathBuf,
        /// The id of the new bot; that of the exported one where absent.
        #[arg(long = "as", value_name = "BOT")]
        new_id: Option<String>,
        /// The project, by name or id; your only one where absent.
        #[arg(long, value_name = "PROJECT", env = "BOTLOOM_PROJECT")]
        project: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Delete a bot with its chats, messages and token. Its id stays taken.
    #[command(group = ArgGroup::new("copy").required(true))]
    Delete {
        /// The bot.
        bot: String,
        /// Export the bot into this archive first; it is deleted only if that is whole.
        #[arg(long, value_name = "FILE", group = "copy")]
        export: Option<PathBuf>,
        /// Keep nothing.
        #[arg(long, group = "copy")]
        without_export: bool,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The staging bot.
    pub bot: String,
    /// The version of the staging bot; the one that is live there where absent.
    #[arg(long, value_name = "NUMBER", conflicts_with = "dry_run")]
    pub version: Option<u32>,
    /// Said about the version of the production bot, if it is a new one.
    #[arg(long, value_name = "TEXT", conflicts_with = "dry_run")]
    pub note: Option<String>,
    /// Only say how what is live on both differs.
    #[arg(long, conflicts_with_all = ["deploy", "wait"])]
    pub dry_run: bool,
    /// Make the revision live on the production bot.
    #[arg(long)]
    pub deploy: bool,
    /// Wait for the end and show progress.
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub at: At,
}
