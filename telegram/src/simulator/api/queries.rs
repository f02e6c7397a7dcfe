//! Answers to presses, inline queries and payment questions.

use crate::simulator::params::Params;
use crate::simulator::reply::{Outcome, Refusal};
use crate::simulator::world::{Shared, World};

/// Longest text of an answered press, in characters.
const MAX_CALLBACK_TEXT: usize = 200;
/// Results of an inline query.
const MAX_RESULTS: usize = 50;

pub(super) fn answer(shared: &Shared, world: &mut World, bot: i64, method: &str, params: &Params) -> Outcome {
    let name = match method {
        "answerCallbackQuery" => "callback_query_id",
        "answerInlineQuery" => "inline_query_id",
        "answerPreCheckoutQuery" => "pre_checkout_query_id",
        _ => "shipping_query_id",
    };
    if method == "answerCallbackQuery"
        && params
            .text("text")
            .is_some_and(|text| text.chars().count() > MAX_CALLBACK_TEXT)
    {
        return Err(Refusal::bad("MESSAGE_TOO_LONG"));
    }
    if params
        .json("results")?
        .and_then(|r| r.as_array().map(Vec::len))
        .is_some_and(|n| n > MAX_RESULTS)
    {
        return Err(Refusal::bad("RESULTS_TOO_MUCH"));
    }
    let now = shared.clock.now();
    let accept_unknown = world.accept_unknown;
    let id = params.text(name).unwrap_or_default();
    let query = world.bots.get_mut(&bot).and_then(|bot| bot.queries.remove(&id));
    match query {
        Some(query) if query.method == method && query.expires > now => Ok(true.into()),
        None if accept_unknown => Ok(true.into()),
        _ => Err(Refusal::bad(
            "query is too old and response timeout expired or query ID is invalid",
        )),
    }
}
