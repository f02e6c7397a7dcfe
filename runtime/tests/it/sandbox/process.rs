//! Worker processes: what they may do, and what happens when they end.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use botloom_runtime::sandbox::{CallOptions, Error, Outcome, Pool, PoolOptions, Protections, one_shot};
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use super::{GOOD, LEISURE, body, call, command, fresh, input, options, pool, run};

fn alive(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie is not alive, but it is not buried either.
    !state.is_empty()
}

/// As [`alive`], for processes that somebody else has to bury.
fn runs(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !matches!(
        state.rsplit(") ").next().and_then(|rest| rest.chars().next()),
        None | Some('Z' | 'X')
    )
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

#[test]
fn a_worker_can_do_nothing_but_answer() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut child = Command::new(command(&[]).program)
        .arg("--probe")
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The first frame of a connection: version 2, 16 MiB heap, 256 KiB stack, 512 MiB address space.
    let mut start = vec![21, 0, 0, 0, 0, 2, 0, 0, 0];
    start.extend((16_u32 << 20).to_le_bytes());
    start.extend((256_u32 << 10).to_le_bytes());
    start.extend((512_u64 << 20).to_le_bytes());
    std::io::Write::write_all(&mut ours, &start).unwrap();
    let mut report = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&report).contains("environment") {
        let read = ours.read(&mut chunk).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&report));
        report.extend_from_slice(&chunk[..read]);
    }
    let report = String::from_utf8_lossy(&report);
    let report = &report[..report.find("environment 0\n").expect("no environment") + "environment 0\n".len()];
    insta::assert_snapshot!(report);
    drop(ours);
    assert!(
        child.wait().unwrap().code().is_some(),
        "it ends by itself when its channel closes"
    );
}

#[tokio::test]
async fn workers_hold_nothing_of_the_node() {
    // A descriptor that every child inherits, as a careless library would leave it.
    let inherited = std::fs::File::open("/proc/self/stat").unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let (pool, _guard) = pool(options()).await;
    let status = pool.status();
    assert_eq!(status.protections.missing(), Vec::<&str>::new());
    assert!(status.protections.has(Protections::SECCOMP));
    for pid in status.workers {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count);
        assert!(fds.as_ref().map_or(true, |fds| *fds <= 4), "{fds:?}");
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        assert_eq!(environment, b"");
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        let limit = |name: &str| {
            let line = limits
                .lines()
                .find(|line| line.starts_with(name))
                .map(|line| line[26..46].trim().to_owned());
            line.unwrap_or_default()
        };
        for (name, value) in [
            ("Max address space", "536870912"),
            ("Max open files", "3"),
            ("Max processes", "0"),
            ("Max file size", "0"),
            ("Max core file size", "0"),
        ] {
            assert_eq!(limit(name), value, "{name}");
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
            assert!(status.contains(line), "{line} in {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_in_a_call_takes_only_that_call_with_it() {
    let (pool, _guard) = pool(PoolOptions {
        workers: 1,
        ..options()
    })
    .await;
    let (endless, good) = (body("for (;;);"), body(GOOD));
    // One that serves, one for suspects.
    until("both workers are there", || pool.status().workers.len() == 2).await;
    let before = pool.status().workers;
    let guilty = tokio::spawn({
        let pool = pool.clone();
        async move {
            run(
                &pool,
                &endless,
                CallOptions {
                    budget: Some(LEISURE * 6),
                    ..call()
                },
            )
            .await
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    // These wait behind it in the same process.
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (pool, good) = (pool.clone(), good.clone());
            tokio::spawn(async move { run(&pool, &good, call()).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for pid in &before {
        let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
    assert!(matches!(guilty.await.unwrap().outcome, Outcome::WorkerCrashed));
    for call in waiting {
        assert_eq!(call.await.unwrap().outcome.name(), "ok");
    }
    until("the dead are buried", || before.iter().all(|pid| !alive(*pid))).await;
    until("they are replaced", || pool.status().workers.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watchdog_kills_what_the_engine_cannot_stop_and_others_do_not_notice() {
    let (pool, _guard) = pool(PoolOptions {
        workers: 1,
        budget: Duration::from_millis(50),
        ..options()
    })
    .await;
    let (native, good) = (body("[].reverse.call({length: 2 ** 53 - 1})"), body(GOOD));
    let patient = CallOptions {
        budget: Some(LEISURE),
        ..call()
    };
    let first = tokio::spawn({
        let (pool, native) = (pool.clone(), native.clone());
        async move { run(&pool, &native, call()).await }
    });
    let others: Vec<_> = (0..30)
        .map(|_| {
            let (pool, good) = (pool.clone(), good.clone());
            tokio::spawn(async move { run(&pool, &good, patient).await })
        })
        .collect();
    assert!(matches!(first.await.unwrap().outcome, Outcome::CpuLimit));
    for other in others {
        assert_eq!(other.await.unwrap().outcome.name(), "ok");
    }
    // From now on it is served apart: the worker of the others survives.
    until("both workers are there", || pool.status().workers.len() == 2).await;
    let workers = pool.status().workers;
    for _ in 0..3 {
        assert!(matches!(
            run(&pool, &native, call()).await.outcome,
            Outcome::CpuLimit
        ));
        assert_eq!(run(&pool, &good, patient).await.outcome.name(), "ok");
    }
    let after = pool.status().workers;
    assert_eq!(
        workers.iter().filter(|pid| after.contains(pid)).count(),
        1,
        "{workers:?} {after:?}"
    );
}

#[tokio::test]
async fn workers_end_with_their_pool() {
    let (pool, guard) = pool(options()).await;
    let workers = pool.status().workers;
    assert!(workers.iter().all(|pid| alive(*pid)));
    drop(guard);
    until("workers are gone", || workers.iter().all(|pid| !alive(*pid))).await;
    assert!(matches!(
        pool.call(&body(GOOD), input("null"), call()).await,
        Err(Error::Closed)
    ));
}

#[tokio::test]
async fn workers_end_with_the_node_even_if_nothing_can_stop_them() {
    let mut node = Command::new(command(&[]).program)
        .arg("--host")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pids = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(node.stdout.take().unwrap()),
        &mut pids,
    )
    .unwrap();
    let pids: Vec<u32> = pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    // One of them is deep in native code by then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(pids.iter().all(|pid| alive(*pid)));
    node.kill().unwrap();
    node.wait().unwrap();
    until("orphans are gone", || pids.iter().all(|pid| !runs(*pid))).await;
}

#[tokio::test]
async fn workers_end_with_the_last_handle() {
    let pool = Pool::start(options(), CancellationToken::new()).await.unwrap();
    let workers = pool.status().workers;
    drop(pool);
    until("workers are gone", || workers.iter().all(|pid| !alive(*pid))).await;
}

#[tokio::test]
async fn a_cancelled_call_hurts_nobody() {
    let (pool, _guard) = pool(options()).await;
    let (slow, good) = (body("for (let i = 0; i < 3e6; i++); return {}"), body(GOOD));
    for _ in 0..10 {
        let call = tokio::time::timeout(Duration::from_micros(200), run(&pool, &slow, call())).await;
        drop(call);
        assert_eq!(run(&pool, &good, super::call()).await.outcome.name(), "ok");
    }
}

#[tokio::test]
async fn one_shot_runs_a_body_in_a_worker_of_its_own() {
    let budget = PoolOptions {
        budget: Duration::from_millis(50),
        ..options()
    };
    let bad = one_shot(budget, &body("while (true) {}"), input("null"), fresh())
        .await
        .unwrap();
    assert_eq!((bad.outcome, bad.result.is_none()), ("cpu_limit", true));
    assert!(bad.wall_ms >= 50.0, "{}", bad.wall_ms);
    let good = one_shot(options(), &body(GOOD), input("{\"n\":4}"), fresh())
        .await
        .unwrap();
    let mut good = serde_json::to_value(good).unwrap();
    good["wallMs"] = 0.into();
    insta::assert_json_snapshot!(good);
    let odd = one_shot(options(), &body("return [1, 2]"), input("null"), fresh())
        .await
        .unwrap();
    assert_eq!((odd.outcome, odd.result.unwrap().get()), ("bad_result", "[1,2]"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_ends_as_it_is_killed_is_not_laid_at_the_door_of_the_next() {
    const BUDGET: Duration = Duration::from_millis(20);
    let (pool, _guard) = pool(PoolOptions {
        workers: 1,
        budget: BUDGET,
        ..options()
    })
    .await;
    let patient = CallOptions {
        budget: Some(LEISURE),
        ..call()
    };
    let good = body(GOOD);
    // Work that the engine's clock does not see, as long as the watchdog waits: less after a kill, else more.
    let mut length = 100_000.0;
    for _ in 0..400 {
        let slow = body(&format!("[].reverse.call({{length: {length:.0}}}); return {{}};"));
        let (first, next) = tokio::join!(run(&pool, &slow, call()), run(&pool, &good, patient));
        assert_eq!(next.outcome.name(), "ok");
        length *= if first.outcome.name() == "cpu_limit" {
            0.9
        } else {
            1.05
        };
    }
}
