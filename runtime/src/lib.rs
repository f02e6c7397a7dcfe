//! Update to sandbox to message: ingress, lanes, sandbox workers, outbox, simulator.
