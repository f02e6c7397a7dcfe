//! The one binary: roles, wiring, settings, command line.
//!
//! `cli` is the grammar, `commands` has one file per command, `config` reads the settings, `wiring` joins ports,
//! backends and roles. No rules live here.

mod api_client;
mod api_token;
mod archive;
mod cli;
mod commands;
mod config;
mod error;
mod listener;
mod master_key;
mod metrics;
mod private_file;
mod proxies;
mod saved_session;
mod signals;
mod telemetry;
mod terminal;
mod wiring;

use std::process::ExitCode;

use clap::CommandFactory;

use cli::{Cli, Command, Misread};
use error::{CommandError, CommandResult};
use tokio::signal::unix::SignalKind;

fn main() -> ExitCode {
    let cli = match cli::parse(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(cli) => cli,
        Err(Misread::Usage(error)) => {
            // Help and versions that were asked for are no failures. A terminal that went away ends nothing.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(error::WRONG_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
        Err(Misread::Settings(error)) => {
            terminal::note(format!("botloom: {error}"));
            return ExitCode::FAILURE;
        }
    };
    if matches!(cli.command, Command::SandboxWorker) {
        return botloom_runtime::sandbox::worker::main();
    }
    let ended = run(cli);
    let written = terminal::all_written()
        .map_err(|error| CommandError::Other(format!("the answer cannot be written: {error}")));
    match ended.and(written) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CommandError::Differences) {
                terminal::note(format!("botloom: {error}"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: Cli) -> CommandResult {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Serve(args) => commands::serve::serve(config, args),
        Command::Migrate => block_on(commands::migrate::migrate(config)),
        Command::Move { to } => block_on(commands::move_installation::move_installation(config, to)),
        Command::Repair => block_on(commands::lanes::repair(config)),
        Command::RotateMasterKey => block_on(commands::rotate_master_key::rotate_master_key(config)),
        Command::Spread { bot, shards } => block_on(commands::lanes::spread(config, &bot, shards)),
        Command::Health { server } => ask(commands::health::health(&server)),
        Command::Validate { file, json } => commands::validate::validate(&file, json),
        Command::Compile { file, out } => commands::compile::compile(&file, out.as_deref()),
        Command::Simulate(args) => block_on(commands::simulate::simulate(config, &args)),
        Command::Setup { login } => ask(commands::apply::setup(&login)),
        Command::Pull(args) => ask(commands::folder::pull(&args)),
        Command::Diff(args) => ask(commands::folder::diff(&args)),
        Command::Apply(args) if args.file.is_dir() => ask(commands::folder::apply(&args)),
        Command::Apply(args) => ask(commands::folder::apply_file(&args)),
        Command::Deploy(args) => ask(commands::deploy::deploy(&args)),
        Command::Rollback(args) => ask(commands::rollback::rollback(&args)),
        Command::Versions(command) => ask(commands::versions::versions(command)),
        Command::Revisions(args) => ask(commands::deployments::revisions(&args)),
        Command::Deployments(command) => ask(commands::deployments::deployments(command)),
        // Whoever follows ends it so; what ends the command's session may hear of it before the command does.
        Command::Events(args) => match ask(commands::events::events(&args)) {
            Err(CommandError::Stopped(signal)) if signal == SignalKind::interrupt().as_raw_value() => Ok(()),
            ended => ended,
        },
        Command::Disconnect { bot, at } => ask(commands::disconnect::disconnect(&bot, &at)),
        Command::Connect {
            bot,
            connection,
            login,
        } => ask(commands::apply::connect(&bot, &connection, &login)),
        Command::Chats(command) => ask(commands::chats::chats(command)),
        Command::DeadLetters(command) => ask(commands::dead_letters::dead_letters(command)),
        Command::Analytics(args) => ask(commands::analytics::analytics(&args)),
        Command::LogIn { login } => ask(commands::sessions::log_in(&login)),
        Command::Logout { server } => ask(commands::sessions::log_out(&server)),
        Command::Bots(command) => ask(commands::bots::bots(command)),
        Command::Promote(args) => ask(commands::promote::promote(&args)),
        Command::Projects(command) => ask(commands::projects::projects(command)),
        Command::Sessions(command) => ask(commands::sessions::sessions(command)),
        Command::Password(args) => ask(commands::sessions::change_password(&args)),
        Command::NewBot(args) => ask(commands::new_bot::new_bot(&args)),
        Command::Members(command) => ask(commands::members::members(command)),
        Command::Tokens(command) => ask(commands::tokens::tokens(command)),
        Command::Webhooks(command) => ask(commands::webhooks::webhooks(command)),
        Command::Audit(args) => ask(commands::audit::audit(&args)),
        Command::SandboxRun { file, body, input } => block_on(commands::sandbox_run::sandbox_run(
            config,
            &file,
            body,
            input.as_deref(),
        )),
        Command::Simulator(args) => block_on(commands::simulator::simulator(&args)),
        Command::Config { reference: true } => {
            terminal::say(config::reference().trim_end());
            Ok(())
        }
        Command::Config { reference: false } => commands::config::config(config),
        Command::Openapi => {
            terminal::say(botloom_control_plane::openapi_json().trim_end());
            Ok(())
        }
        Command::Schema => {
            terminal::say(botloom_spec::schema_json().trim_end());
            Ok(())
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "botloom", &mut script);
            terminal::say(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Command::SandboxWorker => Ok(()),
    }
}

fn block_on(command: impl Future<Output = CommandResult>) -> CommandResult {
    runtime()?.block_on(command)
}

/// Runs a command that asks a server.
fn ask(command: impl Future<Output = CommandResult>) -> CommandResult {
    let runtime = runtime()?;
    let outcome = runtime.block_on(api_client::ended_after(command));
    // Somebody may still be asked something.
    runtime.shutdown_background();
    outcome
}

fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CommandError::Start(error.to_string()))
}
