//! What a role may do in a project: the one table.

use botloom_core::model::Role;

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// See bots, versions, revisions, deployments, events, chats, dead letters, analytics.
    Read,
    /// Make a bot in the project.
    CreateBot,
    /// Rename a bot.
    EditBot,
    /// Post versions of a spec.
    PostSpec,
    /// Build revisions.
    Generate,
    /// Deploy and roll back.
    Deploy,
    /// Connect a bot to Telegram, or take it off.
    Connect,
    /// Pause a bot, or let it go on.
    Pause,
    /// Replay and discard dead letters.
    HandleDeadLetters,
    /// Let a simulated bot call real services.
    SimulateLive,
    /// See what chats remember, make them forget it, help those that are stuck.
    HandleChats,
    /// Leave the project.
    Leave,
    /// Make, list and revoke API tokens of the project.
    ManageTokens,
    /// Invite people, change their roles, remove them.
    ManageMembers,
    /// See who did what.
    ReadAudit,
    /// Give a bot its Telegram token.
    SetToken,
    /// Delete a bot with everything that it knows.
    DeleteBot,
    /// Take a copy of a bot with everything that it knows.
    ExportBot,
    /// Rename a project, or delete it.
    ManageProject,
}

impl Action {
    /// The least role that may do it.
    pub(crate) const fn needs(self) -> Role {
        match self {
            Self::Read | Self::Leave => Role::Viewer,
            Self::CreateBot
            | Self::EditBot
            | Self::PostSpec
            | Self::Generate
            | Self::Deploy
            | Self::Connect
            | Self::Pause
            | Self::HandleDeadLetters
            | Self::HandleChats
            | Self::SimulateLive => Role::Editor,
            Self::ManageTokens
            | Self::ManageMembers
            | Self::ReadAudit
            | Self::SetToken
            | Self::DeleteBot
            | Self::ExportBot
            | Self::ManageProject => Role::Owner,
        }
    }
}

/// Whether a member of this role may do it.
pub(crate) fn allows(role: Role, action: Action) -> bool {
    role >= action.needs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_includes_the_ones_below() {
        use Action::{Connect, DeleteBot, Deploy, PostSpec, Read, SetToken};
        let allowed =
            |role| [Read, PostSpec, Deploy, Connect, SetToken, DeleteBot].map(|action| allows(role, action));
        assert_eq!(allowed(Role::Viewer), [true, false, false, false, false, false]);
        assert_eq!(allowed(Role::Editor), [true, true, true, true, false, false]);
        assert_eq!(allowed(Role::Owner), [true; 6]);
    }
}
