//! What tests of several stores share.

pub mod redis;
