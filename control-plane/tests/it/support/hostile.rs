//! A provider that answers whatever a test wants: tokens of its own making over a real socket.

use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use ring::{hmac, signature};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use super::provider::{CLIENT_ID, CLIENT_SECRET};

/// How the next token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signing {
    Es256,
    EdDsa,
    /// Not at all.
    None,
    /// With the text of the public key as the secret of an HMAC.
    PublicKeyAsSecret,
    /// With the client's secret as the secret of an HMAC.
    ClientSecret,
    /// With a key that is not published, under the name of one that is.
    ForeignKey,
}

/// What a test wants.
pub(crate) struct Plan {
    pub(crate) signing: Signing,
    /// Goes over the claims of an honest token; `null` leaves one out.
    pub(crate) claims: Value,
    /// Goes over the metadata.
    pub(crate) metadata: Value,
    /// Goes over the query that leads back.
    pub(crate) back: Vec<(&'static str, &'static str)>,
    /// Every request fails.
    pub(crate) down: bool,
    /// Seconds since 1970 that its clock shows.
    pub(crate) now: i64,
    /// Requests for metadata so far.
    pub(crate) discoveries: usize,
    nonce: String,
}

pub(crate) struct Hostile {
    pub(crate) issuer: String,
    pub(crate) plan: Arc<Mutex<Plan>>,
}

struct Keys {
    es256: EcdsaKeyPair,
    foreign: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

#[derive(Clone)]
struct Shared {
    issuer: String,
    keys: Arc<Keys>,
    plan: Arc<Mutex<Plan>>,
}

impl Hostile {
    pub(crate) async fn start(now: i64) -> Self {
        let random = SystemRandom::new();
        let ecdsa = || {
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap()
        };
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let keys = Arc::new(Keys {
            es256: ecdsa(),
            foreign: ecdsa(),
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap(),
        });
        let plan = Arc::new(Mutex::new(Plan {
            signing: Signing::Es256,
            claims: json!({}),
            metadata: json!({}),
            back: Vec::new(),
            down: false,
            now,
            discoveries: 0,
            nonce: String::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared {
            issuer: issuer.clone(),
            keys,
            plan: plan.clone(),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(shared);
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { issuer, plan }
    }

    pub(crate) fn plan(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan.lock().unwrap());
    }
}

fn merged(mut base: Value, over: &Value) -> Value {
    let map = base.as_object_mut().unwrap();
    for (key, value) in over.as_object().unwrap() {
        if value.is_null() {
            map.remove(key);
        } else {
            map.insert(key.clone(), value.clone());
        }
    }
    base
}

async fn metadata(State(shared): State<Shared>) -> Response {
    let mut plan = shared.plan.lock().unwrap();
    plan.discoveries += 1;
    if plan.down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let issuer = &shared.issuer;
    let honest = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        // It would like to be trusted with everything.
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA", "HS256", "none"],
    });
    Json(merged(honest, &plan.metadata)).into_response()
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

async fn jwks(State(shared): State<Shared>) -> Json<Value> {
    let point = shared.keys.es256.public_key().as_ref();
    Json(json!({ "keys": [
        { "kty": "EC", "use": "sig", "kid": "es", "alg": "ES256", "crv": "P-256",
          "x": text(&point[1..33]), "y": text(&point[33..]) },
        { "kty": "OKP", "use": "sig", "kid": "ed", "alg": "EdDSA", "crv": "Ed25519",
          "x": text(shared.keys.ed25519.public_key().as_ref()) },
    ] }))
}

async fn authorize(State(shared): State<Shared>, Query(query): Query<Vec<(String, String)>>) -> Redirect {
    let of = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name);
        found.unwrap_or_else(|| panic!("{name} in the request")).1.clone()
    };
    assert_eq!(of("code_challenge_method"), "S256");
    assert_eq!(
        (of("response_type").as_str(), of("client_id").as_str()),
        ("code", CLIENT_ID)
    );
    let mut plan = shared.plan.lock().unwrap();
    plan.nonce = of("nonce");
    let mut back = Url::parse(&of("redirect_uri")).unwrap();
    let mut pairs = vec![("code", "a-code".to_owned()), ("state", of("state"))];
    for (name, value) in &plan.back {
        pairs.retain(|(present, _)| present != name);
        if !value.is_empty() {
            pairs.push((name, (*value).to_owned()));
        }
    }
    back.query_pairs_mut().extend_pairs(pairs);
    Redirect::to(back.as_str())
}

async fn token(State(shared): State<Shared>) -> Response {
    let plan = shared.plan.lock().unwrap();
    if plan.down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let claims = json!({
        "iss": shared.issuer,
        "aud": CLIENT_ID,
        "sub": "ada",
        "iat": plan.now,
        "exp": plan.now + 300,
        "nonce": plan.nonce,
        "email": "ada@corp.example",
        "email_verified": true,
    });
    let token = shared.keys.sign(plan.signing, &merged(claims, &plan.claims));
    Json(json!({ "access_token": "canary-access", "token_type": "Bearer", "id_token": token }))
        .into_response()
}

impl Keys {
    fn sign(&self, signing: Signing, claims: &Value) -> String {
        let (algorithm, key) = match signing {
            Signing::Es256 | Signing::ForeignKey => ("ES256", "es"),
            Signing::EdDsa => ("EdDSA", "ed"),
            Signing::None => ("none", "es"),
            Signing::PublicKeyAsSecret | Signing::ClientSecret => ("HS256", "es"),
        };
        let header = json!({ "alg": algorithm, "kid": key });
        let signed = format!(
            "{}.{}",
            text(header.to_string().as_bytes()),
            text(claims.to_string().as_bytes())
        );
        let ecdsa = |key: &EcdsaKeyPair| {
            let made: signature::Signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            text(made.as_ref())
        };
        let mac = |secret: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            text(hmac::sign(&key, signed.as_bytes()).as_ref())
        };
        let signature = match signing {
            Signing::Es256 => ecdsa(&self.es256),
            Signing::ForeignKey => ecdsa(&self.foreign),
            Signing::EdDsa => text(self.ed25519.sign(signed.as_bytes()).as_ref()),
            Signing::None => String::new(),
            Signing::PublicKeyAsSecret => mac(self.es256.public_key().as_ref()),
            Signing::ClientSecret => mac(CLIENT_SECRET.as_bytes()),
        };
        format!("{signed}.{signature}")
    }
}
