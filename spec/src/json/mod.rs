//! JSON in and out: a strict reader and the canonical form.

mod canonical;
mod reader;

pub use canonical::canonical;
pub(crate) use reader::read;
