//! At which provider people log in, and who gets an account by it.

use botloom_core::Secret;
use botloom_core::model::Role;
use botloom_core::ports::ProjectKey;
use url::{Host, Url};

use super::Authorities;
use crate::options::InvalidOptions;

/// An OpenID provider, and who may come in by it.
#[derive(Debug, Clone)]
pub struct OidcOptions {
    /// The provider's name for itself, exactly as it writes it (`BOTLOOM_OIDC_ISSUER`). `https`, or `http` on loopback.
    pub issuer: String,
    /// Who may vouch for the provider's certificate (`BOTLOOM_OIDC_CA_FILE`).
    pub authorities: Authorities,
    /// How the provider knows this installation (`BOTLOOM_OIDC_CLIENT_ID`).
    pub client_id: String,
    /// The secret that goes with it (`BOTLOOM_OIDC_CLIENT_SECRET`).
    pub client_secret: Secret,
    /// What is asked for (`BOTLOOM_OIDC_SCOPES`), `openid` among it.
    pub scopes: Vec<String>,
    /// What people call the provider (`BOTLOOM_OIDC_NAME`).
    pub name: String,
    /// Domains whose people get an account by their first login (`BOTLOOM_OIDC_ALLOWED_DOMAINS`), in lower case. Empty:
    /// nobody does without an invitation.
    pub allowed_domains: Vec<String>,
    /// The project that such people join, and their role in it (`BOTLOOM_OIDC_JOIN_PROJECT`, `BOTLOOM_OIDC_JOIN_ROLE`).
    pub join: Option<(ProjectKey, Role)>,
}

impl OidcOptions {
    pub(super) fn check(&self) -> Result<(), InvalidOptions> {
        if !Self::is_issuer(&self.issuer) {
            Err(InvalidOptions(
                "the issuer must be an https URL without query and fragment; http is for loopback",
            ))
        } else if self.client_id.is_empty() || self.client_secret.expose().is_empty() {
            Err(InvalidOptions("an identity provider needs client id and secret"))
        } else if !self.scopes.iter().any(|scope| scope == "openid") {
            Err(InvalidOptions("the scopes must name openid"))
        } else if self.join.as_ref().is_some_and(|(_, role)| *role == Role::Owner) {
            Err(InvalidOptions("nobody becomes an owner by a login"))
        } else {
            Ok(())
        }
    }

    /// Whether a text can name an issuer that is safe to ask (OpenID Connect Discovery 1.0, section 3); `http` only where
    /// nobody can listen.
    pub fn is_issuer(text: &str) -> bool {
        Url::parse(text).is_ok_and(|url| {
            let protected = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
            protected && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
        })
    }

    /// Whether people with this e-mail address get an account by their first login.
    pub(crate) fn allows(&self, email: &str) -> bool {
        let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        domain.is_some_and(|domain| self.allowed_domains.contains(&domain))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(issuer: &str) -> OidcOptions {
        OidcOptions {
            issuer: issuer.to_owned(),
            authorities: Authorities::public(),
            client_id: "id".to_owned(),
            client_secret: Secret::new("canary"),
            scopes: vec!["openid".to_owned()],
            name: "SSO".to_owned(),
            allowed_domains: vec!["corp.example".to_owned()],
            join: None,
        }
    }

    #[test]
    fn an_issuer_is_https_or_here() {
        for good in [
            "https://login.example/realms/x",
            "http://127.0.0.1:9000",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(options(good).check().is_ok(), "{good}");
        }
        for bad in [
            "",
            "login.example",
            "http://login.example",
            "https://a?b",
            "https://a#b",
            "ftp://a",
        ] {
            assert!(options(bad).check().is_err(), "{bad}");
        }
        assert!(!format!("{:?}", options("https://a")).contains("canary"));
    }

    #[test]
    fn a_domain_is_the_whole_part_behind_the_last_at() {
        let options = options("https://a");
        for good in ["ada@corp.example", "ADA@Corp.Example", "a@b@corp.example"] {
            assert!(options.allows(good), "{good}");
        }
        for bad in [
            "ada@sub.corp.example",
            "ada@corp.example.org",
            "ada@notcorp.example",
            "corp.example",
            "ada@corp.example@evil.example",
        ] {
            assert!(!options.allows(bad), "{bad}");
        }
    }
}
