//! Every route × everybody who may call it: the expectation comes from the declaration beside the route, the routes from
//! the document that the router makes. A route without a declaration or without a request fails.

mod requests;

use botloom_control_plane::openapi_json;
use botloom_core::model::Role;
use botloom_telegram::Token;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use self::requests::{Request, World};
use crate::support::{Client, Server, Setup};

/// Who may call a route, as declared beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Everybody.
    Public,
    /// Everybody who is known, by session or token.
    Account,
    /// Persons with a session.
    Session,
    /// Members of the project with at least this role.
    Role(Role),
    /// Such members with a session.
    RoleInSession(Role),
}

impl Access {
    fn of(operation: &Value) -> Option<Self> {
        match operation["x-botloom-access"].as_str()? {
            "public" => Some(Self::Public),
            "account" => Some(Self::Account),
            "session" => Some(Self::Session),
            role => match role.strip_suffix("-session") {
                Some(role) => role.parse().ok().map(Self::RoleInSession),
                None => role.parse().ok().map(Self::Role),
            },
        }
    }
}

/// Somebody who calls.
struct Caller {
    name: &'static str,
    client: Client,
    /// The role in the project that the requests are about.
    role: Option<Role>,
    token: bool,
    known: bool,
}

impl Caller {
    /// What the caller is to be told; `success`: what the request does for those who may.
    fn expects(&self, access: Access, success: u16) -> (u16, Option<&'static str>) {
        match access {
            Access::Public => (success, None),
            _ if !self.known => (401, Some("unauthenticated")),
            Access::Session | Access::RoleInSession(_) if self.token => (403, Some("session-required")),
            Access::Account | Access::Session => (success, None),
            Access::Role(least) | Access::RoleInSession(least) => match self.role {
                None => (404, Some("not-found")),
                Some(role) if role < least => (403, Some("forbidden")),
                Some(_) => (success, None),
            },
        }
    }
}

fn operations() -> Vec<(Method, String, Access)> {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let access = Access::of(operation)
                .unwrap_or_else(|| panic!("{method} {path} does not declare who may call it"));
            let open = operation["security"] == json!([{}]);
            assert_eq!(access == Access::Public, open, "{method} {path} in the document");
            all.push((method.to_uppercase().parse().unwrap(), path.clone(), access));
        }
    }
    // What ends the caller's own session comes last.
    all.sort_by_key(|(_, path, _)| path == "/auth/logout");
    all
}

/// Everybody there is, with their role in the project that `world` is about.
async fn callers(server: &Server, owner: &Client, world: &World<'_>) -> Vec<Caller> {
    let person = |name, client, role| Caller {
        name,
        client,
        role,
        token: false,
        known: true,
    };
    let elsewhere = server.other_project(owner, "other-bot").await;
    let mut all = vec![
        Caller {
            known: false,
            ..person("nobody", server.nobody(), None)
        },
        person("the owner of another project", server.foreign_owner().await, None),
        person("somebody without a project", server.stranger().await, None),
        person("a viewer", server.member("viewer").await, Some(Role::Viewer)),
        person("an editor", server.member("editor").await, Some(Role::Editor)),
        person("the owner", owner.clone(), Some(Role::Owner)),
    ];
    for (name, role, project, may) in [
        ("a token for another project", "owner", &elsewhere, None),
        ("a viewer's token", "viewer", &world.project, Some(Role::Viewer)),
        ("an editor's token", "editor", &world.project, Some(Role::Editor)),
        ("an owner's token", "owner", &world.project, Some(Role::Owner)),
    ] {
        let path = format!("/projects/{project}/tokens");
        let body = json!({ "name": name, "role": role });
        let made = owner.post(&path, &body).await.expect(201).json();
        let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
        let client = Client {
            bearer: Some(bearer),
            ..server.nobody()
        };
        all.push(Caller {
            token: true,
            ..person(name, client, may)
        });
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_everybody_as_it_declares() {
    let mut setup = Setup::default();
    let limits = &mut setup.options.limits;
    for burst in [&mut limits.user_burst, &mut limits.address_burst] {
        *burst = 100_000;
    }
    limits.streams_per_user = 100;
    limits.exports_per_user = 100;
    let manager = Token::new("7100000000:AA-the-manager").unwrap();
    setup.options.manager_bot = Some(manager.clone());
    let server = Server::start_with(setup).await;
    let manager = server.telegram.bot(&manager);
    server.telegram.set_manages(manager, true).unwrap();
    let owner = server.owner().await;
    let world = World::of(&server, &owner).await;
    let callers = callers(&server, &owner, &world).await;
    let (mut checked, mut faults) = (0, Vec::new());
    for (method, path, access) in operations() {
        for caller in &callers {
            let request = world
                .request(&method, &path)
                .await
                .unwrap_or_else(|| panic!("no request for {method} {path}"));
            let expected = caller.expects(access, request.success);
            let (status, slug, id) = call(&caller.client, &method, &request).await;
            let told = expected.1.is_none_or(|slug_expected| slug == slug_expected);
            if status != expected.0 || !told {
                let name = caller.name;
                faults.push(format!(
                    "{name}: {method} {path}: {status} {slug}, not {expected:?}"
                ));
            }
            if method != Method::GET && (200..300).contains(&status) && request.changes {
                assert!(
                    server.is_noted(&id),
                    "{}: {method} {path} is not in the audit log",
                    caller.name
                );
            }
            checked += 1;
        }
    }
    assert_eq!(faults, [""; 0]);
    assert!(checked > 500, "only {checked} requests were made");
}

/// Status, slug of a problem, and request id. An event stream has no end: its body is not read.
async fn call(client: &Client, method: &Method, request: &Request) -> (u16, String, String) {
    let headers: &[(&str, &str)] = if request.body.is_some() {
        &[("content-type", "application/json")]
    } else {
        &[]
    };
    let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
    let answer = client.open(method.clone(), &request.path, headers, body).await;
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let status = answer.status();
    let slug = if status.is_success() || status == StatusCode::NOT_MODIFIED {
        String::new()
    } else {
        slug(answer).await
    };
    (status.as_u16(), slug, id)
}

async fn slug(answer: http::Response<hyper::body::Incoming>) -> String {
    let body = http_body_util::BodyExt::collect(answer.into_body())
        .await
        .unwrap()
        .to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    problem["type"]
        .as_str()
        .unwrap()
        .trim_start_matches("/problems/")
        .to_owned()
}
