//! The mixed load on the API: who asks, and what.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::{Api, text};
use crate::peer;

/// Requests a second that one account asks, from an address of its own: below a user's 30 and an address's 60.
const PER_ACCOUNT: f64 = 20.0;
const PASSWORD: &str = "password of the mixed load";
/// The bot whose spec is edited all the time; the other one's history stays short, as a read's cost should.
const EDITED: &str = "bench-edited";
/// Requests after which the mix repeats.
const CYCLE: u64 = 200;
/// The reads, in turns.
const READS: [&str; 7] = [
    "/bots",
    "/bots/bench-bot",
    "/spec/latest?botId=bench-bot",
    "/revisions?botId=bench-bot",
    "/deployments?botId=bench-bot",
    "/auth/me",
    "/bots/bench-bot/dead-letters?direction=in",
];

/// What a request is, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    /// `POST /spec/validate` with a large spec.
    Validate,
    /// `POST /auth/login` with the right password: a hash.
    LogIn,
    /// `POST /spec` with a new version.
    Edit,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Read, Self::Validate, Self::LogIn, Self::Edit];

    /// 176 of 200 are reads. The heavy ones come together, as they do after a meeting: 8 and 8 that judge, 4 that log in.
    /// Evenly spread they would hide that they hold a thread.
    fn of(number: u64) -> Self {
        match number % CYCLE {
            20..28 | 120..128 => Self::Validate,
            70..74 => Self::LogIn,
            45 | 95 | 145 | 195 => Self::Edit,
            _ => Self::Read,
        }
    }
}

/// An account with a session and a token, at an address of its own.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub person: Api,
    program: Api,
    credentials: Bytes,
}

/// Everybody who asks.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    accounts: Vec<Account>,
    large: Bytes,
}

impl Crowd {
    /// Makes accounts by invitation, enough for this many requests a second.
    pub(crate) async fn gather(url: &str, per_second: f64) -> Result<Self, String> {
        let mut owner = Api::new(url, None);
        owner.log_in(peer::EMAIL, peer::PASSWORD).await?;
        owner
            .send("POST", "/bots", json!({ "botId": EDITED, "name": "Edited" }))
            .await?;
        let projects = owner.send("GET", "/projects", Value::Null).await?;
        let project = format!("/projects/{}", text(&projects["items"][0], "projectId"));
        let mut accounts = Vec::new();
        for number in 0..count(per_second)? {
            accounts.push(Account::make(&owner, url, &project, number).await?);
        }
        Ok(Self {
            accounts,
            large: large(),
        })
    }

    pub(crate) fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// Bytes of the large spec.
    pub(crate) fn large_bytes(&self) -> usize {
        self.large.len()
    }

    /// The request `number` of a run, and whether it was answered with success. Runs differ in what they post.
    pub(crate) fn ask(
        &self,
        run: u64,
        number: u64,
    ) -> impl Future<Output = (Kind, Result<(), String>)> + Send + use<> {
        let kind = Kind::of(number);
        // Another account by each cycle, else a kind would always be the same accounts'.
        let at = usize::try_from(number + number / CYCLE).unwrap_or_default() % self.accounts.len();
        let account = &self.accounts[at];
        let caller = match kind {
            Kind::LogIn => account.person.as_nobody(),
            _ if (number / self.accounts.len() as u64).is_multiple_of(2) => account.person.clone(),
            _ => account.program.clone(),
        };
        let (method, path, body) = match kind {
            Kind::Read => {
                let at = usize::try_from(number).unwrap_or_default() % READS.len();
                ("GET", READS[at], Bytes::new())
            }
            Kind::Validate => ("POST", "/spec/validate", self.large.clone()),
            Kind::LogIn => ("POST", "/auth/login", account.credentials.clone()),
            Kind::Edit => ("POST", "/spec", edited(run, number)),
        };
        async move {
            let outcome = match caller.exchange(method, path, body).await {
                // A spec with findings is answered 200 too; the large one must have none, else it is judged less far.
                Ok((200, body, _)) if kind == Kind::Validate && body != r#"{"findings":[]}"# => {
                    Err(format!("{path}: {}", String::from_utf8_lossy(&body)))
                }
                Ok((200..300, ..)) => Ok(()),
                Ok((status, body, _)) => Err(format!(
                    "{method} {path}: {status} {}",
                    String::from_utf8_lossy(&body)
                )),
                Err(error) => Err(format!("{method} {path}: {error}")),
            };
            (kind, outcome)
        }
    }
}

impl Account {
    /// Makes the account `number` of a project by invitation; its address is `127.0.1.(number + 1)`.
    pub(crate) async fn make(owner: &Api, url: &str, project: &str, number: u8) -> Result<Self, String> {
        let invited = owner
            .send(
                "POST",
                &format!("{project}/invitations"),
                json!({ "role": "owner" }),
            )
            .await?;
        let link = text(&invited, "url");
        let (_, secret) = link.split_once('#').ok_or("the invitation has no secret")?;
        let email = format!("mixed-{number}@example.com");
        let address = IpAddr::V4(Ipv4Addr::new(127, 0, 1, number + 1));
        let mut person = Api::new(url, Some(address));
        person.register(secret, &email, PASSWORD).await?;
        let token = person
            .send(
                "POST",
                &format!("{project}/tokens"),
                json!({ "name": "mixed load", "role": "editor" }),
            )
            .await?;
        Ok(Self {
            program: person.with_token(text(&token, "token")),
            credentials: json!({ "email": email, "password": PASSWORD }).to_string().into(),
            person,
        })
    }
}

/// Accounts for this many requests a second.
fn count(per_second: f64) -> Result<u8, String> {
    (1..=250)
        .find(|count| f64::from(*count) * PER_ACCOUNT >= per_second)
        .ok_or_else(|| format!("at most {} requests a second", 250.0 * PER_ACCOUNT))
}

/// A new version each time.
fn edited(run: u64, number: u64) -> Bytes {
    let mut spec = peer::spec();
    spec["meta"]["botId"] = EDITED.into();
    spec["meta"]["name"] = format!("Edited {run} {number}").into();
    spec.to_string().into()
}

/// As many flows as commands lead to, each with ten replies.
fn large() -> Bytes {
    let mut spec = peer::spec();
    for flow in 1..=97 {
        let steps: Vec<_> = (0..10).map(|step| reply(flow, step)).collect();
        let id = format!("flow-{flow}");
        append(
            &mut spec["commands"],
            json!({ "command": format!("/f{flow}"), "flow": id }),
        );
        append(&mut spec["flows"], json!({ "id": id, "steps": steps }));
    }
    spec.to_string().into()
}

fn reply(flow: u32, step: u32) -> Value {
    let text = format!(
        "{{{{state.last}}}} of {{{{context.user.firstName}}}}: what flow {flow} says in step {step}, at some length."
    );
    json!({ "id": format!("step-{step}"), "type": "reply", "text": text })
}

fn append(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}
