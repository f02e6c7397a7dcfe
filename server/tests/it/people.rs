//! The commands about people, as an owner and their guests use them.

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
}
