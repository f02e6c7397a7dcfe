//! What the sandbox tells the metrics recorder. Handles are made once: looking one up by name costs as much as a call
//! may.

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

use super::outcome::{NAMES, Outcome};

/// Handles to all meters of a pool.
pub(super) struct Meters {
    outcomes: [Counter; NAMES.len()],
    pub(super) call_seconds: Histogram,
    pub(super) loads: Counter,
    pub(super) load_seconds: Histogram,
    pub(super) heap_bytes: Histogram,
    pub(super) hits: Counter,
    pub(super) runtime_hits: Counter,
    pub(super) runtime_misses: Counter,
    bytecode_hits: Counter,
    bytecode_misses: Counter,
    pub(super) compiled: Counter,
    pub(super) evictions: Counter,
    pub(super) kills: Counter,
    pub(super) crashes: Counter,
    pub(super) retirements: Counter,
    pub(super) loaded: Gauge,
    pub(super) workers: Gauge,
    pub(super) worker_starts: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        describe_counter!("botloom_sandbox_calls_total", "Calls of bot code by outcome");
        describe_histogram!(
            "botloom_sandbox_call_seconds",
            "Wall time of a call in its worker"
        );
        describe_counter!("botloom_sandbox_loads_total", "Revisions loaded into a worker");
        describe_histogram!(
            "botloom_sandbox_load_seconds",
            "Wall time of a load in its worker"
        );
        describe_histogram!(
            "botloom_sandbox_heap_bytes",
            "Heap of a revision right after its load"
        );
        describe_counter!(
            "botloom_sandbox_cache_hits_total",
            "Calls that found their revision loaded"
        );
        describe_counter!(
            "botloom_cache_hits_total",
            "Look-ups that found a revision, by tier: a loaded runtime, its bytecode"
        );
        describe_counter!(
            "botloom_cache_misses_total",
            "Look-ups that did not find a revision, by tier"
        );
        describe_counter!(
            "botloom_sandbox_compiled_total",
            "Sources whose bytecode was made"
        );
        describe_counter!(
            "botloom_sandbox_evictions_total",
            "Revisions unloaded to make room or because they were idle"
        );
        describe_counter!("botloom_sandbox_kills_total", "Workers killed by the watchdog");
        describe_counter!(
            "botloom_sandbox_crashes_total",
            "Workers that ended by themselves"
        );
        describe_counter!(
            "botloom_sandbox_retirements_total",
            "Workers replaced after the engine ran out of memory"
        );
        describe_gauge!(
            "botloom_sandbox_loaded_revisions",
            "Revisions loaded at the moment, over all workers"
        );
        describe_gauge!(
            "botloom_sandbox_workers",
            "Workers that serve calls at the moment"
        );
        describe_counter!("botloom_sandbox_worker_starts_total", "Worker processes started");
        Self {
            outcomes: NAMES.map(|name| counter!("botloom_sandbox_calls_total", "outcome" => name)),
            call_seconds: histogram!("botloom_sandbox_call_seconds"),
            loads: counter!("botloom_sandbox_loads_total"),
            load_seconds: histogram!("botloom_sandbox_load_seconds"),
            heap_bytes: histogram!("botloom_sandbox_heap_bytes"),
            hits: counter!("botloom_sandbox_cache_hits_total"),
            runtime_hits: counter!("botloom_cache_hits_total", "tier" => "runtime"),
            runtime_misses: counter!("botloom_cache_misses_total", "tier" => "runtime"),
            bytecode_hits: counter!("botloom_cache_hits_total", "tier" => "bytecode"),
            bytecode_misses: counter!("botloom_cache_misses_total", "tier" => "bytecode"),
            compiled: counter!("botloom_sandbox_compiled_total"),
            evictions: counter!("botloom_sandbox_evictions_total"),
            kills: counter!("botloom_sandbox_kills_total"),
            crashes: counter!("botloom_sandbox_crashes_total"),
            retirements: counter!("botloom_sandbox_retirements_total"),
            loaded: gauge!("botloom_sandbox_loaded_revisions"),
            workers: gauge!("botloom_sandbox_workers"),
            worker_starts: counter!("botloom_sandbox_worker_starts_total"),
        }
    }

    pub(super) fn looked_for_bytecode(&self, found: bool) {
        if found {
            &self.bytecode_hits
        } else {
            &self.bytecode_misses
        }
        .increment(1);
    }

    pub(super) fn outcome(&self, outcome: &Outcome) {
        self.outcomes[outcome.index()].increment(1);
    }
}
