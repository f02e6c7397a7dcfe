//! One check of one bot: ask Telegram, compare, set right what may be set right.

use std::sync::Arc;

use botloom_core::event::BotEvent;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::ProjectId;
use botloom_core::model::{
    BotRow, Found, IngressMode, SealedToken, WebhookCheck, WebhookFinding, WebhookMove, WebhookState,
    WebhookStatus, WebhookTally,
};
use botloom_core::ports::{Registrar, SettledWebhook};
use botloom_core::secret::Secret;
use botloom_core::time::TimestampMs;
use botloom_telegram::{CallError, Class, Token, WebhookInfo, classify};
use metrics::counter;
use url::Url;

use super::diagnose::{Aim, answered, diagnose, fails, heals, unanswered};
use super::reach::Reach;
use super::rota::Rota;
use super::words;
use crate::app::bots::changed;
use crate::app::webhook::{Wanted, allowed_updates, fresh_secret, register, take_back, webhook_url_at};
use crate::app::{Error, telegram};
use crate::state::App;

/// Between two checks of a bot of which more and more updates wait, ms.
const SUSPICIOUS_MS: i64 = 5_000;
/// Longest that Telegram is believed when it asks us to wait, ms.
const LONGEST_HOLD_MS: i64 = 3_600_000;

/// A check that is done.
#[derive(Debug)]
pub(super) struct Checked {
    project: ProjectId,
    pub(super) settled: SettledWebhook,
}

/// What all checks of a look share.
#[derive(Debug)]
pub(super) struct Look {
    /// Where the installation is reached.
    pub(super) public: Option<Url>,
    pub(super) rota: Arc<Rota>,
    pub(super) reach: Arc<Reach>,
}

/// Why Telegram's answer is not known.
enum NoAnswer {
    /// It is away, or this node cannot ask.
    Away,
    /// It asks to wait so long, ms.
    Wait(i64),
    /// It does not know the token.
    Rejected,
}

/// Checks a bot. `None`: it is not connected any more.
pub(super) async fn check(app: &App, look: &Look, claim: WebhookCheck) -> Result<Option<Checked>, Error> {
    let catalog = &app.deps.ports.catalog;
    let bot = catalog.bot(&claim.bot).await?;
    let connected = bot.filter(|bot| bot.deleted_at.is_none());
    let Some((bot, ingress)) = connected.and_then(|bot| bot.ingress.map(|ingress| (bot, ingress))) else {
        catalog.forget_webhook_check(&claim).await?;
        return Ok(None);
    };
    // Together with a look every second, what breaks is known within 45 s.
    let mut next_at = look.rota.next(&bot.id, app.now());
    let mut not_before = TimestampMs(0);
    let before = &claim.state;
    let asked = match telegram::token(app, &bot) {
        Ok(token) => ask(app, &look.reach, &token).await.map(|info| (token, info)),
        // It cannot be opened here; a node that can may come by.
        Err(_) => Err(NoAnswer::Away),
    };
    let now = app.now();
    let result = if asked.is_ok() { "answered" } else { "unanswered" };
    counter!("botloom_webhook_checks_total", "result" => result).increment(1);
    let mut seen = None;
    let state = match asked {
        Ok((token, info)) => {
            let aim = Aimed::of(app, look.public.as_ref(), &bot, ingress).await?;
            let mut diagnosis = diagnose(&aim.aim, &info, before, &claim.registration, now);
            seen = diagnosis.seen.take();
            if diagnosis.growth > before.growth {
                next_at = next_at.min(now.plus(SUSPICIOUS_MS));
            }
            let well = |findings: &[Found]| !findings.iter().any(|found| fails(found.finding));
            let mut moved = before.moved;
            if diagnosis.arrived {
                let error_at = before.error_at;
                let well = well(&before.findings);
                moved = Some(WebhookMove {
                    at: now,
                    error_at,
                    well,
                });
            }
            let mut refused = None;
            if diagnosis.repair {
                match repair(app, &claim, &bot, &token, aim, &info, &diagnosis.findings).await? {
                    Repaired::Refused(words) => refused = Some(words),
                    Repaired::Wait(ms) => not_before = app.now().plus(ms),
                    Repaired::Done if moves(&diagnosis.findings) => {
                        let error_at = info.last_error_date.or(before.error_at);
                        let well = well(&diagnosis.findings);
                        moved = Some(WebhookMove {
                            at: now,
                            error_at,
                            well,
                        });
                    }
                    Repaired::Done | Repaired::NotNow => {}
                }
            }
            if let Some(words) = refused {
                diagnosis.in_vain = true;
                diagnosis.findings.push(Found {
                    finding: WebhookFinding::RepairRefused,
                    detail: Some(words),
                });
            }
            let state = answered(before, &diagnosis, &info, now);
            WebhookState { moved, ..state }
        }
        Err(NoAnswer::Rejected) => {
            let rejected = Found {
                finding: WebhookFinding::TokenRejected,
                detail: None,
            };
            let known = before.has(WebhookFinding::TokenRejected);
            WebhookState {
                status: WebhookStatus::Drifted,
                findings: vec![rejected],
                since: if before.status == WebhookStatus::Drifted {
                    before.since
                } else {
                    now
                },
                told: known && before.told,
                checked_at: Some(now),
                unanswered_since: None,
                ..before.clone()
            }
        }
        Err(no_answer) => {
            if let NoAnswer::Wait(ms) = no_answer {
                not_before = now.plus(ms);
            }
            unanswered(before, now)
        }
    };
    Ok(Some(Checked {
        project: bot.project,
        settled: SettledWebhook {
            state,
            seen,
            next_at: next_at.max(not_before),
            claim,
        },
    }))
}

async fn ask(app: &App, reach: &Reach, token: &Token) -> Result<WebhookInfo, NoAnswer> {
    let call = app.deps.telegram.get_webhook_info(token);
    let answer = match tokio::time::timeout(app.options.telegram_timeout, call).await {
        Err(late) => {
            reach.unanswered(late.to_string());
            return Err(NoAnswer::Away);
        }
        Ok(Ok(info)) => Ok(info),
        Ok(Err(error)) => Err(match classify(&error, "getWebhookInfo") {
            Class::Unauthorized => NoAnswer::Rejected,
            Class::RetryAfter { secs } => NoAnswer::Wait(wait_ms(secs)),
            _ => {
                reach.unanswered(error.to_string());
                return Err(NoAnswer::Away);
            }
        }),
    };
    reach.answered();
    answer
}

/// Whether setting this right moves the bot to another address.
fn moves(findings: &[Found]) -> bool {
    findings
        .iter()
        .any(|found| found.finding == WebhookFinding::UrlOutdated)
}

fn wait_ms(secs: u32) -> i64 {
    (i64::from(secs) * 1_000).min(LONGEST_HOLD_MS)
}

/// What should be, with the secret that only a repair needs.
struct Aimed {
    aim: Aim,
    secret: Option<Secret>,
}

impl Aimed {
    async fn of(app: &App, public: Option<&Url>, bot: &BotRow, ingress: IngressMode) -> Result<Self, Error> {
        let without = |aim| Ok(Self { aim, secret: None });
        if ingress == IngressMode::Polling {
            return without(Aim::Polling);
        }
        let Ok(url) = webhook_url_at(public, &app.options, &bot.id) else {
            return without(Aim::Nowhere);
        };
        let sealed = bot.webhook_secret.as_ref();
        let secret = sealed.and_then(|sealed| telegram::open(app, sealed, &bot.webhook_context()).ok());
        let kinds = allowed_updates(app, bot).await?;
        let max_connections = app.options.webhook_max_connections;
        let fingerprint = secret.as_ref().map(|secret| {
            let wanted = Wanted {
                url: url.clone(),
                kinds: kinds.clone(),
                max_connections,
                secret: secret.clone(),
            };
            wanted.fingerprint()
        });
        let digest = secret.as_ref().map(|secret| Sha256Hash::of(secret.expose()));
        Ok(Self {
            aim: Aim::Webhook {
                url,
                kinds,
                max_connections,
                secret: digest,
                fingerprint,
            },
            secret,
        })
    }
}

/// What became of a repair.
enum Repaired {
    /// Telegram took it; the next check sees whether it is there.
    Done,
    /// It is not this bot's turn, or the bot changed meanwhile, or Telegram is away.
    NotNow,
    /// Telegram asks to wait so long, ms.
    Wait(i64),
    /// Telegram refused it in these words.
    Refused(String),
}

async fn repair(
    app: &App,
    claim: &WebhookCheck,
    bot: &BotRow,
    token: &Token,
    aimed: Aimed,
    info: &WebhookInfo,
    findings: &[Found],
) -> Result<Repaired, Error> {
    let catalog = &app.deps.ports.catalog;
    let Aim::Webhook {
        url,
        kinds,
        max_connections,
        ..
    } = aimed.aim
    else {
        return Ok(Repaired::NotNow);
    };
    if !app.pacer.grant(app, &bot.id, moves(findings)).await? {
        return Ok(Repaired::NotNow);
    }
    let secret = if let Some(secret) = aimed.secret {
        secret
    } else {
        let secret = fresh_secret();
        let sealed = SealedToken(app.deps.vault.seal(&secret, &bot.webhook_context()));
        if !catalog.reseal(bot, bot.token.as_ref(), Some(&sealed)).await? {
            return Ok(Repaired::NotNow);
        }
        changed(app, &bot.id).await;
        secret
    };
    let wanted = Wanted {
        url,
        kinds,
        max_connections,
        secret,
    };
    let by = Registrar::Check {
        claim,
        before: &info.url,
    };
    let Some(outcome) = register(app, &bot.id, token, &wanted, by).await? else {
        return Ok(Repaired::NotNow);
    };
    let codes: Vec<&str> = findings.iter().map(|found| found.finding.as_str()).collect();
    let codes = codes.join(" ");
    let (result, repaired) = match outcome {
        Ok(()) => {
            tracing::info!(bot = %bot.id, codes, "a webhook was set right");
            take_back(app, bot, token).await?;
            ("done", Repaired::Done)
        }
        Err(error) => {
            tracing::info!(bot = %bot.id, codes, %error, "a webhook could not be set right");
            match (classify(&error, "setWebhook"), error) {
                (Class::RetryAfter { secs }, _) => {
                    let ms = wait_ms(secs);
                    // Whether the bot or this address is meant is not told.
                    catalog.hold_webhook_changes(app.now().plus(ms)).await?;
                    ("held", Repaired::Wait(ms))
                }
                (Class::Rejected, CallError::Api { description, .. }) => {
                    ("refused", Repaired::Refused(description))
                }
                _ => ("unanswered", Repaired::NotNow),
            }
        }
    };
    counter!("botloom_webhook_repairs_total", "result" => result).increment(1);
    Ok(repaired)
}

/// Tells what changed, once; what could not be told is told after the next check.
pub(super) async fn tell(app: &App, checked: &Checked) -> Result<(), Error> {
    let SettledWebhook { claim, state, .. } = &checked.settled;
    if state.told {
        return Ok(());
    }
    let event = match state.status {
        WebhookStatus::Unknown => return Ok(()),
        WebhookStatus::Healthy | WebhookStatus::Repairing => BotEvent::WebhookRecovered {},
        WebhookStatus::Drifted => BotEvent::WebhookDrifted {
            reason: words::reason(&state.findings),
            findings: state.findings.iter().map(|found| found.finding).collect(),
        },
    };
    let ports = &app.deps.ports;
    let at: TimestampMs = app.now();
    ports
        .events
        .append(checked.project, &claim.bot, at, &event)
        .await?;
    ports.catalog.note_webhook_told(claim).await?;
    tracing::info!(bot = %claim.bot, status = %state.status, "whether Telegram delivers has changed");
    Ok(())
}

/// Whether bots like these wait for their turn to be changed. Where they are at Telegram is known without a check; one that drifted
/// is ours to move only if it drifted at that address.
pub(crate) fn is_left(bots: &WebhookTally) -> bool {
    let outdated = WebhookFinding::UrlOutdated;
    let there = |finding: &WebhookFinding| *finding == outdated || fails(*finding);
    let moves = bots.status != WebhookStatus::Drifted || bots.findings.iter().any(there);
    let found = |finding: &WebhookFinding| *finding != outdated && heals(*finding);
    (bots.elsewhere && moves) || bots.findings.iter().any(found)
}
