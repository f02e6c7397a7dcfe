//! `botloom analytics`: what a bot's telemetry says, as a table.

use clap::ValueEnum as _;
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

use super::listing::{segment, show};
use crate::api_client::Api;
use crate::cli::operating::{AnalyticsArgs, AskArg, IntervalArg};
use crate::error::CommandResult;
use crate::terminal::say;

/// Asks, and prints the answer.
pub(crate) async fn analytics(args: &AnalyticsArgs) -> CommandResult {
    let api = Api::login(&args.shown.login).await?;
    let mut query = Serializer::new(String::new());
    for (name, value) in [
        ("from", &args.from),
        ("to", &args.to),
        ("timezone", &args.timezone),
        ("flow", &args.flow),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    if let Some(interval) = args.interval {
        let name = match interval {
            IntervalArg::Hour => "hour",
            IntervalArg::Day => "day",
        };
        query.append_pair("interval", name);
    }
    let mut path = format!("/bots/{}/analytics", segment(&args.bot));
    let named = args
        .ask
        .to_possible_value()
        .filter(|_| args.ask != AskArg::Totals);
    if let Some(named) = named {
        path = format!("{path}/{}", named.get_name());
    }
    let answer = api.get(&format!("{path}?{}", query.finish())).await?.ok()?;
    if args.shown.json {
        say(answer);
        return Ok(());
    }
    let columns: Vec<String> = texts(&answer["columns"]);
    let rows: Vec<Value> = answer["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| as_object(row, &columns))
        .collect();
    let titles: Vec<(String, String)> = columns
        .iter()
        .map(|column| (column.to_uppercase(), format!("/{column}")))
        .collect();
    let mut shown = Vec::new();
    if args.ask != AskArg::Totals {
        shown.push(("", "/"));
    }
    shown.extend(titles.iter().map(|(title, at)| (title.as_str(), at.as_str())));
    show(&rows, false, &shown);
    Ok(())
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// A row by the names of its columns; what it is about has an empty name.
fn as_object(row: &Value, columns: &[String]) -> Value {
    let values = row["values"].as_array().into_iter().flatten();
    let mut object: Map<String, Value> = columns.iter().cloned().zip(values.cloned()).collect();
    object.insert(String::new(), row["key"].clone());
    Value::Object(object)
}
