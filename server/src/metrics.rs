//! Every metric in one table: what `/metrics` says about them and `docs/metrics.md` are made from it. The crates count;
//! a test compares the names in their sources with this table.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Only grows; asked for with `rate()`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in buckets: `_bucket`, `_sum`, `_count`.
    Histogram,
}

/// One metric.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    shape: Shape,
    /// Label names with the values they can have. Never a bot, a chat or anything else that users make.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the page shows it"))]
    labels: &'static str,
    /// What is counted, with its unit.
    help: &'static str,
}

/// The metrics that show whether one promise is kept.
#[derive(Debug)]
struct Promise {
    /// What is promised.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the page shows it"))]
    title: &'static str,
    metrics: &'static [Metric],
}

const fn counter(name: &'static str, labels: &'static str, help: &'static str) -> Metric {
    let shape = Shape::Counter;
    Metric {
        name,
        shape,
        labels,
        help,
    }
}

const fn gauge(name: &'static str, labels: &'static str, help: &'static str) -> Metric {
    let shape = Shape::Gauge;
    Metric {
        name,
        shape,
        labels,
        help,
    }
}

const fn histogram(name: &'static str, labels: &'static str, help: &'static str) -> Metric {
    let shape = Shape::Histogram;
    Metric {
        name,
        shape,
        labels,
        help,
    }
}

/// The table.
const PROMISES: &[Promise] = &[
    Promise {
        title: "An update that was acknowledged is not lost, and is handled once",
        metrics: &[
            counter(
                "botloom_updates_total",
                "`outcome`: `accepted`, `duplicate`, `overflow`, `malformed`, `busy`, `unavailable`, `wrong_secret`",
                "Updates at the door, from webhooks and polling. `duplicate` is an update that came again; `busy` and `unavailable` were refused and stay with Telegram.",
            ),
            counter(
                "botloom_ingress_answers_total",
                "`status`: HTTP status",
                "Answers to webhook requests.",
            ),
            histogram(
                "botloom_persist_seconds",
                "",
                "From the question to the store to its answer that updates are durable; what Telegram waits for.",
            ),
            counter(
                "botloom_updates_run_total",
                "`outcome`: `handled`, `ignored`, `failed`, `dead_lettered`, `stale`, `fenced`",
                "Updates executed. `stale`: run again because the bot flipped meanwhile; `fenced`: the lease was lost, somebody else has the work (senders included); `failed` counts tries.",
            ),
            counter(
                "botloom_dead_letters_total",
                "`direction`: `in`, `out`; `reason`: a stable code, others as `other`",
                "Updates and messages that were set aside for a person to look at.",
            ),
            counter(
                "botloom_poll_conflicts_total",
                "",
                "Answers of `getUpdates` that somebody else reads the updates of the bot.",
            ),
        ],
    },
    Promise {
        title: "Nobody waits long, and no bot makes others wait",
        metrics: &[
            gauge(
                "botloom_queue_age_seconds",
                "",
                "Age of the oldest update that waits anywhere. The number to scale on; every node reports the same queue.",
            ),
            gauge("botloom_updates_waiting", "", "Updates in all lanes."),
            gauge("botloom_lanes_ready", "", "Chats that wait for a worker."),
            gauge("botloom_lanes_leased", "", "Chats that a worker holds."),
            gauge("botloom_lanes_delayed", "", "Chats that wait for their next try."),
            gauge("botloom_turns_running", "", "Turns under way on this node."),
            histogram(
                "botloom_queue_seconds",
                "",
                "From accepting an update to its first start.",
            ),
            histogram(
                "botloom_handle_seconds",
                "",
                "Wall time of bot code for one commit.",
            ),
            histogram(
                "botloom_commit_seconds",
                "",
                "One commit of a turn in the store of lanes.",
            ),
            histogram(
                "botloom_delivery_seconds",
                "",
                "From accepting an update to Telegram's answer that a message of it was sent, for messages sent by the node that ran the update.",
            ),
        ],
    },
    Promise {
        title: "Whoever's updates do not come is told within a minute",
        metrics: &[
            gauge(
                "botloom_webhooks",
                "`status`: `healthy`, `repairing`, `drifted`, `unknown`",
                "Connected bots by whether Telegram delivers; every node with the role `control-plane` reports the same.",
            ),
            gauge(
                "botloom_webhook_findings",
                "`finding`: a code of [webhooks.md](webhooks.md)",
                "Connected bots of which this was found; a bot may count several times.",
            ),
            gauge(
                "botloom_webhook_moves_held",
                "",
                "1 while nobody is moved to a new public URL, because bots that were moved get no updates there; every node with the role `control-plane` reports the same.",
            ),
            counter(
                "botloom_webhook_checks_total",
                "`result`: `answered`, `unanswered`",
                "Checks of connected bots, by whether Telegram answered.",
            ),
            counter(
                "botloom_webhook_repairs_total",
                "`result`: `done`, `refused`, `held` (asked to wait), `unanswered`",
                "Webhooks that were set without being asked.",
            ),
        ],
    },
    Promise {
        title: "Messages leave in order, once, and no faster than Telegram allows",
        metrics: &[
            counter(
                "botloom_messages_total",
                "`outcome`: `sent`, `flood_wait`, `retried`, `expired`, `dead_lettered`",
                "Messages to Telegram by what became of a try.",
            ),
            counter(
                "botloom_telegram_answers_total",
                "`status`: `200`, `400`, `401`, `403`, `404`, `409`, `429`, `5xx`, `other`, `none`",
                "Answers of the Bot API to messages; `none`: no answer came. The rate of 429 is `rate(botloom_telegram_answers_total{status=\"429\"}[5m])`.",
            ),
            histogram(
                "botloom_send_seconds",
                "",
                "One call of the Bot API for a message.",
            ),
            histogram(
                "botloom_pace_seconds",
                "",
                "What a message waited under its lease for the limits of Telegram.",
            ),
            gauge("botloom_messages_waiting", "", "Messages in all outboxes."),
            counter(
                "botloom_outbound_ambiguous_total",
                "`policy`: `resend`, `skip`",
                "Sends whose outcome nobody knows, by what was done about it.",
            ),
        ],
    },
    Promise {
        title: "Bot code is contained, and warm",
        metrics: &[
            counter(
                "botloom_sandbox_calls_total",
                "`outcome`: `ok`, `script_error`, `cpu_limit`, `memory_limit`, `stack_limit`, `output_limit`, `job_limit`, `bad_result`, `worker_crashed`, `load_failed`",
                "Calls of bot code.",
            ),
            histogram(
                "botloom_sandbox_call_seconds",
                "",
                "Wall time of a call in its worker.",
            ),
            counter(
                "botloom_sandbox_loads_total",
                "",
                "Revisions loaded into a worker.",
            ),
            histogram(
                "botloom_sandbox_load_seconds",
                "",
                "Wall time of a load in its worker.",
            ),
            histogram(
                "botloom_sandbox_heap_bytes",
                "",
                "Heap of a revision right after its load.",
            ),
            counter(
                "botloom_sandbox_kills_total",
                "",
                "Workers killed by the watchdog.",
            ),
            counter(
                "botloom_sandbox_crashes_total",
                "",
                "Workers that ended by themselves.",
            ),
            counter(
                "botloom_sandbox_retirements_total",
                "",
                "Workers replaced after the engine ran out of memory.",
            ),
            counter(
                "botloom_sandbox_worker_starts_total",
                "",
                "Worker processes started; more than the workers there are means restarts.",
            ),
            gauge(
                "botloom_sandbox_workers",
                "",
                "Workers that serve calls at the moment.",
            ),
            gauge(
                "botloom_sandbox_memory_bytes",
                "",
                "Resident memory of the workers that serve calls, added up.",
            ),
            gauge(
                "botloom_sandbox_loaded_revisions",
                "",
                "Revisions loaded at the moment, over all workers.",
            ),
            counter(
                "botloom_sandbox_evictions_total",
                "",
                "Revisions unloaded to make room or because they were idle.",
            ),
            counter(
                "botloom_sandbox_compiled_total",
                "",
                "Sources whose bytecode was made.",
            ),
            counter(
                "botloom_cache_requests_total",
                "`tier`: `runtime` (loaded in a worker), `bytecode` (compiled, in the node's memory), `program` (source in memory), `artifact` (files of the object store on this disk); `result`: `hit`, `miss`",
                "Look-ups of a revision on its way into a worker.",
            ),
            counter(
                "botloom_revision_failures_total",
                "`code`: a stable code",
                "Active revisions that could not be run.",
            ),
        ],
    },
    Promise {
        title: "A flip is atomic, a rollback takes a second",
        metrics: &[
            counter(
                "botloom_flips_total",
                "`kind`: `deploy`, `rollback`",
                "Activations of a revision.",
            ),
            counter(
                "botloom_deployments_total",
                "`kind`: `deploy`, `rollback`; `result`: `succeeded`, `failed`",
                "Deployments that ended on this node.",
            ),
            counter(
                "botloom_auto_rollbacks_total",
                "",
                "Revisions found unhealthy after their flip, for which a rollback was started.",
            ),
            histogram(
                "botloom_deploy_stage_seconds",
                "`stage`: `preflight`, `stage`, `prewarm`, `health`, `flip`, `invalidate`; `result`: `ok`, `away`, `failed`",
                "One try of a stage of a deployment; `away`: what it needs could not be reached.",
            ),
            counter(
                "botloom_epochs_refused_total",
                "",
                "Activations that lost against another one of the same bot.",
            ),
            histogram(
                "botloom_generate_seconds",
                "`result`: `ok`, `failed`, `interrupted`",
                "One generation of a revision.",
            ),
        ],
    },
    Promise {
        title: "Nodes and services may go away and come back",
        metrics: &[
            gauge(
                "botloom_live_nodes",
                "",
                "Nodes that this node knows to be alive, itself included.",
            ),
            counter(
                "botloom_store_errors_total",
                "`store`: `database`, `redis`, `artifacts`, `analytics`",
                "Calls of a store that failed because it was away or too slow.",
            ),
            counter(
                "botloom_bus_lost_total",
                "",
                "Times that the connection of the bus was lost, and notices of other nodes with it; what they say is looked up instead.",
            ),
            gauge(
                "botloom_analytics_spool_bytes",
                "",
                "Telemetry on disk that waits for its store.",
            ),
            counter(
                "botloom_analytics_delivered_total",
                "",
                "Rows of telemetry that left the disk for their store.",
            ),
        ],
    },
    Promise {
        title: "The API answers",
        metrics: &[
            counter(
                "botloom_http_requests_total",
                "`method`, `route` (a template such as `/bots/{bot_id}`), `status`",
                "Requests to the API.",
            ),
            histogram(
                "botloom_http_request_seconds",
                "as above",
                "From the request to the head of the answer.",
            ),
        ],
    },
    Promise {
        title: "What watches does not disturb",
        metrics: &[
            counter(
                "botloom_analytics_dropped_total",
                "",
                "Rows of telemetry that were not stored.",
            ),
            counter(
                "botloom_events_dropped_total",
                "",
                "Live events that were not logged.",
            ),
            counter(
                "botloom_trace_spans_total",
                "`result`: `exported`, `failed`, `dropped`",
                "Spans of recorded traces: sent to the collector, lost because it did not take them, or dropped because too many waited for it.",
            ),
            counter(
                "botloom_restarted_parts_total",
                "`part`",
                "Background parts that ended early and were started again.",
            ),
        ],
    },
];

/// All metrics.
fn all() -> impl Iterator<Item = &'static Metric> {
    PROMISES.iter().flat_map(|promise| promise.metrics)
}

/// Tells the recorder what the metrics mean. To be called once it is installed.
pub(crate) fn describe() {
    for Metric {
        name, shape, help, ..
    } in all()
    {
        match shape {
            Shape::Counter => describe_counter!(*name, *help),
            Shape::Gauge => describe_gauge!(*name, *help),
            Shape::Histogram => describe_histogram!(*name, *help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// `docs/metrics.md`.
    fn page() -> String {
        let mut page = String::from(
            "# Metrics\n\n`GET /metrics` of every node, in the text format of Prometheus. Each table stands for a promise; its numbers show\nwhether it is kept. No label names a bot or a chat: the number of series does not grow with users. Times are\nseconds. A counter with labels may appear with its first event. This page is generated (`make regen`).\n",
        );
        for Promise { title, metrics } in PROMISES {
            page.extend([
                "\n## ",
                title,
                "\n\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n",
            ]);
            for Metric {
                name,
                shape,
                labels,
                help,
            } in *metrics
            {
                let shape = format!("{shape:?}").to_lowercase();
                page.extend(["| `", name, "` | ", &shape, " | ", labels, " | ", help, " |\n"]);
            }
        }
        page
    }

    #[test]
    fn the_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        if std::env::var_os("BOTLOOM_REGEN").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(found, page(), "docs/metrics.md is old: make regen");
    }

    /// Names of metrics in the sources of a crate.
    fn names_in(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names_in(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs")
                && !path.ends_with("server/src/metrics.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                for (at, makes) in ["counter!(", "gauge!(", "histogram!("]
                    .iter()
                    .flat_map(|makes| text.match_indices(makes))
                {
                    let rest = text[at + makes.len()..].trim_start();
                    if let Some(name) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                        found.insert(name.to_owned());
                    }
                }
            }
        }
    }

    #[test]
    fn the_table_has_every_metric_that_is_counted_and_no_other() {
        let mut counted = BTreeSet::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for entry in std::fs::read_dir(root).unwrap() {
            let src = entry.unwrap().path().join("src");
            if src.is_dir() {
                names_in(&src, &mut counted);
            }
        }
        let listed: BTreeSet<String> = all().map(|metric| metric.name.to_owned()).collect();
        assert_eq!(counted, listed);
    }
}
