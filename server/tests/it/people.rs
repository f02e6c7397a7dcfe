//! The commands about people, as an owner and their guests use them.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::process::{Ran, Server, run};

const GUEST: &str = "ada@example.com";

/// Somebody at the command line of a server.
struct Person {
    server: String,
    email: &'static str,
}

impl Person {
    fn at(server: &Server, email: &'static str) -> Self {
        Self {
            server: server.url(""),
            email,
        }
    }

    fn run(&self, args: &[&str]) -> Ran {
        let env = [
            ("BOTLOOM_SERVER", self.server.as_str()),
            ("BOTLOOM_EMAIL", self.email),
            ("BOTLOOM_PASSWORD", PASSWORD),
        ];
        run(args, &env, &std::env::temp_dir(), "")
    }

    /// What a command that succeeds prints.
    #[track_caller]
    fn prints(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.out.trim_end().to_owned()
    }

    /// What a command that fails says.
    #[track_caller]
    fn fails(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(1), "{args:?}: {ran:?}");
        ran.err
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_invites_promotes_and_removes() {
    let server = Server::start(&[]).await;
    let (owner, guest) = (Person::at(&server, EMAIL), Person::at(&server, GUEST));
    owner.prints(&["setup"]);
    let link = owner.prints(&["members", "invite", "viewer"]);
    assert!(link.contains("/console/invitation#"), "{link}");
    assert_eq!(
        guest.prints(&["members", "join", "--new", &link]),
        "viewer of default"
    );
    let again = guest.fails(&["members", "join", &link]);
    assert!(
        again.contains("404") && again.contains("ask for a new one"),
        "{again}"
    );

    let table = owner.prints(&["members", "list"]);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows, [["E-MAIL", "ROLE"], [GUEST, "viewer"], [EMAIL, "owner"]]);

    let refused = guest.fails(&["members", "role", EMAIL, "viewer"]);
    assert!(refused.contains("403"), "{refused}");
    owner.prints(&["members", "role", "ADA@example.com", "editor"]);
    let listed: Value = serde_json::from_str(&guest.prints(&["members", "list", "--json"])).unwrap();
    assert_eq!(listed[0]["role"], "editor");
    let last = owner.fails(&["members", "role", EMAIL, "viewer"]);
    assert!(last.contains("409"), "{last}");

    owner.prints(&["members", "invite", "editor", "--days", "1"]);
    let open: Value = serde_json::from_str(&owner.prints(&["members", "invitations", "--json"])).unwrap();
    let id = open[0]["invitationId"].as_str().unwrap();
    owner.prints(&["members", "revoke", id]);
    assert_eq!(owner.prints(&["members", "invitations", "--json"]), "[]");

    owner.prints(&["members", "remove", GUEST]);
    let nothing = guest.fails(&["members", "list"]);
    assert!(nothing.contains("member of no project"), "{nothing}");

    let removed = ["audit", "--verb", "member.removed", "--json"];
    let told: Value = serde_json::from_str(&owner.prints(&removed)).unwrap();
    assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    assert_eq!(
        (&told[0]["actor"]["email"], &told[0]["before"]),
        (&EMAIL.into(), &"editor".into())
    );
    let all = owner.prints(&["audit", "--project", "default", "--ndjson"]);
    let verbs: Vec<String> = all
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["verb"].to_string())
        .collect();
    assert_eq!(verbs.first().unwrap(), "\"member.removed\"");
    assert_eq!(verbs.last().unwrap(), "\"owner.created\"");
    let newest = owner.prints(&["audit", "--limit", "1", "--project", "default"]);
    assert_eq!(newest.lines().count(), 2, "a title and a row:\n{newest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_acts_with_a_token_from_the_environment_or_a_private_file() {
    let server = Server::start(&[]).await;
    let owner = Person::at(&server, EMAIL);
    owner.prints(&["setup"]);
    let token = owner.prints(&["tokens", "create", "CI", "viewer", "--project", "default"]);
    let url = server.url("");
    let dir = tempfile::tempdir().unwrap();
    let list = ["members", "list", "--json"];
    let with = |env: &[(&str, &str)]| {
        let mut all = vec![("BOTLOOM_SERVER", url.as_str())];
        all.extend_from_slice(env);
        run(&list, &all, dir.path(), "")
    };
    let ran = with(&[("BOTLOOM_TOKEN", &token)]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains(EMAIL));

    let file = dir.path().join("token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let path = file.display().to_string();
    for (mode, code) in [(0o644, 1), (0o640, 1), (0o604, 1), (0o600, 0), (0o400, 0)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let ran = with(&[("BOTLOOM_TOKEN_FILE", &path)]);
        assert_eq!(ran.code, Some(code), "{mode:o}: {ran:?}");
        assert_eq!(ran.err.contains("chmod 600"), code == 1, "{}", ran.err);
        assert!(!ran.err.contains(&token), "{}", ran.err);
    }
    let both = with(&[("BOTLOOM_TOKEN", &token), ("BOTLOOM_TOKEN_FILE", &path)]);
    assert_eq!(both.code, Some(1), "{both:?}");

    let listed: Value = serde_json::from_str(&owner.prints(&["tokens", "list", "--json"])).unwrap();
    assert!(listed[0]["lastUsedAt"].is_string(), "{listed}");
    owner.prints(&["tokens", "revoke", listed[0]["tokenId"].as_str().unwrap()]);
    let ran = with(&[("BOTLOOM_TOKEN", &token)]);
    assert!(ran.code == Some(1) && ran.err.contains("401"), "{ran:?}");
}
