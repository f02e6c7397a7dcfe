//! What every route shares: reading bodies and parameters strictly, and the outermost layer.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod cors;
pub(crate) mod fields;
pub(crate) mod host;
pub(crate) mod json;
pub(crate) mod outermost;
pub(crate) mod page;
pub(crate) mod query;
