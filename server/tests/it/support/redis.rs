//! A Redis of a story's own, which can be killed, held, started again on its data, forbidden to hand messages out, or
//! joined with others to a cluster.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::process::free_port;

/// A server that keeps its data in an append-only file and writes every change to disk before it answers.
#[derive(Debug)]
pub(crate) struct Redis {
    child: Option<Child>,
    port: u16,
    dir: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Redis {
    /// Starts an empty server.
    pub(crate) async fn start() -> Self {
        Self::with(Vec::new()).await
    }

    async fn with(arguments: Vec<String>) -> Self {
        let mut redis = Self {
            child: None,
            port: free_port(),
            dir: tempfile::tempdir().unwrap(),
            arguments,
        };
        redis.spawn().await;
        redis
    }

    /// Starts the process again on its data.
    pub(crate) async fn spawn(&mut self) {
        let mut command = Command::new("redis-server");
        command
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args([
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--maxmemory-policy",
                "noeviction",
            ])
            .args(&self.arguments)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        self.child = Some(command.spawn().expect("redis-server is installed"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.ask(&["PING"]) != "PONG" {
            assert!(Instant::now() < deadline, "Redis does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `kill -9`, and the data stays.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal by name: `STOP` holds the server, `CONT` lets it go on.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("running").id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its address with the name of a user who may do everything but use channels.
    pub(crate) fn without_channels(&self) -> String {
        assert_eq!(
            self.ask(&[
                "ACL",
                "SETUSER",
                "silent",
                "on",
                ">silent",
                "~*",
                "resetchannels",
                "+@all"
            ]),
            "OK"
        );
        format!("redis://silent:silent@127.0.0.1:{}", self.port)
    }

    /// Runs a command and answers what `redis-cli` prints.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        let mut cli = Command::new("redis-cli");
        let output = cli
            .args(["-p", &self.port.to_string()])
            .args(command)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three masters that share the slots.
#[derive(Debug)]
pub(crate) struct Cluster {
    masters: Vec<Redis>,
}

impl Cluster {
    /// Starts the masters and joins them.
    pub(crate) async fn start() -> Self {
        let mut masters = Vec::new();
        for _ in 0..3 {
            let bus = free_port().to_string();
            let arguments = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                "2000",
            ];
            masters.push(Redis::with(arguments.map(str::to_owned).to_vec()).await);
        }
        let cluster = Self { masters };
        let mut create = Command::new("redis-cli");
        create
            .args(["--cluster", "create"])
            .args(cluster.addresses())
            .args(["--cluster-replicas", "0", "--cluster-yes"]);
        let created = create.output().unwrap();
        assert!(created.status.success(), "{created:?}");
        let deadline = Instant::now() + Duration::from_secs(30);
        while cluster
            .masters
            .iter()
            .any(|master| !master.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        {
            assert!(Instant::now() < deadline, "the cluster does not come up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cluster
    }

    fn addresses(&self) -> Vec<String> {
        self.masters
            .iter()
            .map(|master| format!("127.0.0.1:{}", master.port))
            .collect()
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("redis+cluster://{}", self.addresses().join(","))
    }

    /// The slot of a key whose name matches a pattern, and the number of the master that has it.
    pub(crate) fn slot(&self, pattern: &str) -> (usize, String) {
        let found = self.masters.iter().enumerate().find_map(|(number, master)| {
            let keys = master.ask(&["--scan", "--pattern", pattern]);
            let key = keys.lines().next().filter(|key| !key.is_empty())?;
            Some((number, master.ask(&["CLUSTER", "KEYSLOT", key])))
        });
        found.unwrap_or_else(|| panic!("no key like {pattern}"))
    }

    /// Moves a slot from a master to another, key by key, as a resharding does; answers how many keys moved.
    pub(crate) fn move_slot(&self, slot: &str, from: usize, to: usize) -> usize {
        let (source, target) = (&self.masters[from], &self.masters[to]);
        let (source_id, target_id) = (source.ask(&["CLUSTER", "MYID"]), target.ask(&["CLUSTER", "MYID"]));
        assert_eq!(
            target.ask(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &source_id]),
            "OK"
        );
        assert_eq!(
            source.ask(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &target_id]),
            "OK"
        );
        let (port, mut moved) = (target.port.to_string(), 0);
        loop {
            let keys = source.ask(&["CLUSTER", "GETKEYSINSLOT", slot, "20"]);
            let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                break;
            }
            moved += keys.len();
            let mut command = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            command.extend(keys);
            // NOKEY: the keys expired or were taken meanwhile.
            let answer = source.ask(&command);
            assert!(matches!(answer.as_str(), "OK" | "NOKEY"), "{answer}");
        }
        for master in [target, source].into_iter().chain(&self.masters) {
            assert_eq!(
                master.ask(&["CLUSTER", "SETSLOT", slot, "NODE", &target_id]),
                "OK"
            );
        }
        moved
    }
}
