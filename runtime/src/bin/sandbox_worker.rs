//! A sandbox worker for tests. With `--probe` it tries what a worker must not be able to do, right after it gave up its
//! rights, and writes one line per attempt to the channel instead of saying hello. With `--lie <how>` it behaves like
//! one that was taken over. With `--host` it is a node: it calls code that no engine can stop, for ever, and writes the
//! process ids of its workers to standard output.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use botloom_core::TimestampMs;
use botloom_runtime::sandbox::{CallOptions, Pool, PoolOptions, Source, WorkerCommand, worker, wrap_body};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--probe"] => worker::run(probe),
        ["--host"] => host(),
        ["--lie", how] => lie(how).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        _ => worker::main(),
    }
}

fn host() -> ExitCode {
    let command = WorkerCommand {
        program: "/proc/self/exe".into(),
        args: vec![],
    };
    let options = PoolOptions {
        workers: 1,
        spares: 0,
        budget: Duration::from_hours(1),
        command,
        ..PoolOptions::default()
    };
    let endless = Source::text(wrap_body("[].reverse.call({ length: 2 ** 53 - 1 });"));
    let call = CallOptions {
        budget: None,
        seed: 0,
        now: TimestampMs(0),
        fresh: false,
    };
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
    else {
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(async {
        let pool = Pool::start(options, CancellationToken::new()).await.ok()?;
        let calling = tokio::spawn({
            let pool = pool.clone();
            async move { pool.call(&endless, "{}".to_owned(), call).await }
        });
        while pool.status().workers.len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let pids: Vec<_> = pool.status().workers.iter().map(u32::to_string).collect();
        std::io::stdout()
            .write_all(format!("{}\n", pids.join(" ")).as_bytes())
            .ok()?;
        calling.await.ok()
    });
    ended.map_or(ExitCode::FAILURE, |_| ExitCode::SUCCESS)
}

/// A frame whose header tells the truth.
fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap_or(0).to_le_bytes();
    [length.as_slice(), &[kind], body].concat()
}

fn lie(how: &str) -> std::io::Result<()> {
    use std::os::fd::AsFd;
    let mut channel = std::os::unix::net::UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut heard = vec![0; 64 * 1024];
    if how == "exit" || channel.read(&mut heard)? == 0 {
        return Ok(());
    }
    // Hello, version 2, every protection claimed.
    channel.write_all(&frame(0, &[2, 0, 0, 0, 63]))?;
    // A load, and a call behind it.
    if channel.read(&mut heard)? == 0 {
        return Ok(());
    }
    let loaded = frame(1, &[0; 4]);
    // Outcome ok, no flags, no place, no message; then the text.
    let done = |text: &[u8]| [loaded.clone(), frame(3, &[&[0; 14], text].concat())].concat();
    let answer = match how {
        "huge" => vec![255, 255, 255, 255, 3, 0],
        "empty" => vec![0, 0, 0, 0],
        "unknown" => frame(99, &[]),
        "short" => [loaded, frame(3, &[0, 0, 1])].concat(),
        "unasked" => frame(6, &[]),
        "not text" => done(&[0xff, 0xfe]),
        "not json" => done(b"{"),
        "deep" => done(&b"[".repeat(60_000)),
        "long" => [loaded, frame(3, &b"x".repeat(300_000))].concat(),
        "twice" => [done(b"{}"), frame(5, &[]), frame(5, &[])].concat(),
        _ => loaded[..3].to_vec(),
    };
    channel.write_all(&answer)?;
    while channel.read(&mut heard)? > 0 {}
    Ok(())
}

fn probe(protections: worker::Protections) {
    let mut lines = vec![format!("missing {:?}\n", protections.missing())];
    let mut tell = |what: &str, result: std::io::Result<()>| {
        let result = result.map_or_else(
            |error| format!("refused {}", error.raw_os_error().unwrap_or(0)),
            |()| "DONE".to_owned(),
        );
        lines.push(format!("{what} {result}\n"));
    };
    tell("open", std::fs::File::open("/etc/hostname").map(drop));
    tell(
        "create",
        std::fs::File::create("/tmp/botloom-sandbox-probe").map(drop),
    );
    tell("list", std::fs::read_dir("/").map(drop));
    tell("tcp", std::net::TcpListener::bind("127.0.0.1:0").map(drop));
    tell("udp", std::net::UdpSocket::bind("127.0.0.1:0").map(drop));
    tell("unix", std::os::unix::net::UnixStream::pair().map(drop));
    tell("exec", std::process::Command::new("/bin/true").status().map(drop));
    tell("thread", std::thread::Builder::new().spawn(|| ()).map(drop));
    tell(
        "kill",
        rustix::process::kill_process(rustix::process::Pid::INIT, rustix::process::Signal::URG)
            .map_err(Into::into),
    );
    tell(
        "write to another descriptor",
        rustix::io::write(std::io::stderr(), b"x")
            .map(drop)
            .map_err(Into::into),
    );
    let environment = std::env::vars_os().count();
    lines.push(format!("environment {environment}\n"));
    // The channel is standard input.
    let _ = rustix::io::write(std::io::stdin(), lines.concat().as_bytes());
}
