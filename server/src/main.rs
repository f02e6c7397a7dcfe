//! The one binary: roles, wiring, configuration, command line.

fn main() {}
