//! What the sandbox tells the metrics recorder. Handles are made once: looking one up by name costs as much as a call
//! may.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::outcome::{NAMES, Outcome};

/// Handles to all meters of a pool.
pub(super) struct Meters {
    outcomes: [Counter; NAMES.len()],
    pub(super) call_seconds: Histogram,
    pub(super) loads: Counter,
    pub(super) load_seconds: Histogram,
    pub(super) heap_bytes: Histogram,
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    bytecode_hits: Counter,
    bytecode_misses: Counter,
    pub(super) compiled: Counter,
    pub(super) evictions: Counter,
    pub(super) kills: Counter,
    pub(super) crashes: Counter,
    pub(super) retirements: Counter,
    pub(super) loaded: Gauge,
    pub(super) workers: Gauge,
    pub(super) memory_bytes: Gauge,
    pub(super) worker_starts: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            outcomes: NAMES.map(|name| counter!("botloom_sandbox_calls_total", "outcome" => name)),
            call_seconds: histogram!("botloom_sandbox_call_seconds"),
            loads: counter!("botloom_sandbox_loads_total"),
            load_seconds: histogram!("botloom_sandbox_load_seconds"),
            heap_bytes: histogram!("botloom_sandbox_heap_bytes"),
            hits: counter!("botloom_cache_requests_total", "tier" => "runtime", "result" => "hit"),
            misses: counter!("botloom_cache_requests_total", "tier" => "runtime", "result" => "miss"),
            bytecode_hits: counter!("botloom_cache_requests_total", "tier" => "bytecode", "result" => "hit"),
            bytecode_misses: counter!("botloom_cache_requests_total", "tier" => "bytecode", "result" => "miss"),
            compiled: counter!("botloom_sandbox_compiled_total"),
            evictions: counter!("botloom_sandbox_evictions_total"),
            kills: counter!("botloom_sandbox_kills_total"),
            crashes: counter!("botloom_sandbox_crashes_total"),
            retirements: counter!("botloom_sandbox_retirements_total"),
            loaded: gauge!("botloom_sandbox_loaded_revisions"),
            workers: gauge!("botloom_sandbox_workers"),
            memory_bytes: gauge!("botloom_sandbox_memory_bytes"),
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
