//! Node as a JavaScript engine.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// A loaded program.
pub(crate) struct Node {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _folder: TempDir,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Returned(Value),
    Thrown(String),
}

impl Node {
    /// Loads a module that exports `handle`.
    pub(crate) fn load(source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bot.mjs");
        std::fs::write(&path, source).unwrap();
        let mut child = Command::new("node")
            .arg(super::here().join("tests/host.mjs"))
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tests need `node`");
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            stdin,
            stdout,
            _folder: folder,
        }
    }

    /// One call of `handle`; `Err` holds the message of what it threw.
    pub(crate) fn call(&mut self, input: &Value) -> Result<Value, String> {
        writeln!(self.stdin, "{input}").unwrap();
        self.stdin.flush().unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        match serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}")) {
            Answer::Returned(value) => Ok(value),
            Answer::Thrown(message) => Err(message),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
