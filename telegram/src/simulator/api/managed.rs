//! Bots that a bot manages: their tokens.

use serde_json::Value;

use crate::simulator::params::Params;
use crate::simulator::reply::{Outcome, Refusal};
use crate::simulator::world::World;

pub(super) fn token(world: &mut World, bot: i64, method: &str, params: &Params) -> Outcome {
    let id = params.int("user_id").unwrap_or_default();
    let managed = world.bots.get(&id).is_some_and(|one| one.manager == Some(bot));
    if !managed {
        return Err(Refusal::bad("user not found"));
    }
    if method == "replaceManagedBotToken" {
        world
            .replace_token(id)
            .map_err(|_| Refusal::new(500, "Internal Server Error"))?;
    }
    let token = world.bots.get(&id).map(|one| one.token.expose().to_owned());
    Ok(token.map_or(Value::Null, Value::String))
}
