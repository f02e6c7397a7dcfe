//! What Telegram says of a webhook, compared with what it should be. Decides, and does nothing.

use std::collections::BTreeSet;

use botloom_core::hash::Sha256Hash;
use botloom_core::model::{Found, Registered, Registration, WebhookFinding, WebhookState, WebhookStatus};
use botloom_core::time::TimestampMs;
use botloom_telegram::WebhookInfo;
use botloom_telegram::update::Known;
use url::Url;

/// The same `setWebhook` again helps nothing before this much time has passed.
const AGAIN_MS: i64 = 10 * 60_000;
/// So many checks in a row with more updates waiting than at the one before are no chance.
const GROWTHS: u32 = 3;
/// Fewer waiting updates than this are what a burst leaves, however often there were more than before.
const BACKLOG: u64 = 10;
/// At a first check there is nothing to compare with: an error this young counts.
const YOUNG_S: i64 = 120;

/// What should be.
#[derive(Debug)]
pub(super) enum Aim {
    /// No webhook: the bot is polled.
    Polling,
    /// A webhook, but there is no address for it.
    Nowhere,
    /// This webhook.
    Webhook {
        url: String,
        kinds: Vec<String>,
        max_connections: u8,
        /// Digest of the secret; `None` if it cannot be opened.
        secret: Option<Sha256Hash>,
        /// Of everything, where there is a secret.
        fingerprint: Option<Sha256Hash>,
    },
}

/// What a comparison came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) findings: Vec<Found>,
    /// Whether a `setWebhook` would help that may be made without being asked.
    pub(super) repair: bool,
    /// Whether what was set lately is not what Telegram has, or not enough.
    pub(super) in_vain: bool,
    /// What Telegram has of ours.
    pub(super) seen: Option<Registered>,
    /// Whether it was moved here by a `setWebhook` whose answer was lost.
    pub(super) arrived: bool,
    pub(super) growth: u32,
}

/// Whether we set it right by ourselves: all of these are our own webhook with something older in it.
pub(super) fn heals(finding: WebhookFinding) -> bool {
    matches!(
        finding,
        WebhookFinding::UrlOutdated
            | WebhookFinding::AllowedUpdatesDiffer
            | WebhookFinding::MaxConnectionsDiffer
            | WebhookFinding::SecretOutdated
            | WebhookFinding::SecretRefused
    )
}

/// Whether deliveries fail by it, at the address that Telegram has.
pub(super) fn fails(finding: WebhookFinding) -> bool {
    matches!(
        finding,
        WebhookFinding::SecretRefused | WebhookFinding::DeliveryFailing | WebhookFinding::BacklogGrowing
    )
}

/// Compares.
pub(super) fn diagnose(
    aim: &Aim,
    info: &WebhookInfo,
    before: &WebhookState,
    registration: &Registration,
    now: TimestampMs,
) -> Diagnosis {
    let mut diagnosis = Diagnosis {
        findings: Vec::new(),
        repair: false,
        in_vain: false,
        seen: None,
        arrived: false,
        growth: 0,
    };
    let mut add = |finding, detail: Option<String>| diagnosis.findings.push(Found { finding, detail });
    let Aim::Webhook {
        url,
        kinds,
        max_connections,
        secret,
        fingerprint,
    } = aim
    else {
        if matches!(aim, Aim::Nowhere) {
            add(WebhookFinding::PublicUrlMissing, None);
        } else if !info.url.is_empty() {
            add(WebhookFinding::PollingBlocked, host(&info.url));
        }
        return diagnosis;
    };
    if info.url.is_empty() {
        add(WebhookFinding::WebhookMissing, None);
        return diagnosis;
    }
    let there = info.url == *url;
    if !there && !registration.knows(&info.url) {
        add(WebhookFinding::WebhookForeign, host(&info.url));
        return diagnosis;
    }
    if there {
        if asked(kinds) != asked(info.allowed_updates.as_deref().unwrap_or_default()) {
            add(WebhookFinding::AllowedUpdatesDiffer, None);
        }
        if info
            .max_connections
            .is_some_and(|number| number != u32::from(*max_connections))
        {
            add(WebhookFinding::MaxConnectionsDiffer, None);
        }
        // A webhook that was set before secrets were remembered has the only one that there was.
        if secret.is_none() || registration.secret.is_some() && registration.secret != *secret {
            add(WebhookFinding::SecretOutdated, None);
        }
        let old = registration.registered.as_ref();
        diagnosis.arrived = old.is_some_and(|old| old != url);
        let unconfirmed = diagnosis.arrived && registration.secret == *secret;
        diagnosis.seen = secret
            .filter(|_| registration.secret.is_none() || unconfirmed)
            .map(|secret| Registered {
                url: url.clone(),
                secret,
            });
    } else {
        add(WebhookFinding::UrlOutdated, None);
    }
    let (trouble, growth) = delivery(info, before, now);
    diagnosis.growth = growth;
    diagnosis.findings.extend(trouble);
    let tried = registration.tried;
    diagnosis.in_vain =
        tried.is_some_and(|tried| Some(tried.fingerprint) == *fingerprint && now < tried.at.plus(AGAIN_MS));
    let heals = diagnosis.findings.iter().any(|found| heals(found.finding));
    diagnosis.repair = heals && !diagnosis.in_vain;
    let refused = before
        .findings
        .iter()
        .find(|found| found.finding == WebhookFinding::RepairRefused);
    if heals && diagnosis.in_vain {
        diagnosis.findings.extend(refused.cloned());
    }
    diagnosis
}

/// Whether updates arrive. An error stays with Telegram after it is over, so it counts only while it is new and updates wait.
fn delivery(info: &WebhookInfo, before: &WebhookState, now: TimestampMs) -> (Option<Found>, u32) {
    // While Telegram did not answer, updates may have piled up and gone again.
    let known = before.unanswered_since.is_none() && before.checked_at.is_some();
    let waited = before.pending.filter(|_| known);
    let waiting = info.pending_update_count;
    let fresh = info.last_error_date.is_some_and(|date| match before.checked_at {
        Some(_) => before.error_at.is_none_or(|old| date > old),
        None => now.0 / 1_000 - date < YOUNG_S,
    });
    let growth = match waited {
        Some(waited) if waiting > waited => before.growth + 1,
        Some(waited) if waiting == waited && waiting > 0 => before.growth,
        _ => 0,
    };
    let stays = waiting > 0 && (fresh || waited.is_none_or(|waited| waiting >= waited));
    let says = info.last_error_message.clone();
    let refused = says.as_deref().is_some_and(|words| words.contains("401"));
    let stuck = fresh && waiting > 0 && waited.is_some_and(|waited| waiting >= waited);
    let failed = [WebhookFinding::SecretRefused, WebhookFinding::DeliveryFailing]
        .into_iter()
        .any(|finding| before.has(finding));
    let finding = if refused && waiting > 0 && (fresh || failed && stays) {
        Some(WebhookFinding::SecretRefused)
    } else if stuck || failed && stays {
        Some(WebhookFinding::DeliveryFailing)
    } else if growth >= GROWTHS && waiting >= BACKLOG {
        Some(WebhookFinding::BacklogGrowing)
    } else {
        None
    };
    let found = finding.map(|finding| Found {
        finding,
        detail: says.filter(|_| finding == WebhookFinding::DeliveryFailing),
    });
    (found, growth)
}

/// Kinds of updates that Telegram understands: names that it does not know it ignores, and none is its usual set.
fn asked(kinds: &[String]) -> BTreeSet<&'static str> {
    let known: BTreeSet<&str> = kinds
        .iter()
        .filter_map(|kind| Known::from_name(&kind.to_lowercase()))
        .map(Known::as_str)
        .collect();
    if known.is_empty() {
        let usual = Known::ALL.iter().filter(|kind| kind.is_default());
        return usual.map(|kind| kind.as_str()).collect();
    }
    known
}

/// The host of an address. Never more: people put tokens into paths.
fn host(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// What is known after a check to which Telegram answered.
pub(super) fn answered(
    before: &WebhookState,
    diagnosis: &Diagnosis,
    info: &WebhookInfo,
    now: TimestampMs,
) -> WebhookState {
    let findings = diagnosis.findings.clone();
    let healing = |found: &Found| heals(found.finding) && !diagnosis.in_vain;
    let known = findings.iter().all(|found| before.has(found.finding));
    let status = if findings.is_empty() {
        WebhookStatus::Healthy
    } else if !findings.iter().all(healing) || before.status == WebhookStatus::Drifted && known {
        WebhookStatus::Drifted
    } else {
        WebhookStatus::Repairing
    };
    let was = before.status == WebhookStatus::Drifted;
    let told = match status {
        WebhookStatus::Drifted if !was || !known => false,
        // Its end is told if its beginning was.
        WebhookStatus::Healthy | WebhookStatus::Repairing if was => !before.told,
        _ => before.told,
    };
    WebhookState {
        status,
        findings,
        since: if status == before.status {
            before.since
        } else {
            now
        },
        told,
        checked_at: Some(now),
        unanswered_since: None,
        pending: Some(info.pending_update_count),
        growth: diagnosis.growth,
        error_at: info.last_error_date.or(before.error_at),
        moved: before.moved,
    }
}

/// What is known after a check to which Telegram did not answer: nothing new, and what was fine may not be.
pub(super) fn unanswered(before: &WebhookState, now: TimestampMs) -> WebhookState {
    let status = match before.status {
        WebhookStatus::Healthy => WebhookStatus::Unknown,
        other => other,
    };
    WebhookState {
        status,
        since: if status == before.status {
            before.since
        } else {
            now
        },
        unanswered_since: before.unanswered_since.or(Some(now)),
        ..before.clone()
    }
}

#[cfg(test)]
mod tests;
