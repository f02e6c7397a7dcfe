//! Tests of the runtime over real processes and sockets.

mod cluster;
mod conversation;
mod directory;
mod draining;
mod fairness;
mod flips;
mod ingress;
mod leases;
mod order;
mod outages;
mod outcomes;
mod outside;
mod pausing;
mod poison;
mod polling;
mod probing;
mod repeating;
mod sandbox;
mod sending;
mod ssrf;
mod support;
mod telling;
