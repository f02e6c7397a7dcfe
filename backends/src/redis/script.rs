//! A Lua script with its digest.

use std::borrow::Cow;

/// A script that is called by its digest and sent in full only to a server that does not know it.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    code: Cow<'static, str>,
    digest: String,
}

impl Script {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>) -> Self {
        let code = code.into();
        let digest = redis::Script::new(&code).get_hash().to_owned();
        Self { code, digest }
    }

    pub(super) fn by_digest(&self, keys: &[String]) -> redis::Cmd {
        Self::call("EVALSHA", &self.digest, keys)
    }

    pub(super) fn in_full(&self, keys: &[String]) -> redis::Cmd {
        Self::call("EVAL", &self.code, keys)
    }

    fn call(command: &str, script: &str, keys: &[String]) -> redis::Cmd {
        let mut cmd = redis::cmd(command);
        cmd.arg(script).arg(keys.len());
        for key in keys {
            cmd.arg(key);
        }
        cmd
    }
}
