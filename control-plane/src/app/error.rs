//! Why a rule refuses.

use botloom_core::ids::{BotId, TaskId};
use botloom_core::ports::{ArtifactError, SandboxError, StoreError};
use botloom_core::{Coded, Kind};
use botloom_generator::BuildError;

use crate::code::{self, Code};
use crate::oidc::OidcError;

/// Why the API did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of a revision could not be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The runtime refused.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// No program can be made of the spec.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A login at the identity provider failed.
    #[error(transparent)]
    Oidc(#[from] OidcError),
    /// The settings allow no logins with a password.
    #[error("passwords do not log in")]
    PasswordLoginOff,
    /// The account has no password.
    #[error("the account has no password")]
    PasswordNotSet,
    /// The session is too old for what is to be done.
    #[error("the login is too old")]
    FreshLoginRequired,
    /// It does not exist, or the caller may not know of it.
    #[error("not found")]
    NotFound,
    /// The caller's role is too low.
    #[error("the role does not allow it")]
    Forbidden,
    /// The e-mail address or the password cannot be one.
    #[error("{0}")]
    InvalidAccount(&'static str),
    /// E-mail or password is wrong.
    #[error("e-mail or password is wrong")]
    InvalidCredentials,
    /// The old password is not the present one.
    #[error("the old password is wrong")]
    WrongPassword,
    /// Too many logins failed.
    #[error("too many failed logins")]
    TooManyAttempts {
        /// Seconds until the next is looked at.
        wait_secs: u64,
    },
    /// Somebody exists already.
    #[error("there is an owner already")]
    AlreadySetUp,
    /// The project would have no owner.
    #[error("the project would have no owner")]
    LastOwner,
    /// There is no such invitation, or not any more.
    #[error("the invitation cannot be used")]
    InvitationInvalid,
    /// Whoever accepts an invitation belongs to the project already.
    #[error("already a member")]
    AlreadyMember,
    /// Somebody has this e-mail address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Another project has the name.
    #[error("the project name is taken")]
    ProjectExists,
    /// The project has bots.
    #[error("the project has bots")]
    ProjectNotEmpty,
    /// The caller owns as many projects as they may.
    #[error("too many projects")]
    TooManyProjects {
        /// How many one may own.
        most: u32,
    },
    /// The two bots do not fit.
    #[error("no staging bot can be made of it")]
    StagingInvalid,
    /// The bot stages no other.
    #[error("the bot is no staging bot")]
    NoStagingBot,
    /// No version was named, and none is live.
    #[error("nothing to promote")]
    NothingToPromote,
    /// The id belongs to a bot, maybe to a deleted one.
    #[error("the bot id {0} is taken")]
    BotExists(BotId),
    /// The caller has several projects, or none, and did not say which is meant.
    #[error("no project was named")]
    ProjectRequired,
    /// Not the form of a bot token.
    #[error("not a bot token")]
    TokenInvalid,
    /// Telegram does not know the token.
    #[error("the token was rejected")]
    TokenRejected,
    /// Telegram does not know the token that is stored.
    #[error("the stored token was revoked")]
    TokenRevoked,
    /// Another bot here has a token of the same Telegram bot.
    #[error("the Telegram bot is registered with another bot")]
    BotAlreadyRegistered,
    /// A connected bot cannot become another Telegram bot.
    #[error("the bot is connected")]
    BotConnected,
    /// The bot takes no updates.
    #[error("the bot is not connected")]
    BotNotConnected,
    /// It was disconnected, or connected otherwise, while it was being connected.
    #[error("the bot's connection changed meanwhile")]
    ConnectionChanged,
    /// The bot has no token.
    #[error("the bot has no token")]
    TokenMissing,
    /// Webhooks need a public URL.
    #[error("no public URL is set")]
    PublicUrlMissing,
    /// Telegram delivers over HTTPS and to certain ports only.
    #[error("the public URL does not suit Telegram")]
    PublicUrlUnsuitable,
    /// There is no manager bot.
    #[error("no manager bot is set")]
    ManagerMissing,
    /// The manager bot's token is wrong, or it may not manage bots.
    #[error("the manager bot cannot manage bots")]
    ManagerUnsuitable,
    /// No bot was made, it was confirmed, or the caller did not ask for it or names another account.
    #[error("nothing to confirm")]
    NothingToConfirm,
    /// Telegram understood and said no.
    #[error("telegram refused: {0}")]
    TelegramRefused(String),
    /// Telegram does not answer. What was done before is told.
    #[error("telegram is unavailable")]
    TelegramUnavailable {
        /// What holds now, in words.
        now: &'static str,
        /// Seconds that Telegram asked to wait, if it did: then it did nothing.
        wait_secs: Option<u32>,
    },
    /// Somebody else is replacing the bot's token, or gave the bot another one meanwhile.
    #[error("the token is being replaced")]
    TokenBeingReplaced,
    /// There is no such generator model.
    #[error("unknown model {0}")]
    UnsupportedModel(String),
    /// No generator runs.
    #[error("no generator")]
    NoGenerator,
    /// The same build is running.
    #[error("generation {0} is running")]
    GenerationInProgress(TaskId),
    /// A deployment of the bot is running.
    #[error("deployment {0} is running")]
    DeploymentInProgress(TaskId),
    /// There is nothing to roll back to.
    #[error("no previous revision")]
    NoPreviousRevision,
    /// The version that was edited is not the latest; 0: there is none.
    #[error("version {latest} is the latest")]
    Stale {
        /// The latest version.
        latest: u32,
    },
    /// The dead letter has no chat to go back to.
    #[error("the dead letter cannot be replayed")]
    NotReplayable,
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl Error {
    fn entry(&self) -> Code {
        match self {
            Self::Store(error) => code::find(error.code()).unwrap_or(code::INTERNAL),
            Self::Artifact(error) => code::find(error.code()).unwrap_or(code::INTERNAL),
            Self::Build(error) => code::find(error.code()).unwrap_or(code::INTERNAL),
            Self::Sandbox(error) => code::find(error.code()).unwrap_or(code::UNAVAILABLE),
            Self::Oidc(error) => error.entry(),
            Self::PasswordLoginOff => code::PASSWORD_LOGIN_OFF,
            Self::PasswordNotSet => code::PASSWORD_NOT_SET,
            Self::FreshLoginRequired => code::FRESH_LOGIN_REQUIRED,
            Self::NotFound => code::NOT_FOUND,
            Self::Forbidden => code::FORBIDDEN,
            Self::InvalidAccount(_) => code::VALIDATION_FAILED,
            Self::InvalidCredentials => code::INVALID_CREDENTIALS,
            Self::WrongPassword => code::WRONG_PASSWORD,
            Self::TooManyAttempts { .. } => code::TOO_MANY_ATTEMPTS,
            Self::AlreadySetUp => code::ALREADY_SET_UP,
            Self::LastOwner => code::LAST_OWNER,
            Self::InvitationInvalid => code::INVITATION_INVALID,
            Self::AlreadyMember => code::ALREADY_MEMBER,
            Self::EmailTaken => code::EMAIL_TAKEN,
            Self::ProjectExists => code::PROJECT_EXISTS,
            Self::ProjectNotEmpty => code::PROJECT_NOT_EMPTY,
            Self::TooManyProjects { .. } => code::TOO_MANY_PROJECTS,
            Self::StagingInvalid => code::STAGING_INVALID,
            Self::NoStagingBot => code::NO_STAGING_BOT,
            Self::NothingToPromote => code::NOTHING_TO_PROMOTE,
            Self::BotExists(_) => code::BOT_EXISTS,
            Self::ProjectRequired => code::PROJECT_REQUIRED,
            Self::TokenInvalid => code::TOKEN_INVALID,
            Self::TokenRejected => code::TOKEN_REJECTED,
            Self::TokenRevoked => code::TOKEN_REVOKED,
            Self::BotAlreadyRegistered => code::BOT_ALREADY_REGISTERED,
            Self::BotConnected => code::BOT_CONNECTED,
            Self::BotNotConnected => code::BOT_NOT_CONNECTED,
            Self::ConnectionChanged => code::CONNECTION_CHANGED,
            Self::TokenMissing => code::TOKEN_MISSING,
            Self::PublicUrlMissing => code::PUBLIC_URL_MISSING,
            Self::PublicUrlUnsuitable => code::PUBLIC_URL_UNSUITABLE,
            Self::ManagerMissing => code::MANAGER_BOT_MISSING,
            Self::ManagerUnsuitable => code::MANAGER_BOT_UNSUITABLE,
            Self::NothingToConfirm => code::NOTHING_TO_CONFIRM,
            Self::TelegramRefused(_) => code::TELEGRAM_REFUSED,
            Self::TelegramUnavailable { .. } => code::TELEGRAM_UNAVAILABLE,
            Self::TokenBeingReplaced => code::TOKEN_BEING_REPLACED,
            Self::UnsupportedModel(_) => code::UNSUPPORTED_MODEL,
            Self::NoGenerator => code::NO_GENERATOR,
            Self::GenerationInProgress(_) => code::GENERATION_IN_PROGRESS,
            Self::DeploymentInProgress(_) => code::DEPLOYMENT_IN_PROGRESS,
            Self::NoPreviousRevision => code::NO_PREVIOUS_REVISION,
            Self::Stale { .. } => code::PRECONDITION_FAILED,
            Self::NotReplayable => code::NOT_REPLAYABLE,
            Self::Internal(_) => code::INTERNAL,
        }
    }
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Artifact(error) => error.kind(),
            Self::Sandbox(error) => error.kind(),
            Self::Build(error) => error.kind(),
            Self::Oidc(error) => error.kind(),
            Self::NotFound | Self::InvitationInvalid => Kind::NotFound,
            Self::Forbidden | Self::PasswordLoginOff | Self::FreshLoginRequired => Kind::Forbidden,
            Self::InvalidCredentials => Kind::Unauthenticated,
            Self::TooManyAttempts { .. } => Kind::RateLimited,
            Self::InvalidAccount(_)
            | Self::WrongPassword
            | Self::TokenInvalid
            | Self::TokenRejected
            | Self::UnsupportedModel(_) => Kind::Invalid,
            Self::AlreadySetUp
            | Self::LastOwner
            | Self::AlreadyMember
            | Self::EmailTaken
            | Self::ProjectExists
            | Self::ProjectNotEmpty
            | Self::TooManyProjects { .. }
            | Self::StagingInvalid
            | Self::NoStagingBot
            | Self::NothingToPromote
            | Self::PasswordNotSet
            | Self::BotExists(_)
            | Self::ProjectRequired
            | Self::BotAlreadyRegistered
            | Self::BotConnected
            | Self::BotNotConnected
            | Self::ConnectionChanged
            | Self::TokenMissing
            | Self::TokenRevoked
            | Self::PublicUrlMissing
            | Self::PublicUrlUnsuitable
            | Self::ManagerMissing
            | Self::ManagerUnsuitable
            | Self::NothingToConfirm
            | Self::TelegramRefused(_)
            | Self::TokenBeingReplaced
            | Self::GenerationInProgress(_)
            | Self::DeploymentInProgress(_)
            | Self::NoPreviousRevision
            | Self::NotReplayable => Kind::Conflict,
            Self::TelegramUnavailable { .. } | Self::NoGenerator => Kind::Unavailable,
            Self::Stale { .. } => Kind::PreconditionFailed,
            Self::Internal(_) => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        self.entry().slug
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyAttempts { wait_secs } => Some(*wait_secs),
            Self::TelegramUnavailable { wait_secs, .. } => wait_secs.map(u64::from),
            _ => None,
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::Store(error) => error.outside(),
            Self::Artifact(error) => error.outside(),
            Self::Sandbox(error) => error.outside(),
            Self::Build(error) => error.outside(),
            Self::Oidc(error) => error.outside(),
            Self::PasswordLoginOff => "Log in at the identity provider: /auth/oidc/login.".into(),
            Self::PasswordNotSet => "Your account has no password; set one first, with POST /auth/password.".into(),
            Self::FreshLoginRequired => "Log in again, and repeat it within 10 minutes.".into(),
            Self::NotFound => "It does not exist, or you may not know of it.".into(),
            Self::Forbidden => "Ask an owner of the project for a higher role.".into(),
            Self::InvalidAccount(what) => (*what).into(),
            Self::InvalidCredentials => "E-mail or password is wrong.".into(),
            Self::WrongPassword => "The old password is wrong.".into(),
            Self::TooManyAttempts { .. } => "Too many logins failed; wait as long as Retry-After says.".into(),
            Self::AlreadySetUp => "There is an owner already; log in with POST /auth/login.".into(),
            Self::LastOwner => "A project keeps an owner; make somebody else one first.".into(),
            Self::InvitationInvalid => {
                "The invitation was used, was revoked, has expired or never was; ask for a new one.".into()
            }
            Self::AlreadyMember => "You belong to this project already; the invitation was not used up.".into(),
            Self::EmailTaken => "There is an account with this address; log in and accept the invitation with it.".into(),
            Self::ProjectExists => "Another project of this installation has this name; choose another.".into(),
            Self::ProjectNotEmpty => "Delete its bots first; GET /bots lists them.".into(),
            Self::TooManyProjects { most } => format!("You own {most} projects already; delete one or hand one over."),
            Self::StagingInvalid => {
                "Both must be bots of one project, the other no staging bot itself, and this one without staging bots.".into()
            }
            Self::NoStagingBot => "Say first whose staging bot it is: PUT /bots/<botId>/staging-of.".into(),
            Self::NothingToPromote => "Nothing is live on the staging bot; deploy to it first, or name a version.".into(),
            Self::BotExists(id) => format!("The bot id {id} is taken; ids of deleted bots stay taken."),
            Self::ProjectRequired => "Name the project in projectId; GET /projects lists yours.".into(),
            Self::TokenInvalid => "A token looks like 123456789:AA-letters-and-digits; BotFather shows it.".into(),
            Self::TokenRejected => "Telegram does not know this token; was it revoked at BotFather?".into(),
            Self::TokenRevoked => {
                "Telegram does not know the stored token any more; give the bot its present one: PUT /bots/<botId>/token.".into()
            }
            Self::BotAlreadyRegistered => "Another bot of this installation uses this Telegram bot.".into(),
            Self::BotConnected => "The token belongs to another Telegram bot; disconnect this bot first.".into(),
            Self::ConnectionChanged => {
                "The bot was disconnected, or connected in another way, while Telegram was being asked; that holds.".into()
            }
            Self::BotNotConnected => "The bot takes no updates; connect it with POST /bots/<botId>/connect.".into(),
            Self::TokenMissing => "Give the bot its token first: PUT /bots/<botId>/token.".into(),
            Self::PublicUrlMissing => {
                "Webhooks need BOTLOOM_PUBLIC_URL; without one, connect with ingress \"polling\".".into()
            }
            Self::PublicUrlUnsuitable => {
                "Telegram delivers to https and the ports 443, 80, 88 and 8443 only; connect with \"polling\" instead."
                    .into()
            }
            Self::ManagerMissing => {
                "Set BOTLOOM_MANAGER_BOT_TOKEN, or give the bot a token of BotFather: PUT /bots/<botId>/token.".into()
            }
            Self::ManagerUnsuitable => {
                "Telegram does not know its token, or does not let it manage bots; BotFather's Mini App turns that on.".into()
            }
            Self::NothingToConfirm => {
                "No bot was made by the account that you name, or somebody else asked for it; look at it again.".into()
            }
            Self::TelegramRefused(words) => format!("Telegram said: {words}"),
            Self::TelegramUnavailable {
                now,
                wait_secs: Some(secs),
            } => format!("Telegram asks to wait {secs} s. {now}"),
            Self::TelegramUnavailable { now, .. } => format!("Telegram does not answer. {now}"),
            Self::TokenBeingReplaced => "Somebody else replaces the token, or has just given the bot another one; look at the bot in a minute.".into(),
            Self::UnsupportedModel(model) => format!("There is no model {model:?}; use \"compiler\"."),
            Self::NoGenerator => "No generator takes tasks at the moment; try again.".into(),
            Self::GenerationInProgress(task) => format!("This version is being built by task {task}."),
            Self::DeploymentInProgress(task) => format!("Deployment {task} of this bot has not ended."),
            Self::NoPreviousRevision => "The bot has no earlier revision to go back to; name one in revHash.".into(),
            Self::Stale { latest: 0 } => "The bot has no version yet.".into(),
            Self::Stale { latest } => format!("Version {latest} is the latest; fetch it and merge your changes."),
            Self::NotReplayable => "It never reached a chat, so there is none to go back to; discard it.".into(),
            Self::Internal(_) => "Something went wrong on our side.".into(),
        }
    }
}
