//! Somebody at the command line: a server, its owner, and a folder.

use serde_json::Value;

use super::api::{Api, EMAIL, PASSWORD};
use super::process::{Ran, Server, run};
use super::world::FAST;

pub(crate) struct Desk {
    pub(crate) server: Server,
    pub(crate) api: Api,
    pub(crate) dir: tempfile::TempDir,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let server = Server::start(FAST).await;
        let api = Api::set_up(&server).await;
        let dir = tempfile::tempdir().unwrap();
        Self { server, api, dir }
    }

    pub(crate) fn botloom(&self, args: &[&str]) -> Ran {
        self.botloom_with(&[], args)
    }

    fn botloom_with(&self, more: &[(&str, &str)], args: &[&str]) -> Ran {
        let url = self.server.url("");
        let mut env = vec![
            ("BOTLOOM_SERVER", url.as_str()),
            ("BOTLOOM_EMAIL", EMAIL),
            ("BOTLOOM_PASSWORD", PASSWORD),
        ];
        env.extend_from_slice(more);
        run(args, &env, self.dir.path(), "")
    }

    /// Runs a command with more variables that must end with this code; answers what it printed.
    #[track_caller]
    pub(crate) fn ends_with(&self, more: &[(&str, &str)], args: &[&str], code: i32) -> String {
        let ran = self.botloom_with(more, args);
        assert_eq!(ran.code, Some(code), "{more:?} {args:?}: {ran:?}");
        ran.out + &ran.err
    }

    /// Runs a command that must end with this code.
    #[track_caller]
    fn ran(&self, args: &[&str], code: i32) -> Ran {
        let ran = self.botloom(args);
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
        ran
    }

    /// The same; answers what it printed.
    #[track_caller]
    pub(crate) fn ends(&self, args: &[&str], code: i32) -> String {
        let ran = self.ran(args, code);
        ran.out + &ran.err
    }

    /// The same; answers the JSON that it printed.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str], code: i32) -> Value {
        serde_json::from_str(&self.ran(args, code).out).unwrap()
    }
}
