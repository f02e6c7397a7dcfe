//! Every port twice: embedded and services; the only crate that knows the databases.
