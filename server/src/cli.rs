//! The grammar of the command line.

pub(crate) mod bots;
mod layered;
mod login;
pub(crate) mod operating;
pub(crate) mod people;
pub(crate) mod releases;
pub(crate) mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use layered::{Misread, parse};
pub(crate) use login::{Login, TokenGiven};

/// Telegram bots as data: describe, validate, deploy, undo.
#[derive(Debug, Parser)]
#[command(
    name = "botloom",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "From nothing to a bot that answers:\n  botloom serve\n  botloom setup --email you@example.com\n  botloom apply bot.json --deploy --wait --bot-token 123:ABC --connect polling\n\nWithout Telegram, in the terminal:\n  botloom simulate bot.json\n\nSettings: environment variables or botloom.toml; `botloom config` prints what is in force."
)]
pub(crate) struct Cli {
    /// Settings file; without it botloom.toml in the working folder, if there is one.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "BOTLOOM_CONFIG",
        hide_env = true
    )]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

const PULL_EXIT: &str = "Exit codes: 0 the folder has the newest specs (and what was edited in it), 1 a failure or a conflict: \
                         nothing was written, or a bot was deleted on the server whose file is still there, 64 wrong usage.";
const DIFF_EXIT: &str =
    "Exit codes: 0 no differences, 1 a failure, 2 differences, 64 wrong usage. Nothing is ever changed.";
const APPLY_EXIT: &str = "Exit codes: 0 everything is as the specs say, 1 a failure or a conflict: what was applied all the \
                          same is told, 64 wrong usage.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node: API, generator, deployer and runtime, or those of them that BOTLOOM_ROLES names.
    Serve(ServeArgs),
    /// Create or update the schemas of the storage, then stop. `serve` does the same at start.
    Migrate,
    /// Copy a whole installation between the data folder and the services of the settings, and compare both sides.
    ///
    /// Stop all nodes first. The target must be empty; the side it came from is left as it is.
    Move {
        /// Where it goes: to the services that DATABASE_URL, REDIS_URL, S3_BUCKET and CLICKHOUSE_URL name, or back into
        /// the data folder.
        #[arg(long, value_name = "SIDE")]
        to: SideArg,
    },
    /// Give chats whose queues stand nowhere their place back, after Redis failed over to a replica that lagged.
    ///
    /// Harmless at any time, also while nodes run. Needs REDIS_URL.
    Repair,
    /// Put all secrets under the current master key.
    ///
    /// A key in the data folder is replaced by a new one first; stop the server for that. A key from BOTLOOM_MASTER_KEY is
    /// replaced while nodes run: restart them one after the other with the new key as BOTLOOM_MASTER_KEY_SECOND, then with
    /// both changed places, and run this.
    RotateMasterKey,
    /// Spread a very busy bot (above some 4,000 updates/s) over several shards of Redis, or bring it back to one.
    ///
    /// The bot must have nothing queued and no dead letters: disconnect it first, and connect it again afterwards. Needs
    /// REDIS_URL.
    Spread {
        /// The bot.
        bot: String,
        /// Shards, 1 to 8.
        #[arg(value_parser = clap::value_parser!(u16).range(1..=8))]
        shards: u16,
    },
    /// Ask a server whether it takes work; fails if it does not.
    Health {
        /// The server.
        #[arg(
            long,
            value_name = "URL",
            env = "BOTLOOM_SERVER",
            default_value = "http://127.0.0.1:8080"
        )]
        server: url::Url,
    },
    /// Check a BotSpec: syntax, schema, meaning; all findings at once.
    Validate {
        /// The spec, or - for standard input.
        file: PathBuf,
        /// Print the findings as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the bot.js that a BotSpec compiles to.
    Compile {
        /// The spec, or - for standard input.
        file: PathBuf,
        /// Write to this file instead of standard output.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Talk to a bot in the terminal, or run a scripted conversation. Needs neither Telegram nor a server.
    ///
    /// Type messages as a user would; `/quit` or end of input ends. Lines with `:` are for the simulator:
    /// `:user ID NAME [LANGUAGE]` speaks as somebody else, `:wait SECONDS` lets time pass.
    Simulate(SimulateArgs),
    /// Create the first owner of a server.
    Setup {
        #[command(flatten)]
        login: Login,
    },
    /// Write the newest spec of each bot of a server into a folder, for git.
    ///
    /// A file that has the newest content is not touched, however it is spelled. `botloom.lock` keeps which version each
    /// file is of, for `diff` and `apply`: commit it with the specs.
    #[command(after_help = PULL_EXIT)]
    Pull(PullArgs),
    /// Say what `apply` of a folder would change on a server.
    #[command(after_help = DIFF_EXIT)]
    Diff(DiffArgs),
    /// Bring a BotSpec to a server: create the bot if it is new, store the version, generate, deploy.
    ///
    /// Or a folder of specs: all files are checked first, then those that differ from the server are posted. A bot that
    /// was edited on the server since it was pulled is named, and nothing is posted; a bot that fails for another reason
    /// keeps no other one back. The file of a bot that a `botloom.lock` beside it names is judged as in its folder.
    #[command(after_help = APPLY_EXIT)]
    Apply(ApplyArgs),
    /// Build a version of a bot if it was not built yet, and make it live.
    #[command(after_help = releases::DEPLOY_EXIT)]
    Deploy(releases::DeployArgs),
    /// Make the revision live again that was live before, or another one.
    #[command(after_help = releases::DEPLOY_EXIT)]
    Rollback(releases::RollbackArgs),
    /// Versions of a bot's spec: list, show, compare, restore, note.
    #[command(subcommand)]
    Versions(releases::VersionsCommand),
    /// Revisions of a bot, which are what is built of its versions: newest first.
    Revisions(releases::NewestArgs),
    /// Deployments and rollbacks of a bot: list, show, watch.
    #[command(subcommand)]
    Deployments(releases::DeploymentsCommand),
    /// What happened to a bot, and what happens: builds, deployments, connections, dead letters.
    #[command(after_help = releases::EVENTS_EXIT)]
    Events(releases::EventsArgs),
    /// Give a bot its token, or let it take updates, or both.
    #[command(group = ArgGroup::new("what").required(true).multiple(true).args(["bot_token", "ingress"]))]
    Connect {
        /// The bot.
        bot: String,
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        login: Login,
    },
    /// Let a bot take no updates any more. Telegram keeps those that come for a day.
    Disconnect {
        /// The bot.
        bot: String,
        #[command(flatten)]
        at: bots::At,
    },
    /// Chats of a bot in which something waits: list, look, unblock, forget.
    #[command(subcommand)]
    Chats(operating::ChatsCommand),
    /// What was set aside: list, look, replay, discard.
    #[command(subcommand)]
    DeadLetters(operating::DeadLettersCommand),
    /// A bot in numbers: totals, time series, flows, errors.
    Analytics(operating::AnalyticsArgs),
    /// Log in and keep the session in a file that you alone can read; other commands use it where nothing else is given.
    #[command(name = "login")]
    LogIn {
        #[command(flatten)]
        login: Login,
    },
    /// End the session that `login` keeps, and forget it.
    Logout {
        /// The server.
        #[arg(
            long,
            value_name = "URL",
            env = "BOTLOOM_SERVER",
            default_value = "http://127.0.0.1:8080"
        )]
        server: url::Url,
    },
    /// Bots: list, show, create, rename, pause, resume, replace tokens, stage, export, import, delete.
    #[command(subcommand)]
    Bots(bots::BotsCommand),
    /// Bring a version of a staging bot to its production bot: the same spec, under the other name.
    Promote(bots::PromoteArgs),
    /// Projects: list, create, rename, delete.
    #[command(subcommand)]
    Projects(people::ProjectsCommand),
    /// Your logins: list, end. Needs e-mail and password, or `login`.
    #[command(subcommand)]
    Sessions(people::SessionsCommand),
    /// Change your password. All other sessions end.
    Password(people::PasswordArgs),
    /// Have a Telegram bot made for a bot by a link, without copying a token. Needs e-mail and password.
    ///
    /// Prints the link and waits until somebody has confirmed it in Telegram. Needs a server with a manager bot
    /// (BOTLOOM_MANAGER_BOT_TOKEN).
    NewBot(NewBotArgs),
    /// Members of a project: list, change roles, remove, invite, join.
    #[command(subcommand)]
    Members(people::MembersCommand),
    /// API tokens for programs: list, create, revoke. Needs e-mail and password.
    #[command(subcommand)]
    Tokens(people::TokensCommand),
    /// Whether Telegram delivers: list, show, reclaim a bot, follow a change of the public URL.
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),
    /// Who did what: the audit log, newest first.
    Audit(people::AuditArgs),
    /// Run a bot.js in a real sandbox worker and print {outcome, wallMs, result}: why was a bot stopped?
    ///
    /// Skips the AST filter and never retries. wallMs runs from the call to its outcome; starting the process and
    /// loading the program are not in it.
    SandboxRun {
        /// The program, or - for standard input.
        file: PathBuf,
        /// The file is the body of a handler, not a module.
        #[arg(long)]
        body: bool,
        /// Argument of handle, a JSON object; without it a message with the text "/start".
        #[arg(long, value_name = "JSON")]
        input: Option<String>,
    },
    /// Run a simulator of the Bot API: virtual people, webhooks, long polling, faults, a journal.
    Simulator(SimulatorArgs),
    /// Print the settings in force and where each comes from; secrets are redacted.
    Config {
        /// Print the reference of all settings instead.
        #[arg(long)]
        reference: bool,
    },
    /// Print the OpenAPI document of the API.
    Openapi,
    /// Print the JSON Schema of a BotSpec.
    Schema,
    /// Print a completion script for a shell, e.g. `botloom completions bash > /etc/bash_completion.d/botloom`.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// The process that holds bot code; started by the server, never by people.
    #[command(hide = true)]
    SandboxWorker,
}

/// One side of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SideArg {
    /// PostgreSQL, Redis, S3 and ClickHouse.
    Services,
    /// The data folder.
    Embedded,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address and port (setting BOTLOOM_LISTEN).
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Folder of the embedded storage (setting BOTLOOM_DATA_DIR).
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The spec.
    pub file: PathBuf,
    /// A scripted conversation (chat.json): runs it and fails where the bot answers otherwise.
    pub chat: Option<PathBuf>,
    /// Print states, telemetry and timings too.
    #[arg(long, short)]
    pub verbose: bool,
}

/// A bot's connection to Telegram.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Token from @BotFather; stored sealed, never given back.
    #[arg(long, env = "BOTLOOM_BOT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub bot_token: Option<String>,
    /// How updates reach the bot.
    #[arg(long = "connect", value_name = "INGRESS")]
    pub ingress: Option<IngressArg>,
}

impl Connection {
    /// The token, if one is given: an empty variable gives none.
    pub(crate) fn token(&self) -> Option<&str> {
        self.bot_token.as_deref().filter(|token| !token.is_empty())
    }
}

#[derive(Debug, Args)]
pub(crate) struct NewBotArgs {
    /// The bot.
    pub bot: String,
    /// Your Telegram account, by its number: takes what it made without asking you, and nothing that another one made.
    #[arg(long, value_name = "NUMBER")]
    pub account: Option<i64>,
    /// How updates are to reach the bot afterwards.
    #[arg(long = "connect", value_name = "INGRESS")]
    pub ingress: Option<IngressArg>,
    #[command(flatten)]
    pub login: Login,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IngressArg {
    /// Telegram calls this server; needs BOTLOOM_PUBLIC_URL.
    Webhook,
    /// The server asks Telegram; works behind NAT, needs no domain.
    Polling,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// The folder; made if it is not there. Files are called `<botId>.json`.
    pub dir: PathBuf,
    /// Write also over files that were edited here, while their bots were edited on the server too.
    #[arg(long)]
    pub overwrite: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Only bots of this project, by name or id.
    #[arg(long, value_name = "PROJECT", env = "BOTLOOM_PROJECT")]
    pub project: Option<String>,
    #[command(flatten)]
    pub login: Login,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The folder: each of its `.json` files is the spec of one bot.
    pub dir: PathBuf,
    /// Print the differences as JSON: in words and as JSON Patch (RFC 6902) from the server's spec to the file's.
    #[arg(long)]
    pub json: bool,
    /// The project that new bots would be made in, by name or id.
    #[arg(long, value_name = "PROJECT", env = "BOTLOOM_PROJECT")]
    pub project: Option<String>,
    #[command(flatten)]
    pub login: Login,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The spec, or - for standard input; or a folder of specs.
    pub file: PathBuf,
    /// Post also over what was edited on the server since it was pulled.
    #[arg(long)]
    pub overwrite: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// The project that new bots are made in, by name or id; your only one where absent.
    #[arg(long, value_name = "PROJECT", env = "BOTLOOM_PROJECT")]
    pub project: Option<String>,
    /// Make the new revision live, unless it was before and the platform took it back because updates failed.
    #[arg(long)]
    pub deploy: bool,
    /// Make also a revision live that was taken back because updates failed.
    #[arg(long, requires = "deploy")]
    pub redeploy_unhealthy: bool,
    /// Wait for the end and show progress.
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub login: Login,
}

#[derive(Debug, Args)]
pub(crate) struct SimulatorArgs {
    /// Address and port.
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Apply Telegram's published sending limits (429 with retry_after).
    #[arg(long)]
    pub flood: bool,
    /// Milliseconds every call takes.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub latency_ms: u64,
    /// How much of the journal is kept.
    #[arg(long, default_value = "full", value_name = "MODE")]
    pub journal: JournalArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum JournalArg {
    /// Every call with its parameters.
    Full,
    /// Only how often each method was called.
    Counters,
    /// Nothing.
    Off,
}
