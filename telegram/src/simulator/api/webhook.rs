//! `setWebhook`, `deleteWebhook`, `getWebhookInfo`.

use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::simulator::delivery;
use crate::simulator::lanes::Lanes;
use crate::simulator::params::Params;
use crate::simulator::reply::{Outcome, Refusal};
use crate::simulator::world::{Shared, Webhook, World};
use crate::update::Known;

/// Deliveries at a time where the bot does not say.
const USUAL_CONNECTIONS: u32 = 40;

pub(super) fn set(shared: &Arc<Shared>, world: &mut World, bot: i64, params: &Params) -> Outcome {
    let url_text = params.text("url").unwrap_or_default();
    if url_text.is_empty() {
        return delete(world, bot, params);
    }
    // As a local server does: plain HTTP and any port will do.
    let url = url::Url::parse(&url_text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .ok_or_else(|| Refusal::bad("invalid webhook URL specified"))?;
    let secret = params.text("secret_token").filter(|secret| !secret.is_empty());
    if let Some(secret) = &secret {
        if secret.len() > 256 {
            return Err(Refusal::bad("secret token is too long"));
        }
        if !secret
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        {
            return Err(Refusal::bad("secret token contains unallowed characters"));
        }
    }
    let allowed = params.typed::<Vec<String>>("allowed_updates")?;
    let connections = params
        .int("max_connections")
        .and_then(|n| u32::try_from(n.clamp(1, 100)).ok());
    let max_connections = connections.unwrap_or(USUAL_CONNECTIONS);
    let ip_address = params.text("ip_address").filter(|address| !address.is_empty());
    let has_certificate = params.has("certificate");

    let now = shared.clock.now();
    let state = world
        .bots
        .get_mut(&bot)
        .ok_or_else(|| Refusal::new(401, "Unauthorized"))?;
    let same = state.webhook.as_ref().is_some_and(|old| {
        old.url_text == url_text
            && old.secret == secret
            && old.max_connections == max_connections
            && old.ip_address == ip_address
            && !has_certificate
    });
    let drop_pending = params.flag("drop_pending_updates");
    if !same && let Some(rate) = shared.options.flood.set_webhook {
        state
            .webhook_changes
            .take(rate, now, 0)
            .map_err(Refusal::retry_after)?;
    }
    if let Some(names) = &allowed {
        state.allowed = Known::recognised(names);
    }
    if same && !drop_pending {
        return Ok(true.into());
    }
    state.end_webhook();
    state.end_poll_for_webhook();
    if drop_pending {
        state.queue.pending.clear();
    }
    let mut lanes = Lanes::default();
    for (id, update) in &state.queue.pending {
        lanes.push(update.lane, *id);
    }
    let ended = CancellationToken::new();
    state.webhook = Some(Webhook {
        url,
        url_text,
        secret,
        max_connections,
        ip_address,
        has_certificate,
        lanes,
        last_error: None,
        gone_since: None,
        ended: ended.clone(),
    });
    delivery::spawn(shared, bot, ended);
    Ok(true.into())
}

pub(super) fn delete(world: &mut World, bot: i64, params: &Params) -> Outcome {
    let state = world
        .bots
        .get_mut(&bot)
        .ok_or_else(|| Refusal::new(401, "Unauthorized"))?;
    state.end_webhook();
    if params.flag("drop_pending_updates") {
        state.queue.pending.clear();
    }
    Ok(true.into())
}

pub(super) fn info(shared: &Shared, world: &mut World, bot: i64) -> Outcome {
    let state = world
        .bots
        .get_mut(&bot)
        .ok_or_else(|| Refusal::new(401, "Unauthorized"))?;
    state.queue.expire(shared.clock.now());
    let mut info = json!({
        "url": "",
        "has_custom_certificate": false,
        "pending_update_count": state.queue.pending.len(),
    });
    if let Some(webhook) = &state.webhook {
        info["url"] = webhook.url_text.as_str().into();
        info["has_custom_certificate"] = webhook.has_certificate.into();
        info["max_connections"] = webhook.max_connections.into();
        let address = webhook.ip_address.as_deref().or_else(|| webhook.url.host_str());
        if let Some(address) = address {
            info["ip_address"] = address.into();
        }
        if let Some((date, words)) = &webhook.last_error {
            info["last_error_date"] = (*date).into();
            info["last_error_message"] = words.as_str().into();
        }
    }
    if let Some(allowed) = &state.allowed {
        info["allowed_updates"] = json!(allowed);
    }
    Ok(info)
}
