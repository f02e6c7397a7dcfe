//! Why a login at an identity provider did not succeed.

use botloom_core::{Coded, Kind};

use crate::code::{self, Code};

/// Why a login at an identity provider did not succeed. Details hold no codes, tokens or secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// The settings name no provider.
    #[error("no identity provider is set")]
    NotConfigured,
    /// The provider does not answer, or not as one does.
    #[error("the identity provider is of no use: {0}")]
    Unavailable(String),
    /// No login of this browser is under way, or not any more, or the answer belongs to another one.
    #[error("no such login is under way in this browser")]
    AttemptInvalid,
    /// The provider says no, with this error code.
    #[error("the identity provider refused: {0}")]
    Refused(String),
    /// What the provider answered cannot be trusted.
    #[error("the identity provider's answer is not valid: {0}")]
    Untrusted(String),
    /// No account is linked with the identity, and no rule makes one.
    #[error("no account is linked with the identity")]
    NotLinked,
    /// The provider tells no e-mail address that an account can be made with.
    #[error("the e-mail address is of no use: {0}")]
    EmailUnusable(&'static str),
    /// Another account has the e-mail address.
    #[error("another account has the e-mail address")]
    EmailTaken,
    /// Another account has the identity.
    #[error("another account has the identity")]
    IdentityTaken,
    /// The account has another identity of this provider.
    #[error("the account has another identity")]
    HasAnother,
}

impl OidcError {
    pub(crate) fn entry(&self) -> Code {
        match self {
            Self::NotConfigured => code::OIDC_NOT_CONFIGURED,
            Self::Unavailable(_) => code::OIDC_UNAVAILABLE,
            Self::AttemptInvalid => code::OIDC_ATTEMPT_INVALID,
            Self::Refused(_) => code::OIDC_REFUSED,
            Self::Untrusted(_) => code::OIDC_ANSWER_INVALID,
            Self::NotLinked => code::OIDC_NOT_LINKED,
            Self::EmailUnusable(_) => code::OIDC_EMAIL_UNUSABLE,
            Self::EmailTaken => code::EMAIL_TAKEN,
            Self::IdentityTaken | Self::HasAnother => code::IDENTITY_TAKEN,
        }
    }
}

impl Coded for OidcError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotConfigured => Kind::NotFound,
            Self::Unavailable(_) => Kind::Unavailable,
            Self::AttemptInvalid => Kind::Invalid,
            Self::Refused(_) | Self::Untrusted(_) | Self::NotLinked | Self::EmailUnusable(_) => {
                Kind::Forbidden
            }
            Self::EmailTaken | Self::IdentityTaken | Self::HasAnother => Kind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        self.entry().slug
    }

    fn outside(&self) -> String {
        match self {
            Self::NotConfigured => "People log in with e-mail and password here.".into(),
            Self::Unavailable(_) => "The identity provider does not answer as it should; try again later.".into(),
            Self::AttemptInvalid => {
                "The login took longer than 10 minutes, was finished before, or began in another browser; begin again."
                    .into()
            }
            Self::Refused(error) => format!("The identity provider answered {error}."),
            Self::Untrusted(_) => {
                "The identity provider's answer cannot be trusted; the request id helps to find out why.".into()
            }
            Self::NotLinked => {
                "No account belongs to this identity. Ask for an invitation, or log in with your password and link it."
                    .into()
            }
            Self::EmailUnusable(what) => (*what).into(),
            Self::EmailTaken => {
                "There is an account with your e-mail address. If it is yours, log in to it and link this identity.".into()
            }
            Self::IdentityTaken => "This identity is linked with another account.".into(),
            Self::HasAnother => "Your account is linked with another identity of this provider; unlink that first.".into(),
        }
    }
}
