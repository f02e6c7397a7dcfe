//! At which OpenID provider people log in.

use botloom_control_plane::{Authorities, OidcOptions};
use botloom_core::Secret;
use botloom_core::model::Role;
use botloom_core::ports::ProjectKey;
use url::Url;

use super::{ConfigError, Reader, invalid};

const ISSUER: &str = "BOTLOOM_OIDC_ISSUER";
const CA_FILE: &str = "BOTLOOM_OIDC_CA_FILE";
/// Settings that say nothing without a provider.
const BESIDE: [&str; 5] = [
    "BOTLOOM_OIDC_CLIENT_ID",
    "BOTLOOM_OIDC_CLIENT_SECRET",
    "BOTLOOM_OIDC_ALLOWED_DOMAINS",
    "BOTLOOM_OIDC_JOIN_PROJECT",
    CA_FILE,
];

/// The provider, if one is named. Half of the settings is refused.
pub(super) fn read(read: &Reader<'_>, public_url: Option<&Url>) -> Result<Option<OidcOptions>, ConfigError> {
    let Some(issuer) = read.optional(ISSUER) else {
        return match BESIDE.into_iter().find(|key| read.optional(key).is_some()) {
            Some(key) => Err(invalid(ISSUER, format!("is missing: {key} is set"))),
            None => Ok(None),
        };
    };
    if !OidcOptions::is_issuer(&issuer) {
        return Err(invalid(
            ISSUER,
            "must be an https URL without query and fragment (http on loopback)",
        ));
    }
    if public_url.is_none() {
        return Err(invalid(
            "BOTLOOM_PUBLIC_URL",
            "is missing: the OpenID provider sends people back to it",
        ));
    }
    let needed = |key: &'static str| {
        read.optional(key)
            .ok_or_else(|| invalid(key, format!("is missing: {ISSUER} is set")))
    };
    let allowed_domains = domains(&read.text("BOTLOOM_OIDC_ALLOWED_DOMAINS"))?;
    let join = join(read, &allowed_domains)?;
    Ok(Some(OidcOptions {
        issuer,
        authorities: authorities(read)?,
        client_id: needed("BOTLOOM_OIDC_CLIENT_ID")?,
        client_secret: Secret::new(needed("BOTLOOM_OIDC_CLIENT_SECRET")?),
        scopes: scopes(&read.text("BOTLOOM_OIDC_SCOPES"))?,
        name: name(read)?,
        allowed_domains,
        join,
    }))
}

/// Whether passwords log in. Without them and without a provider nobody could.
pub(super) fn password_login(read: &Reader<'_>, oidc: Option<&OidcOptions>) -> Result<bool, ConfigError> {
    let key = "BOTLOOM_PASSWORD_LOGIN";
    match read.text(key).as_str() {
        "on" => Ok(true),
        "off" if oidc.is_some() => Ok(false),
        "off" => Err(invalid(
            key,
            format!("must be on: without {ISSUER} nobody could log in"),
        )),
        _ => Err(invalid(key, "must be on or off")),
    }
}

fn authorities(read: &Reader<'_>) -> Result<Authorities, ConfigError> {
    let Some(path) = read.optional(CA_FILE) else {
        return Ok(Authorities::public());
    };
    let pem = std::fs::read(&path);
    let pem = pem.map_err(|error| invalid(CA_FILE, format!("{path} cannot be read: {error}")))?;
    Authorities::with_pem(&pem).map_err(|error| invalid(CA_FILE, format!("{path} {error}")))
}

fn scopes(text: &str) -> Result<Vec<String>, ConfigError> {
    let scopes: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if scopes.iter().any(|scope| scope == "openid") {
        Ok(scopes)
    } else {
        Err(invalid("BOTLOOM_OIDC_SCOPES", "must name openid"))
    }
}

fn name(read: &Reader<'_>) -> Result<String, ConfigError> {
    let key = "BOTLOOM_OIDC_NAME";
    let name = read.text(key).trim().to_owned();
    if (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        Ok(name)
    } else {
        Err(invalid(key, "must have 1 to 64 characters"))
    }
}

fn domains(text: &str) -> Result<Vec<String>, ConfigError> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let sound = name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
            if sound && !name.starts_with('.') && !name.ends_with('.') {
                Ok(name.to_lowercase())
            } else {
                Err(invalid(
                    "BOTLOOM_OIDC_ALLOWED_DOMAINS",
                    "must be domains like example.com, separated by commas",
                ))
            }
        })
        .collect()
}

fn join(read: &Reader<'_>, domains: &[String]) -> Result<Option<(ProjectKey, Role)>, ConfigError> {
    let role = match read.text("BOTLOOM_OIDC_JOIN_ROLE").as_str() {
        "viewer" => Role::Viewer,
        "editor" => Role::Editor,
        _ => return Err(invalid("BOTLOOM_OIDC_JOIN_ROLE", "must be viewer or editor")),
    };
    let project = read.optional("BOTLOOM_OIDC_JOIN_PROJECT");
    if project.is_some() && domains.is_empty() {
        return Err(invalid(
            "BOTLOOM_OIDC_ALLOWED_DOMAINS",
            "is missing: BOTLOOM_OIDC_JOIN_PROJECT is set, and nobody would join it",
        ));
    }
    Ok(project.map(|text| (ProjectKey::from(&*text), role)))
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Layers};
    use super::*;

    const WHOLE: [(&str, &str); 4] = [
        (ISSUER, "https://login.example.com"),
        ("BOTLOOM_OIDC_CLIENT_ID", "botloom"),
        ("BOTLOOM_OIDC_CLIENT_SECRET", "canary"),
        ("BOTLOOM_PUBLIC_URL", "https://bots.example.com"),
    ];

    fn config(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let env: Vec<_> = pairs
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect();
        let layers = Layers::read(None, env.into_iter()).map_err(|error| error.to_string())?;
        Config::from_layers(&layers).map_err(|error| error.to_string())
    }

    fn with(more: &[(&'static str, &'static str)]) -> Result<Config, String> {
        config(&[&WHOLE[..], more].concat())
    }

    #[test]
    fn a_provider_is_read_and_its_secret_never_printed() {
        let config = with(&[
            ("BOTLOOM_OIDC_ALLOWED_DOMAINS", "Corp.example, b.example"),
            ("BOTLOOM_OIDC_JOIN_PROJECT", "default"),
            ("BOTLOOM_OIDC_JOIN_ROLE", "editor"),
            ("BOTLOOM_PASSWORD_LOGIN", "off"),
        ])
        .unwrap();
        let oidc = config.oidc.as_ref().unwrap();
        assert_eq!(oidc.scopes, ["openid", "email", "profile"]);
        assert_eq!(oidc.allowed_domains, ["corp.example", "b.example"]);
        assert_eq!(
            oidc.join,
            Some((ProjectKey::Name("default".to_owned()), Role::Editor))
        );
        assert!(!config.password_login);
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn half_of_it_is_refused_by_the_name_of_what_is_missing() {
        for (missing, _) in WHOLE {
            let some: Vec<_> = WHOLE.into_iter().filter(|(key, _)| *key != missing).collect();
            let error = config(&some).unwrap_err();
            assert!(error.starts_with(&format!("{missing}: is missing")), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
        for (key, text) in [
            ("BOTLOOM_OIDC_ALLOWED_DOMAINS", "a.example"),
            ("BOTLOOM_OIDC_JOIN_PROJECT", "default"),
            (CA_FILE, "ca.pem"),
        ] {
            let error = config(&[(key, text)]).unwrap_err();
            assert!(error.starts_with("BOTLOOM_OIDC_ISSUER: is missing"), "{error}");
        }
        let error = with(&[("BOTLOOM_OIDC_JOIN_PROJECT", "default")]).unwrap_err();
        assert!(error.starts_with("BOTLOOM_OIDC_ALLOWED_DOMAINS"), "{error}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (key, text) in [
            (ISSUER, "http://login.example.com"),
            (ISSUER, "https://login.example.com?x"),
            (ISSUER, "login"),
            ("BOTLOOM_OIDC_SCOPES", "email"),
            ("BOTLOOM_OIDC_NAME", "a\nb"),
            ("BOTLOOM_OIDC_ALLOWED_DOMAINS", "@corp.example"),
            ("BOTLOOM_OIDC_ALLOWED_DOMAINS", "*"),
            ("BOTLOOM_OIDC_JOIN_ROLE", "owner"),
            (CA_FILE, "does-not-exist.pem"),
            (CA_FILE, concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
        ] {
            let error = with(&[(key, text)]).unwrap_err();
            assert!(error.starts_with(key), "{key}={text}: {error}");
        }
        let here = with(&[(ISSUER, "http://127.0.0.1:9000")]).unwrap();
        assert!(here.oidc.is_some());
    }
}
