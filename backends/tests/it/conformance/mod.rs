//! Every case of every suite, on every backend; one file per kind of installation.

mod embedded;
mod postgres;
mod redis;
