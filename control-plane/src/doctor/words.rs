//! Findings in words: what each means, and what to do.

use botloom_core::model::{Found, WebhookFinding};

/// What was found, in a sentence or two.
pub(crate) fn message(found: &Found) -> String {
    let detail = found.detail.as_deref();
    let at = detail.map(|host| format!(" ({host})")).unwrap_or_default();
    let said = detail
        .map(|words| format!(" Telegram says: {}.", words.trim_end_matches('.')))
        .unwrap_or_default();
    match found.finding {
        WebhookFinding::WebhookMissing => {
            "Telegram has no webhook for the bot, so it delivers nothing: somebody removed it, or asks for the updates \
             elsewhere."
                .to_owned()
        }
        WebhookFinding::WebhookForeign => {
            format!("Telegram delivers the bot's updates to another server{at}: somebody connected it there.")
        }
        WebhookFinding::UrlOutdated => {
            "Telegram still delivers to the address that this installation had before.".to_owned()
        }
        WebhookFinding::AllowedUpdatesDiffer => {
            "Telegram is asked for other kinds of updates than the live revision wants.".to_owned()
        }
        WebhookFinding::MaxConnectionsDiffer => {
            "Telegram was told another number of connections than this installation takes.".to_owned()
        }
        WebhookFinding::SecretOutdated => {
            "Telegram may deliver under an older secret; such deliveries are refused.".to_owned()
        }
        WebhookFinding::SecretRefused => {
            "Deliveries are answered with 401: under a wrong secret, or by a proxy that asks for a password."
                .to_owned()
        }
        WebhookFinding::DeliveryFailing => format!("Deliveries fail, and updates wait at Telegram.{said}"),
        WebhookFinding::BacklogGrowing => {
            "More and more updates wait at Telegram, and it tells no error: connections are closed on the way, or updates \
             come faster than they are taken."
                .to_owned()
        }
        WebhookFinding::PollingBlocked => {
            format!("The bot is polled, but has a webhook{at}; Telegram then gives nothing to who asks.")
        }
        WebhookFinding::TokenRejected => "Telegram does not know the bot's token any more.".to_owned(),
        WebhookFinding::PublicUrlMissing => {
            "The installation has no public URL that Telegram can deliver to.".to_owned()
        }
        WebhookFinding::RepairRefused => format!("Telegram refused the webhook that it should have.{said}"),
        WebhookFinding::Unknown => {
            "A node of a newer version found something that this one has no word for.".to_owned()
        }
    }
}

/// What to do about it.
pub(crate) const fn remedy(finding: WebhookFinding) -> &'static str {
    match finding {
        WebhookFinding::WebhookMissing | WebhookFinding::PollingBlocked => {
            "If the bot belongs here, reclaim it: POST /bots/<botId>/webhook/reclaim."
        }
        WebhookFinding::WebhookForeign => {
            "If the bot belongs here, reclaim it: POST /bots/<botId>/webhook/reclaim. If it moved, disconnect it here."
        }
        WebhookFinding::UrlOutdated => {
            "Nothing: it is replaced, as fast as Telegram allows. Keep the old address answering until then."
        }
        WebhookFinding::AllowedUpdatesDiffer
        | WebhookFinding::MaxConnectionsDiffer
        | WebhookFinding::SecretOutdated => {
            "It is set right. If it comes back, somebody else sets the webhook: revoke the token at BotFather."
        }
        WebhookFinding::SecretRefused => {
            "The secret is set again. If it stays, let /wh/ pass the proxy without a password."
        }
        WebhookFinding::DeliveryFailing => {
            "Look at what stands between Telegram and this server: name, certificate, proxy, firewall. What waits is \
             delivered once it works, if that is within 24 hours."
        }
        WebhookFinding::BacklogGrowing => {
            "Look at the logs of the proxy in front, and at whether /metrics shows updates refused."
        }
        WebhookFinding::TokenRejected => "Set the new token that BotFather shows: PUT /bots/<botId>/token.",
        WebhookFinding::PublicUrlMissing => {
            "Set BOTLOOM_PUBLIC_URL to an https address with port 443, 80, 88 or 8443, or connect with polling."
        }
        WebhookFinding::RepairRefused => {
            "It is tried again every ten minutes. Look at what Telegram says, and at BOTLOOM_PUBLIC_URL."
        }
        WebhookFinding::Unknown => {
            "Nothing, if nodes are being replaced by newer ones: these say what it is, and the next check decides anew."
        }
    }
}

/// All of it for an event.
pub(super) fn reason(found: &[Found]) -> String {
    let sentences = found
        .iter()
        .map(|found| format!("{} {}", message(found), remedy(found.finding)));
    sentences.collect::<Vec<_>>().join(" ")
}
