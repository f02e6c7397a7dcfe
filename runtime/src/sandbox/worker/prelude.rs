//! What bot code finds when it starts.

use rquickjs::function::This;
use rquickjs::{Ctx, Function, Object, Result};

/// Every name of the global object in a sandbox. Published in this module's README; nothing else exists.
pub const GLOBALS: &[&str] = &[
    "AggregateError",
    "Array",
    "BigInt",
    "Boolean",
    "Date",
    "Error",
    "EvalError",
    "Infinity",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "RangeError",
    "ReferenceError",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "WeakMap",
    "WeakSet",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "globalThis",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "undefined",
];

/// What the host keeps of the prelude. Bot code cannot reach it.
pub(super) struct Prelude<'js> {
    /// Freezes an object and all it leads to.
    pub(super) deep_freeze: Function<'js>,
    /// Sets clock and seed of the next call: milliseconds since 1970, low and high half of the seed.
    pub(super) begin: Function<'js>,
}

/// Prepares a new context.
pub(super) fn install<'js>(ctx: &Ctx<'js>) -> Result<Prelude<'js>> {
    let prelude: Function = ctx.eval(include_str!("prelude.js"))?;
    let kept: Object = prelude.call((This(()), GLOBALS.to_vec()))?;
    Ok(Prelude {
        deep_freeze: kept.get("deepFreeze")?,
        begin: kept.get("begin")?,
    })
}
