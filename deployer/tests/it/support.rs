//! Real storage, a real revision, and a runtime that does as it is told.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use botloom_backends::{Connected, DataDir, EmbeddedOptions, connect_embedded};
use botloom_core::model::{Deployment, Project, RevisionRow, Stage, TaskPayload, TaskStatus, User};
use botloom_core::ports::{
    ActiveRevision, ArtifactName, LaneLimits, NewBot, NewTask, NewVersion, ProbeReport, SandboxError,
    Sandboxes,
};
use botloom_core::{BotId, Clock as _, Epoch, ProjectId, RevHash, SystemClock, TaskId, UserId};
use botloom_deployer::{Deps, Options};
use botloom_generator::{BuildInputs, Built};
use tokio_util::sync::CancellationToken;

/// A runtime that answers what a test wants, and remembers what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Runtime {
    pub(crate) health: Mutex<Option<SandboxError>>,
    /// What staging and prewarming are answered.
    pub(crate) readable: Mutex<Option<SandboxError>>,
    pub(crate) asked: Mutex<Vec<&'static str>>,
}

impl Runtime {
    fn ask(&self, what: &'static str) {
        self.asked.lock().unwrap().push(what);
    }
}

#[async_trait]
impl Sandboxes for Runtime {
    async fn live_nodes(&self) -> u32 {
        1
    }

    async fn stage(&self, _: &BotId, _: &RevHash) -> Result<(), SandboxError> {
        self.ask("stage");
        self.readable.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    async fn prewarm(&self, _: &BotId, _: &RevHash, _: u32) -> Result<(), SandboxError> {
        self.ask("prewarm");
        self.readable.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    async fn probe(&self, _: &BotId, _: &RevHash) -> Result<ProbeReport, SandboxError> {
        self.ask("probe");
        let refused = self.health.lock().unwrap().clone();
        refused.map_or(
            Ok(ProbeReport {
                messages: 1,
                wall_us: 1,
            }),
            Err,
        )
    }

    async fn barrier(&self, _: &BotId, _: ActiveRevision, _: Duration) {
        self.ask("barrier");
    }
}

/// An installation with one bot and two revisions.
pub(crate) struct Installation {
    pub(crate) storage: Connected,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) bot: BotId,
    pub(crate) rev: RevHash,
    pub(crate) second: RevHash,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) project: ProjectId,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = EmbeddedOptions {
            data_dir: DataDir::open(dir.path()).unwrap(),
            clock: Arc::new(SystemClock),
            lane_limits: LaneLimits::default(),
        };
        let storage = connect_embedded(options).await.unwrap();
        let (project, now) = (ProjectId::generate(), SystemClock.now());
        let owner = User {
            id: UserId::generate(),
            email: "owner@example.com".to_owned(),
            password_hash: Some("none".to_owned()),
            created_at: now,
        };
        let default = Project {
            id: project,
            name: "default".to_owned(),
            created_at: now,
        };
        let catalog = &storage.ports.catalog;
        catalog.create_first_owner(&owner, &default).await.unwrap();
        let bot = BotId::new("pizza-demo").unwrap();
        let new = NewBot {
            id: bot.clone(),
            project,
            name: "Pizza".to_owned(),
            created_at: now,
        };
        assert!(catalog.create_bot(&new).await.unwrap());
        let rev = store(&storage, &bot, 0).await;
        let second = store(&storage, &bot, 1).await;
        Self {
            storage,
            runtime: Arc::default(),
            bot,
            rev,
            second,
            dir,
            project,
        }
    }

    pub(crate) fn deps(&self) -> Deps {
        Deps {
            ports: self.storage.ports.clone(),
            sandboxes: Arc::clone(&self.runtime) as _,
        }
    }

    /// Asks for a deployment of the first revision from `seen`.
    pub(crate) async fn ask(&self, seen: Epoch) -> TaskId {
        self.ask_for(self.rev, seen, None).await
    }

    /// Asks for a deployment of `to_rev` from `seen`, when `from_rev` is live.
    pub(crate) async fn ask_for(&self, to_rev: RevHash, seen: Epoch, from_rev: Option<RevHash>) -> TaskId {
        let (task, now) = (TaskId::generate(), SystemClock.now());
        let row = Deployment {
            task,
            bot: self.bot.clone(),
            status: TaskStatus::Queued,
            stage: Stage::Preflight,
            stages: Vec::new(),
            from_rev,
            to_rev,
            seen_epoch: seen,
            epoch: None,
            rollback: false,
            min_sandboxes: 1,
            error: None,
            watch_until: None,
            reason: None,
            author: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        self.storage.ports.catalog.create_deployment(&row).await.unwrap();
        let payload = TaskPayload::Deploy {
            rev_hash: to_rev,
            strategy: "flip".to_owned(),
            prewarm: 1,
        };
        let new = NewTask {
            id: task,
            project: self.project,
            bot: self.bot.clone(),
            payload,
            exclusive: None,
            author: None,
            created_at: now,
        };
        self.storage.ports.tasks.enqueue(&new).await.unwrap();
        task
    }

    /// Runs the deployer until the deployment has ended.
    pub(crate) async fn deployed(&self, task: TaskId) -> Deployment {
        self.deployed_by(Options::default(), task).await
    }

    /// The same with a deployer of these options.
    pub(crate) async fn deployed_by(&self, options: Options, task: TaskId) -> Deployment {
        let stop = CancellationToken::new();
        let options = Options {
            retry_pause: Duration::from_millis(10),
            ..options
        };
        let running = tokio::spawn(botloom_deployer::run(self.deps(), options, stop.clone()));
        let ended = async {
            loop {
                let row = self
                    .storage
                    .ports
                    .catalog
                    .deployment(&task)
                    .await
                    .unwrap()
                    .unwrap();
                let task = self.storage.ports.tasks.task(&task).await.unwrap().unwrap();
                if row.status.is_final() && task.status.is_final() {
                    assert_eq!(row.status, task.status);
                    return row;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let row = tokio::time::timeout(Duration::from_secs(30), ended)
            .await
            .unwrap();
        stop.cancel();
        running.await.unwrap();
        row
    }
}

/// Builds the example bot and stores it as the generator would.
async fn store(storage: &Connected, bot: &BotId, seed: u64) -> RevHash {
    let spec = include_bytes!("../../../spec/examples/pizza-demo/spec.json");
    let accepted = botloom_spec::check(spec).spec.unwrap();
    let now = SystemClock.now();
    let ports = &storage.ports;
    let version = NewVersion {
        bot: bot.clone(),
        spec_hash: accepted.hash.parse().unwrap(),
        canonical: accepted.canonical.clone(),
        warnings: "[]".to_owned(),
        author: None,
        created_at: now,
        edited: None,
        note: None,
        restores: None,
    };
    ports.catalog.add_version(&version).await.unwrap();
    let inputs = BuildInputs {
        model: botloom_generator::COMPILER.to_owned(),
        seed,
        bot_id: bot.clone(),
        spec_version: 1,
        author: None,
        built_at: now,
    };
    let Built {
        rev_hash,
        bot_js,
        spec_json,
        rev_json,
        digests,
        ..
    } = botloom_generator::build(&accepted, &inputs).unwrap();
    let files = [
        (ArtifactName::BotJs, bot_js),
        (ArtifactName::SpecJson, spec_json),
        (ArtifactName::RevJson, rev_json.clone()),
    ];
    for (name, text) in files {
        ports
            .artifacts
            .put(bot, &rev_hash, name, text.into())
            .await
            .unwrap();
    }
    let row = RevisionRow {
        rev_hash,
        bot: bot.clone(),
        spec_version: 1,
        digests,
        rev_json,
        created_at: now,
    };
    assert!(ports.catalog.add_revision(&row).await.unwrap());
    rev_hash
}
