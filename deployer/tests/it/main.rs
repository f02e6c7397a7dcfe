//! Tests of the deployer. What needs a running server is tested in `server`.

mod machine;
