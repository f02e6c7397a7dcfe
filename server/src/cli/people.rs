//! The grammar of the commands about people: projects, members, invitations, API tokens, sessions, the audit log.

use clap::{Args, Subcommand, ValueEnum};

use super::Login;
use super::bots::At;

/// Which project, on which server, shown how.
#[derive(Debug, Args)]
pub(crate) struct ProjectArgs {
    /// The project, by name or id; your only one where absent.
    #[arg(long, value_name = "PROJECT", env = "BOTLOOM_PROJECT")]
    pub project: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub login: Login,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// Reads.
    Viewer,
    /// Also specs, builds, deployments.
    Editor,
    /// Also members, tokens, deletion.
    Owner,
}

impl RoleArg {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectsCommand {
    /// List your projects.
    List {
        #[command(flatten)]
        at: At,
    },
    /// Make a project that you own.
    Create {
        /// Its name, unique on the server.
        name: String,
        #[command(flatten)]
        at: At,
    },
    /// Rename a project.
    Rename {
        /// The project, by name or id.
        project: String,
        /// The new name.
        name: String,
        #[command(flatten)]
        at: At,
    },
    /// Delete a project without bots, with its members, invitations and API tokens.
    Delete {
        /// The project, by name or id.
        project: String,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// List your logins that have not ended.
    List {
        #[command(flatten)]
        at: At,
    },
    /// End one of them.
    End {
        /// Its id, as `list` shows it.
        session: String,
        #[command(flatten)]
        at: At,
    },
    /// End all but the one that this command uses.
    EndOthers {
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// The new password; asked for when it is missing. Prefer the environment variable: arguments are visible to others.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "BOTLOOM_NEW_PASSWORD",
        hide_env_values = true
    )]
    pub new_password: Option<String>,
    /// End your API tokens too, in all projects.
    #[arg(long)]
    pub revoke_tokens: bool,
    #[command(flatten)]
    pub login: Login,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MembersCommand {
    /// List the members of a project.
    List {
        #[command(flatten)]
        at: ProjectArgs,
    },
    /// Give a member another role.
    Role {
        /// E-mail of the member.
        member: String,
        /// The new role.
        role: RoleArg,
        #[command(flatten)]
        at: ProjectArgs,
    },
    /// Remove a member; their access ends at once.
    Remove {
        /// E-mail of the member.
        member: String,
        #[command(flatten)]
        at: ProjectArgs,
    },
    /// Make a link with which one person may join.
    Invite {
        /// The role that it gives.
        role: RoleArg,
        /// Days that it holds.
        #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=30))]
        days: u64,
        #[command(flatten)]
        at: ProjectArgs,
    },
    /// List invitations that were not used yet.
    Invitations {
        #[command(flatten)]
        at: ProjectArgs,
    },
    /// Revoke an invitation.
    Revoke {
        /// Its id, as `invitations` shows it.
        invitation: String,
        #[command(flatten)]
        at: ProjectArgs,
    },
    /// Join a project by an invitation.
    Join {
        /// The link, or what stands behind # in it; - reads it from standard input. Prefer that, or the environment variable:
        /// arguments are visible to others, and whoever has the link may join.
        #[arg(env = "BOTLOOM_INVITATION", hide_env_values = true)]
        link: Option<String>,
        /// Make a new account with the e-mail and password given; else log in with them.
        #[arg(long)]
        new: bool,
        #[command(flatten)]
        login: Login,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// List the API tokens of a project; the tokens themselves are not shown again.
    List {
        #[command(flatten)]
        at: ProjectArgs,
    },
    /// Make an API token and print it, this once.
    Create {
        /// What it is for.
        name: String,
        /// The most that it may do; never more than you may at that moment.
        role: RoleArg,
        /// Days that it holds.
        #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=366))]
        days: u64,
        #[command(flatten)]
        at: ProjectArgs,
    },
    /// Revoke an API token.
    Revoke {
        /// Its id, as `list` shows it.
        token: String,
        #[command(flatten)]
        at: ProjectArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only this project, by name or id; without it all that you own, and your own account.
    #[arg(long, value_name = "PROJECT", env = "BOTLOOM_PROJECT")]
    pub project: Option<String>,
    /// Only what this user did: a member, by e-mail address, or anybody, by id.
    #[arg(long, value_name = "E-MAIL|ID")]
    pub user: Option<String>,
    /// Only this, e.g. bot.deleted.
    #[arg(long)]
    pub verb: Option<String>,
    /// Only to things of this kind, e.g. bot.
    #[arg(long, value_name = "KIND")]
    pub object_kind: Option<String>,
    /// Only to the thing with this id.
    #[arg(long, value_name = "ID")]
    pub object: Option<String>,
    /// At this time or later, e.g. 2026-11-27T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// At most so many, the newest.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: usize,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Print everything, one JSON object a line.
    #[arg(long, conflicts_with_all = ["json", "limit"])]
    pub ndjson: bool,
    #[command(flatten)]
    pub login: Login,
}
