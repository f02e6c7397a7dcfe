//! `apiCall`: call a JSON API.

use botloom_spec::step::{ApiCall, Scalar};
use serde_json::Value;

use super::optional;
use crate::ir::{Data, Fields};

pub(super) fn lower(step: &ApiCall) -> Fields {
    let texts = |table: &std::collections::BTreeMap<String, String>| {
        Data::Named(
            table
                .iter()
                .map(|(name, text)| (name.clone(), text.as_str().into()))
                .collect(),
        )
    };
    let query = step
        .query
        .iter()
        .map(|(name, value)| (name.clone(), scalar(value)));
    let backoff = vec![
        ("baseMs", step.backoff.base_ms.into()),
        ("factor", Data::Json(step.backoff.factor.into())),
    ];
    let mut fields = vec![
        ("method", step.method.as_str().into()),
        ("url", step.url.as_str().into()),
        ("headers", texts(&step.headers)),
        ("query", Data::Named(query.collect())),
    ];
    optional(&mut fields, "body", step.body.clone().map(Data::Json));
    fields.push(("timeoutMs", step.timeout_ms.into()));
    fields.push(("retries", step.retries.into()));
    fields.push(("backoff", Data::Fields(backoff)));
    fields.push(("map", texts(&step.map)));
    optional(&mut fields, "onError", step.on_error.goto.as_deref());
    fields
}

fn scalar(value: &Scalar) -> Data {
    Data::Json(match value {
        Scalar::Text(text) => Value::String(text.clone()),
        Scalar::Number(number) => Value::Number(number.clone()),
        Scalar::Boolean(boolean) => Value::Bool(*boolean),
    })
}
