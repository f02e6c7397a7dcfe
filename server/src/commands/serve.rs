//! `botloom serve`: everything in one process, until told to stop.

use std::path::Path;
use std::time::Duration;

use botloom_control_plane::ControlPlane;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::ServeArgs;
use crate::config::{Config, Layers};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;
use crate::{telemetry, wiring};

/// Runs the server.
pub(crate) fn serve(file: Option<&Path>, args: ServeArgs) -> CommandResult {
    let mut layers = Layers::read(file, std::env::vars())?;
    for (key, flag) in [
        ("BOTLOOM_LISTEN", args.listen),
        ("BOTLOOM_DATA_DIR", args.data_dir),
    ] {
        if let Some(text) = flag {
            layers.set_flag(key, text);
        }
    }
    let config = Config::from_layers(&layers)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::Start(error.to_string()))?;
    let ended = runtime.block_on(async {
        // Before anything is counted or traced.
        let metrics = wiring::recorder()?;
        let traces = telemetry::start(&config)?;
        let ended = run(config, metrics).await;
        traces.end().await;
        ended
    });
    // Whatever still blocks (a DNS look-up, a hash) must not hold the process up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn run(config: Config, metrics: PrometheusHandle) -> CommandResult {
    let start = |what: &str, error: &dyn std::fmt::Display| CommandError::Start(format!("{what}: {error}"));
    let mut signals = Signals::listen().map_err(|error| start("signals", &error))?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| start(&format!("cannot listen on {}", config.listen), &error))?;
    if !config.dev_hosts.is_empty() {
        let hosts: Vec<&str> = config.dev_hosts.names().collect();
        tracing::warn!(?hosts, "calls of bots to these hosts go to development servers");
    }

    let stop = CancellationToken::new();
    let node = wiring::build(&config, metrics, stop.clone()).await?;
    greet(&config, node.has_owner);
    tracing::info!(address = %config.listen, "ready");

    let api = node.api();
    let serving = tokio::spawn(node.serve(listener, stop.clone()));
    let name = signals.next().await;
    tracing::info!(signal = name, within = ?config.drain, "draining");
    stop.cancel();
    tokio::select! {
        ended = serving => {
            ended.map_err(|error| start("the server task ended", &error))??;
            tracing::info!("drained");
        }
        () = overdue(&config, api) => {
            tracing::warn!("not everything ended in time; what is left is taken up after the next start");
        }
        name = signals.next() => tracing::warn!(signal = name, "told again: stopping at once"),
    }
    Ok(())
}

/// Waits for the moment from which nothing is waited for any more.
async fn overdue(config: &Config, api: Option<ControlPlane>) {
    tokio::time::sleep(config.drain).await;
    if let Some(api) = api {
        // A token that Telegram has replaced and nobody has stored would be lost.
        api.settled().await;
    }
    // A little longer than each part's own limit, so that a part that keeps to its limit is not cut off.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

/// What an operator sees first: where it is, and the way to the first reply.
fn greet(config: &Config, has_owner: bool) {
    let address = config.address();
    say(format!("Botloom {} on {address}", env!("CARGO_PKG_VERSION")));
    if has_owner {
        return;
    }
    let server = if address == "http://127.0.0.1:8080" {
        String::new()
    } else {
        format!(" --server {address}")
    };
    say(format!(
        "\nNobody owns this server yet. Three commands to the first reply:\n\n  \
         export BOTLOOM_EMAIL=you@example.com BOTLOOM_PASSWORD='a long password'\n  \
         botloom setup{server}\n  \
         botloom apply bot.json --deploy --wait --bot-token TOKEN-FROM-BOTFATHER --connect polling{server}\n\n\
         bot.json is a BotSpec, for instance spec/examples/pizza-demo/spec.json. Without Telegram: botloom simulate bot.json\n\
         The API is described at {address}/docs"
    ));
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
