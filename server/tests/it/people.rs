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
    // Not as an argument: others see those.
    let (server_url, dir) = (server.url(""), std::env::temp_dir());
    let joins = |args: &[&str], invitation: &str, input: &str| {
        let env = [
            ("BOTLOOM_SERVER", server_url.as_str()),
            ("BOTLOOM_EMAIL", GUEST),
            ("BOTLOOM_PASSWORD", PASSWORD),
            ("BOTLOOM_INVITATION", invitation),
        ];
        run(args, &env, &dir, input)
    };
    let joined = joins(&["members", "join", "--new", "-"], "", &format!("{link}\n"));
    assert_eq!(
        (joined.code, &*joined.out),
        (Some(0), "viewer of default\n"),
        "{joined:?}"
    );
    let used = joins(&["members", "join"], &link, "");
    assert!(used.err.contains("404"), "{used:?}");
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
    let seen: Vec<&[&str]> = rows.iter().map(|row| &row[..2]).collect();
    assert_eq!(seen, [["E-MAIL", "ROLE"], [GUEST, "viewer"], [EMAIL, "owner"]]);
    let of = |user: &str| -> Value {
        serde_json::from_str(&owner.prints(&["audit", "--user", user, "--json"])).unwrap()
    };
    let by_guest = of(rows[1][2]);
    assert_eq!(by_guest[0]["actor"]["email"], GUEST);
    assert_eq!(of("Ada@example.com"), by_guest);
    let nobody = owner.fails(&["audit", "--user", "nobody@example.com"]);
    assert!(nobody.contains("is no member"), "{nobody}");

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_are_made_renamed_and_deleted() {
    let server = Server::start(&[]).await;
    let owner = Person::at(&server, EMAIL);
    owner.prints(&["setup"]);
    owner.prints(&["projects", "create", "Pizza & Co"]);
    let taken = owner.fails(&["projects", "create", "default"]);
    assert!(taken.contains("409"), "{taken}");
    owner.prints(&["projects", "rename", "Pizza & Co", "pizza"]);
    owner.prints(&["bots", "create", "pizza-bot", "--project", "pizza"]);
    let table = owner.prints(&["projects", "list"]);
    assert!(
        table.contains("pizza  ") && !table.contains("Pizza & Co"),
        "{table}"
    );
    let kept = owner.fails(&["projects", "delete", "pizza"]);
    assert!(kept.contains("409"), "{kept}");
    owner.prints(&["bots", "delete", "pizza-bot", "--without-export"]);
    owner.prints(&["projects", "delete", "pizza"]);
    let listed: Value = serde_json::from_str(&owner.prints(&["projects", "list", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_logs_in_once_and_changes_their_password() {
    const NEW: &str = "another long password";
    let server = Server::start(&[]).await;
    Person::at(&server, EMAIL).prints(&["setup"]);
    let (url, home) = (server.url(""), tempfile::tempdir().unwrap());
    let config = home.path().display().to_string();
    let with = |args: &[&str], more: &[(&str, &str)]| {
        let mut env = vec![
            ("BOTLOOM_SERVER", url.as_str()),
            ("XDG_CONFIG_HOME", config.as_str()),
        ];
        env.extend_from_slice(more);
        run(args, &env, home.path(), "")
    };
    let account = [("BOTLOOM_EMAIL", EMAIL), ("BOTLOOM_PASSWORD", PASSWORD)];
    assert_eq!(
        with(&["projects", "list"], &[]).code,
        Some(1),
        "nobody is logged in"
    );
    // One elsewhere, two here, of which the second is kept.
    for home in ["elsewhere", config.as_str(), config.as_str()] {
        let login = with(&["login"], &[account[0], account[1], ("XDG_CONFIG_HOME", home)]);
        assert_eq!(login.code, Some(0), "{login:?}");
    }
    let file = home.path().join("botloom/session.json");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let listed = with(&["sessions", "list", "--json"], &[]);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    let current = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["current"] == true);
    assert_eq!(current.count(), 1, "{listed}");
    let others = listed.as_array().unwrap().len() - 1;
    let other = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["current"] == false)
        .unwrap();
    let id = other["sessionId"].as_str().unwrap();
    assert_eq!(with(&["sessions", "end", id], &[]).code, Some(0));
    let ended = with(&["sessions", "end-others"], &[]);
    assert_eq!(ended.out, format!("{} ended\n", others - 1));

    let made = with(&["tokens", "create", "CI", "viewer"], &[]);
    let token = made.out.trim();
    let change = |more: &[(&str, &str)], args: &[&str]| with(&[&["password"], args].concat(), more);
    let wrong = change(
        &[("BOTLOOM_PASSWORD", "not it"), ("BOTLOOM_NEW_PASSWORD", NEW)],
        &[],
    );
    assert!(wrong.code == Some(1) && wrong.err.contains("422"), "{wrong:?}");
    let both = [account[0], account[1], ("BOTLOOM_NEW_PASSWORD", NEW)];
    let changed = change(&both, &["--revoke-tokens"]);
    assert_eq!(changed.code, Some(0), "{changed:?}");
    let ci = with(&["bots", "list"], &[("BOTLOOM_TOKEN", token)]);
    assert!(ci.code == Some(1) && ci.err.contains("401"), "{ci:?}");
    let over = with(&["projects", "list"], &[]);
    assert!(
        over.code == Some(1) && over.err.contains("401"),
        "the session ended: {over:?}"
    );

    let again = with(&["login"], &[account[0], ("BOTLOOM_PASSWORD", NEW)]);
    assert_eq!(again.code, Some(0), "{again:?}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = with(&["projects", "list"], &[]);
    assert!(open.err.contains("chmod 600"), "{open:?}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let out = with(&["logout"], &[]);
    assert_eq!(out.code, Some(0), "{out:?}");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(kept, "{}");
    assert_eq!(with(&["logout"], &[]).code, Some(1), "nobody is logged in");
}
