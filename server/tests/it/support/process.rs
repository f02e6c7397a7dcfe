//! `botloom serve` as a child process, started the way an operator starts it.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::http::Http;

/// The binary under test.
pub(crate) fn binary() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_botloom")))
}

/// A command that sees nothing of the developer's own settings.
pub(crate) fn without_settings(mut command: Command) -> Command {
    for (key, _) in std::env::vars() {
        if key.starts_with("BOTLOOM_")
            || matches!(
                key.as_str(),
                "DATABASE_URL" | "REDIS_URL" | "S3_BUCKET" | "CLICKHOUSE_URL" | "BOT_TOKEN"
            )
            || key.starts_with("AWS_")
            || key.starts_with("OTEL_")
        {
            command.env_remove(key);
        }
    }
    command
}

/// Ports of this process, as names of the kernel's: nobody gets one of them until the process has ended, also while nothing
/// listens there.
static PORTS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port for this process alone. It is none of those that systems give to whoever asks for any, or connects: nobody
/// gets it by chance, also while the server on it is away.
pub(crate) fn free_port() -> u16 {
    let mut tries = std::iter::repeat_with(|| rand::random_range(20_000..32_000));
    tries
        .find(|port| {
            let name = SocketAddr::from_abstract_name(format!("botloom port {port}")).unwrap();
            let Ok(mine) = UnixListener::bind_addr(&name) else {
                return false;
            };
            PORTS.lock().unwrap().push(mine);
            TcpListener::bind(("127.0.0.1", *port)).is_ok()
        })
        .unwrap()
}

/// A server that can be killed and started again on the same data and the same port.
#[derive(Debug)]
pub(crate) struct Server {
    child: Option<Child>,
    port: u16,
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Server {
    /// Starts a server on a new data folder.
    pub(crate) async fn start(env: &[(&str, &str)]) -> Self {
        let mut server = Self::new(free_port(), env);
        server.spawn(&[]);
        server.ready().await;
        server
    }

    /// A server that does not run yet, on a new data folder.
    pub(crate) fn new(port: u16, env: &[(&str, &str)]) -> Self {
        let env = env
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        Self {
            child: None,
            port,
            dir: tempfile::tempdir().unwrap(),
            env: env.collect(),
        }
    }

    /// Whether it was started and not killed since.
    pub(crate) fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Starts the process again; `extra` settings hold for this life only.
    pub(crate) fn spawn(&mut self, extra: &[(&str, &str)]) {
        assert!(self.child.is_none(), "still running");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut command = binary();
        command
            .arg("serve")
            .current_dir(self.dir.path())
            .env("BOTLOOM_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("BOTLOOM_DATA_DIR", self.data())
            .env("BOTLOOM_PUBLIC_URL", self.url(""))
            .env("BOTLOOM_LOG_FORMAT", "json")
            .envs(self.env.iter().cloned())
            .envs(extra.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    /// Waits until the server answers that it is ready.
    pub(crate) async fn ready(&mut self) {
        let http = Http::new();
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let answer = http.send("GET", &self.url("/readyz"), &[], "").await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                return;
            }
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            assert!(
                ended.is_none(),
                "the server ended with {ended:?}:\n{}",
                self.log_text()
            );
            assert!(
                Instant::now() < deadline,
                "the server is not ready:\n{}",
                self.log_text()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `kill -9`, and the data stays. A server that does not run stays as it is.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Waits for the process to end by itself; answers its exit code (`None`: a signal).
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = self.child.as_mut().expect("running").try_wait().unwrap() {
                self.child = None;
                return status.code();
            }
            assert!(
                Instant::now() < deadline,
                "the server does not end:\n{}",
                self.log_text()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal by name, as `kill -s` does.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Sends a signal to all its sandbox workers; one that ends at the same moment needs none.
    pub(crate) fn signal_workers(&self, name: &str) {
        let workers = self.children();
        assert!(!workers.is_empty(), "no worker processes");
        for worker in workers {
            let sent = Command::new("kill").args(["-s", name, &worker]).output().unwrap();
            let gone = !Path::new("/proc").join(&worker).exists();
            assert!(sent.status.success() || gone, "{sent:?}");
        }
    }

    /// Process ids of its children.
    fn children(&self) -> Vec<String> {
        let parent = format!("PPid:\t{}", self.pid());
        let is_child = |entry: &std::fs::DirEntry| {
            // Not there: no process, or one that has just ended.
            let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            status.lines().any(|line| line == parent)
        };
        let entries = std::fs::read_dir("/proc").unwrap().map(Result::unwrap);
        let children = entries.filter(is_child);
        children
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    }

    /// Process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("running").id()
    }

    /// Resident memory of the process, without those that it started, MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).unwrap();
        kib.trim().parse::<u64>().unwrap() / 1024
    }

    /// An address of the server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Everything the server printed in all its lives.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Output of a command that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn run(args: &[&str], env: &[(&str, &str)], dir: &Path, input: &str) -> Ran {
    let mut child = binary()
        .args(args)
        .envs(env.iter().copied())
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A command that does not read its input closes it; that is its right.
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}
