//! Who wants something, from where, and how it is told in the audit log.

use std::net::IpAddr;

use botloom_core::ids::{AuditId, BotId, ProjectId, TokenId, UserId};
use botloom_core::model::{AuditActor, AuditEntry, Role};
use uuid::Uuid;

use crate::state::App;

/// What was done, as the audit log names it. The words are stable.
pub(crate) mod verb {
    use botloom_core::model::consequence;

    pub(crate) const BOT_CONNECTED: &str = "bot.connected";
    /// Telegram was asked and did not agree; `after` says how the bot takes updates now, and why.
    pub(crate) const BOT_CONNECT_FAILED: &str = "bot.connect-failed";
    pub(crate) const BOT_CREATED: &str = "bot.created";
    pub(crate) const BOT_DELETED: &str = "bot.deleted";
    pub(crate) const BOT_DISCONNECTED: &str = "bot.disconnected";
    pub(crate) const BOT_EXPORTED: &str = "bot.exported";
    pub(crate) const BOT_PAUSED: &str = "bot.paused";
    pub(crate) const BOT_RENAMED: &str = "bot.renamed";
    pub(crate) const BOT_RESUMED: &str = "bot.resumed";
    /// A conversation whose calls were real ones.
    pub(crate) const BOT_SIMULATED_LIVE: &str = "bot.simulated-live";
    /// It is the staging bot of another one now (`after`), or of none.
    pub(crate) const BOT_STAGING_SET: &str = "bot.staging-set";
    /// The Telegram token; neither it nor anything made of it is noted.
    pub(crate) const BOT_TOKEN_SET: &str = "bot.token-set";
    /// Telegram gave it another token; the one before is no use any more.
    pub(crate) const BOT_TOKEN_REPLACED: &str = "bot.token-replaced";
    pub(crate) const CHAT_STATE_FORGOTTEN: &str = "chat.state-forgotten";
    pub(crate) const CHAT_UNBLOCKED: &str = "chat.unblocked";
    /// Many at once.
    pub(crate) const DEAD_LETTERS_DISCARDED: &str = "dead-letters.discarded";
    pub(crate) const DEAD_LETTERS_REPLAYED: &str = "dead-letters.replayed";
    pub(crate) const DEAD_LETTER_DISCARDED: &str = "dead-letter.discarded";
    pub(crate) const DEAD_LETTER_REPLAYED: &str = "dead-letter.replayed";
    pub(crate) const DEPLOYMENT_STARTED: &str = "deployment.started";
    pub(crate) const GENERATION_STARTED: &str = "generation.started";
    pub(crate) const IDENTITY_LINKED: &str = "identity.linked";
    pub(crate) const IDENTITY_UNLINKED: &str = "identity.unlinked";
    pub(crate) const INVITATION_CREATED: &str = "invitation.created";
    pub(crate) const INVITATION_REVOKED: &str = consequence::INVITATION_REVOKED;
    pub(crate) const MANAGED_BOT_ASKED: &str = "managed-bot.asked";
    pub(crate) const MANAGED_BOT_WITHDRAWN: &str = "managed-bot.withdrawn";
    pub(crate) const MEMBER_JOINED: &str = "member.joined";
    pub(crate) const MEMBER_REMOVED: &str = consequence::MEMBER_REMOVED;
    pub(crate) const MEMBER_ROLE_CHANGED: &str = "member.role-changed";
    pub(crate) const OWNER_CREATED: &str = "owner.created";
    pub(crate) const PASSWORD_CHANGED: &str = "password.changed";
    pub(crate) const PROJECT_CREATED: &str = "project.created";
    pub(crate) const PROJECT_DELETED: &str = "project.deleted";
    pub(crate) const PROJECT_RENAMED: &str = "project.renamed";
    pub(crate) const ROLLBACK_STARTED: &str = "rollback.started";
    pub(crate) const SESSION_ENDED: &str = "session.ended";
    pub(crate) const SESSION_OPENED: &str = "session.opened";
    /// All but the one that asked.
    pub(crate) const SESSIONS_ENDED: &str = "sessions.ended";
    pub(crate) const SPEC_NOTED: &str = "spec.noted";
    pub(crate) const SPEC_POSTED: &str = "spec.posted";
    /// A version of the staging bot is a version of this bot; `before` names the one there, `after` the one here.
    pub(crate) const SPEC_PROMOTED: &str = "spec.promoted";
    pub(crate) const TELEGRAM_ACCOUNT_CONFIRMED: &str = "telegram-account.confirmed";
    pub(crate) const TOKEN_CREATED: &str = "token.created";
    pub(crate) const TOKEN_REVOKED: &str = consequence::TOKEN_REVOKED;
    /// By a login at an identity provider, without a project.
    pub(crate) const USER_CREATED: &str = "user.created";
    pub(crate) const WEBHOOK_RECLAIMED: &str = "webhook.reclaimed";
}

/// Kinds of things, as the audit log names them.
pub(crate) mod object {
    pub(crate) const BOT: &str = "bot";
    /// Its id is `<botId>:<chatId>`.
    pub(crate) const CHAT: &str = "chat";
    pub(crate) const DEAD_LETTER: &str = "dead-letter";
    pub(crate) const INVITATION: &str = "invitation";
    pub(crate) const PROJECT: &str = "project";
    pub(crate) const SESSION: &str = "session";
    pub(crate) const TOKEN: &str = "token";
    pub(crate) const USER: &str = "user";
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The peer's address.
    pub(crate) address: Option<IpAddr>,
    /// Id of the request.
    pub(crate) request: Uuid,
}

/// What an API token allows, at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grant {
    pub(crate) token: TokenId,
    pub(crate) role: Role,
    /// The project in which it works.
    pub(crate) project: ProjectId,
}

/// Who wants something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor {
    pub(crate) user: UserId,
    /// With an API token; `None`: with a session.
    pub(crate) grant: Option<Grant>,
    pub(crate) origin: Origin,
}

impl Actor {
    /// An entry of the audit log: this actor did that now, to the thing of this kind and id.
    pub(crate) fn did(
        &self,
        app: &App,
        verb: &'static str,
        kind: &'static str,
        id: &impl ToString,
        project: Option<ProjectId>,
    ) -> AuditEntry {
        AuditEntry {
            id: AuditId::generate(),
            at: app.now(),
            actor: self
                .grant
                .map_or(AuditActor::User(self.user), |grant| AuditActor::Token {
                    user: self.user,
                    token: grant.token,
                }),
            verb: verb.into(),
            object_kind: kind.into(),
            object_id: id.to_string(),
            project,
            address: self.origin.address,
            request: Some(self.origin.request),
            before: None,
            after: None,
        }
    }

    /// The same about a bot.
    pub(crate) fn did_to_bot(
        &self,
        app: &App,
        verb: &'static str,
        bot: &BotId,
        project: ProjectId,
    ) -> AuditEntry {
        self.did(app, verb, object::BOT, bot, Some(project))
    }
}

/// An entry of the audit log about what the settings of the installation did.
pub(crate) fn system_did(
    app: &App,
    verb: &'static str,
    kind: &'static str,
    id: &impl ToString,
    project: ProjectId,
) -> AuditEntry {
    AuditEntry {
        id: AuditId::generate(),
        at: app.now(),
        actor: AuditActor::System,
        verb: verb.into(),
        object_kind: kind.into(),
        object_id: id.to_string(),
        project: Some(project),
        address: None,
        request: None,
        before: None,
        after: None,
    }
}
