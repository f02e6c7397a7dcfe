//! The provider: its metadata and keys, where people are sent, and what comes back.

use std::fmt;
use std::sync::Arc;

use botloom_core::TimestampMs;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreIdToken,
    CoreIdTokenClaims, CoreJwsSigningAlgorithm as Alg, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, SubjectIdentifier,
    TokenResponse,
};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::http::{Http, HttpError};
use super::{AttemptSecret, OidcError, OidcOptions};
use crate::options::InvalidOptions;

/// Metadata and keys are fetched again after so long: an hour.
const FRESH_MS: i64 = 3_600_000;
/// Without an answer, what was fetched last holds so long: a day.
const STALE_MS: i64 = 24 * FRESH_MS;
/// After a failure the provider is left alone so long.
const PAUSE_MS: i64 = 2_000;
/// Keys are not fetched more often than this because of an ID token whose key is not among them.
const KEYS_MS: i64 = 10_000;
/// How much the clocks of the provider and of this node may differ, seconds.
const SKEW_SECS: i64 = 60;
/// Longest subject (OpenID Connect Core 1.0, section 2).
const MAX_SUBJECT: usize = 255;
/// Signatures that are accepted: those that only the provider can make. `none` and the HMACs are not among them.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Who logged in, as the provider vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    /// Whether the provider says that the address is theirs.
    pub(crate) vouched: bool,
}

/// What was fetched of the provider.
#[derive(Clone)]
struct Found {
    metadata: Arc<CoreProviderMetadata>,
    at: TimestampMs,
}

#[derive(Default)]
struct Cache {
    found: Option<Found>,
    failed_at: Option<TimestampMs>,
}

/// The provider of the settings.
pub(crate) struct Provider {
    pub(crate) options: OidcOptions,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    http: Http,
    /// Held while fetching, so that many logins make one request.
    cache: Mutex<Cache>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// Nothing is fetched yet: a provider that is away must not keep a node from starting.
    pub(crate) fn new(options: OidcOptions, public_url: Option<&Url>) -> Result<Self, InvalidOptions> {
        options.check()?;
        let public = public_url.ok_or(InvalidOptions("an identity provider needs the public URL"))?;
        let redirect = format!("{}/auth/oidc/callback", public.as_str().trim_end_matches('/'));
        let invalid = |_| InvalidOptions("the public URL or the issuer cannot be read");
        let issuer = IssuerUrl::new(options.issuer.clone()).map_err(invalid)?;
        let http = Http::new(issuer.url().scheme() == "https", &options.authorities);
        Ok(Self {
            redirect: RedirectUrl::new(redirect).map_err(invalid)?,
            issuer,
            http,
            options,
            cache: Mutex::default(),
        })
    }

    /// Where to send somebody who wants to log in.
    pub(crate) async fn authorization_url(
        &self,
        secret: &AttemptSecret,
        now: TimestampMs,
    ) -> Result<Url, OidcError> {
        let found = self.found(now).await?;
        let client = self.client(&found);
        let (state, nonce) = (secret.state(), secret.nonce());
        let verifier = PkceCodeVerifier::new(secret.verifier());
        // The library adds `openid` itself.
        let scopes = self.options.scopes.iter().filter(|scope| *scope != "openid");
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scopes(scopes.cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        if url.scheme() != "https" && self.issuer.url().scheme() == "https" {
            return Err(OidcError::Unavailable(HttpError::Unprotected.to_string()));
        }
        Ok(url)
    }

    /// Exchanges the code of an answer, and checks what the provider vouches for.
    pub(crate) async fn redeem(
        &self,
        code: &str,
        secret: &AttemptSecret,
        now: TimestampMs,
    ) -> Result<Verified, OidcError> {
        let found = self.found(now).await?;
        let client = self.client(&found);
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| OidcError::Unavailable("it names no token endpoint".into()))?
            .set_pkce_verifier(PkceCodeVerifier::new(secret.verifier()))
            .request_async(&self.http)
            .await
            .map_err(token_error)?;
        let token = answer
            .id_token()
            .ok_or_else(|| OidcError::Untrusted("there is no ID token".into()))?;
        let nonce = secret.nonce();
        let claims = match Self::judge(token, &client, &nonce, now) {
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                // Keys change: the newest may know this one.
                let found = self.newer(&found, now).await?;
                Self::judge(token, &self.client(&found), &nonce, now)
            }
            judged => judged,
        };
        let claims = claims.map_err(|error| OidcError::Untrusted(error.to_string()))?;
        self.check_parties(&claims)?;
        self.verified(&claims, &client, answer.access_token()).await
    }

    /// Checks an ID token (OpenID Connect Core 1.0, section 3.1.3.7) against one set of keys.
    fn judge(
        token: &CoreIdToken,
        client: &Client,
        nonce: &str,
        now: TimestampMs,
    ) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
        let secs = now.0.div_euclid(1000);
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || instant(secs - SKEW_SECS))
            .set_issue_time_verifier_fn(move |issued| {
                if issued > instant(secs + SKEW_SECS) {
                    Err("it is from the future".to_owned())
                } else {
                    Ok(())
                }
            });
        let same = |told: Option<&Nonce>| {
            let told = told.map_or("", |nonce| nonce.secret());
            if told.as_bytes().ct_eq(nonce.as_bytes()).into() {
                Ok(())
            } else {
                Err("it is not that of this login".to_owned())
            }
        };
        token.claims(&verifier, same).cloned()
    }

    /// The party that the token was made for is us. The library leaves this one to its users.
    fn check_parties(&self, claims: &CoreIdTokenClaims) -> Result<(), OidcError> {
        let party = claims.authorized_party().map(|party| party.as_str());
        match party {
            Some(party) if party != self.options.client_id => {
                Err(OidcError::Untrusted("azp names another client".into()))
            }
            _ if claims.subject().len() > MAX_SUBJECT || claims.subject().is_empty() => {
                Err(OidcError::Untrusted("sub has no proper length".into()))
            }
            _ => Ok(()),
        }
    }

    /// What the token says, and what only the UserInfo endpoint tells of the address.
    async fn verified(
        &self,
        claims: &CoreIdTokenClaims,
        client: &Client,
        access: &AccessToken,
    ) -> Result<Verified, OidcError> {
        let mut verified = Verified {
            issuer: self.options.issuer.clone(),
            subject: claims.subject().to_string(),
            email: claims.email().map(|email| email.to_string()),
            vouched: claims.email_verified() == Some(true),
        };
        if verified.email.is_none() {
            let subject: SubjectIdentifier = claims.subject().clone();
            // Providers without the endpoint say what they say in the token.
            if let Ok(request) = client.user_info(access.clone(), Some(subject)) {
                let told: Result<CoreUserInfoClaims, _> = request.request_async(&self.http).await;
                if let Ok(told) = told {
                    verified.email = told.email().map(|email| email.to_string());
                    verified.vouched = told.email_verified() == Some(true);
                } else {
                    // Who they are is known without it. Only newcomers need an address, and are told that it is missing.
                    tracing::warn!("UserInfo cannot be read");
                }
            }
        }
        Ok(verified)
    }

    fn client(&self, found: &Found) -> Client {
        let metadata = found.metadata.as_ref().clone();
        let methods = metadata.token_endpoint_auth_methods_supported();
        // Basic is the default of the specification, where nothing is said too.
        let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let auth = if basic {
            AuthType::BasicAuth
        } else {
            AuthType::RequestBody
        };
        CoreClient::from_provider_metadata(
            metadata,
            ClientId::new(self.options.client_id.clone()),
            Some(ClientSecret::new(self.options.client_secret.expose().to_owned())),
        )
        .set_redirect_uri(self.redirect.clone())
        .set_auth_type(auth)
    }

    /// Metadata and keys, fetched within the hour.
    async fn found(&self, now: TimestampMs) -> Result<Found, OidcError> {
        let mut cache = self.cache.lock().await;
        if let Some(found) = &cache.found
            && now.since(found.at) < FRESH_MS
        {
            return Ok(found.clone());
        }
        if cache.failed_at.is_none_or(|at| now.since(at) >= PAUSE_MS) {
            let began = Instant::now();
            match self.fetch(now).await {
                Ok(found) => {
                    *cache = Cache {
                        found: Some(found.clone()),
                        failed_at: None,
                    };
                    return Ok(found);
                }
                Err(error) => {
                    tracing::warn!(%error, "the identity provider's metadata cannot be fetched");
                    // From now on: a provider that hangs takes longer than the pause.
                    let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(PAUSE_MS);
                    cache.failed_at = Some(now.plus(took));
                }
            }
        }
        let stale = cache
            .found
            .as_ref()
            .filter(|found| now.since(found.at) < STALE_MS);
        stale
            .cloned()
            .ok_or_else(|| OidcError::Unavailable("its metadata cannot be fetched".into()))
    }

    /// Newer keys than these, if it is not too soon to ask for them; else these.
    async fn newer(&self, seen: &Found, now: TimestampMs) -> Result<Found, OidcError> {
        let mut cache = self.cache.lock().await;
        if let Some(found) = &cache.found
            && found.at > seen.at
        {
            return Ok(found.clone());
        }
        if now.since(seen.at) < KEYS_MS {
            return Ok(seen.clone());
        }
        let found = self.fetch(now).await?;
        cache.found = Some(found.clone());
        Ok(found)
    }

    async fn fetch(&self, now: TimestampMs) -> Result<Found, OidcError> {
        let found = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = found.map_err(|error| OidcError::Unavailable(discovery_error(&error)))?;
        Ok(Found {
            metadata: Arc::new(metadata),
            at: now,
        })
    }
}

/// The type of the library's clock; seconds that it cannot hold are those of a broken clock.
fn instant(secs: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(secs, 0).unwrap_or_default()
}

fn discovery_error(error: &DiscoveryError<HttpError>) -> String {
    match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Response(status, _, what) => format!("status {status}: {what}"),
        error => error.to_string(),
    }
}

type TokenError = RequestTokenError<HttpError, openidconnect::StandardErrorResponse<CoreErrorResponseType>>;

/// Keeps what may hold tokens out of errors and logs.
fn token_error(error: TokenError) -> OidcError {
    match error {
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                OidcError::Unavailable("it does not accept client id and secret of the settings".into())
            }
            error => OidcError::Refused(shown(error.as_ref())),
        },
        RequestTokenError::Request(error) => OidcError::Unavailable(error.to_string()),
        RequestTokenError::Parse(_, _) | RequestTokenError::Other(_) => {
            OidcError::Unavailable("its token answer cannot be read".into())
        }
    }
}

/// An error code (RFC 6749, section 4.1.2.1) as it may be shown: letters, digits, `_` and `-`.
pub(crate) fn shown(code: &str) -> String {
    let known = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let text: String = code.chars().filter(known).take(64).collect();
    if text.is_empty() {
        "an error".to_owned()
    } else {
        text
    }
}
