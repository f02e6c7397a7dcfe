//! Tests of the runtime over real processes and sockets.

mod sandbox;
