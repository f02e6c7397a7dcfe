//! Port: checks of webhooks, and the pace at which webhooks are changed.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::ids::{BotId, ProjectId};
use crate::model::{
    Registered, Tried, WebhookCheck, WebhookGrant, WebhookPace, WebhookPaceState, WebhookState,
    WebhookStatus, WebhookSurvey, WebhookTally,
};
use crate::time::TimestampMs;

/// How a claim ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledWebhook {
    /// The claim.
    pub claim: WebhookCheck,
    /// What was found.
    pub state: WebhookState,
    /// What Telegram showed to have of ours.
    pub seen: Option<Registered>,
    /// When the check is due again; earlier if it was hastened meanwhile.
    pub next_at: TimestampMs,
}

/// On whose behalf a webhook is registered.
#[derive(Debug, Clone, Copy)]
pub enum Registrar<'a> {
    /// Of somebody who asked for it. A check that is under way when the registration begins or ends loses its claim: what
    /// it saw is not to be held against what is wanted since.
    Person,
    /// Of a check that sets right what it found.
    Check {
        /// Its claim.
        claim: &'a WebhookCheck,
        /// What Telegram was seen to have of ours until now.
        before: &'a str,
    },
}

/// One check for every connected bot, taken by whichever node comes first, and what all nodes share about changing
/// webhooks. A check is due when its time has come; a claim makes it due again at the end of its lease, so that the work of a
/// node that died goes on elsewhere.
#[async_trait]
pub trait Webhooks: Debug + Send + Sync {
    /// Makes checks, due now, for connected bots that have none. Answers how many.
    async fn enrol_webhook_checks(&self, now: TimestampMs) -> StoreResult<u64>;

    /// Takes at most `limit` checks that are due, those that have waited longest first, until `until`. Of several claims one
    /// gets a check.
    async fn claim_webhook_checks(
        &self,
        now: TimestampMs,
        until: TimestampMs,
        limit: u32,
    ) -> StoreResult<Vec<WebhookCheck>>;

    /// Ends claims, all in one transaction. Answers for each whether it was still held; of one that was lost nothing is
    /// written.
    async fn settle_webhook_checks(&self, settled: &[SettledWebhook]) -> StoreResult<Vec<bool>>;

    /// Notes that the status of a claim that was settled stands in the event log, unless it was claimed again since.
    async fn note_webhook_told(&self, claim: &WebhookCheck) -> StoreResult<()>;

    /// Removes a check whose bot is not connected any more. Nothing happens if the claim was lost.
    async fn forget_webhook_check(&self, claim: &WebhookCheck) -> StoreResult<()>;

    /// Makes a check due now, or makes one that is claimed due when the claim ends.
    async fn hasten_webhook_check(&self, bot: &BotId, now: TimestampMs) -> StoreResult<()>;

    /// The check of a bot.
    async fn webhook_check(&self, bot: &BotId) -> StoreResult<Option<WebhookCheck>>;

    /// Checks of connected bots of these projects, of one status where it is given, by id of the bot.
    async fn webhook_checks(
        &self,
        projects: &[ProjectId],
        status: Option<WebhookStatus>,
        page: &PageRequest,
    ) -> StoreResult<Page<WebhookCheck>>;

    /// Counts connected bots by status, findings and whether they are to be moved: of these projects, or of all where none are given.
    async fn webhook_tally(&self, projects: Option<&[ProjectId]>) -> StoreResult<Vec<WebhookTally>>;

    /// Ids of all connected bots that have a check, in their order.
    async fn webhook_check_ids(&self) -> StoreResult<Vec<BotId>>;

    /// How all connected bots are. Moves that are noted far ahead of `now` are no measure for others.
    async fn webhook_survey(&self, now: TimestampMs) -> StoreResult<WebhookSurvey>;

    /// Notes since when moves to another address are held (`None`: they are not), for all nodes. Answers whether that changes
    /// whether they are: of several callers one is told so. The beginning of a hold stays.
    async fn note_webhook_moves_held(&self, since: Option<TimestampMs>) -> StoreResult<bool>;

    /// To be called before a `setWebhook`: from now on `url` counts as ours too. `until`: while Telegram may not have it yet;
    /// nobody gets the check before, unless the end is told. A check that is hastened meanwhile is due then. Answers whether it
    /// may go on: not if `by` is a claim that was lost. Without a claim the check is made if there is none, and `Missing` tells
    /// that there is no such bot.
    async fn begin_registration(
        &self,
        bot: &BotId,
        url: &str,
        by: Registrar<'_>,
        now: TimestampMs,
        until: TimestampMs,
    ) -> StoreResult<bool>;

    /// To be called after a `setWebhook` that Telegram answered: with what it has now, which makes the check due as
    /// [`Webhooks::hasten_webhook_check`] does, or with `None` for a refusal. Of a check that lost its claim nothing is
    /// registered; but Telegram may have taken its webhook after the one that is wanted since. So it counts as the one whose
    /// secret Telegram has, what was tried is forgotten, and the check is due: it sees to the right one.
    async fn end_registration(
        &self,
        bot: &BotId,
        by: Registrar<'_>,
        tried: &Tried,
        registered: Option<&Registered>,
    ) -> StoreResult<()>;

    /// Asks for one `setWebhook` of a bot: at most one a second for a bot, in all no more than `pace` allows, none while they
    /// are held. What is given counts, also when the caller dies before the call. Strict for callers whose clocks agree.
    async fn grant_webhook_change(
        &self,
        bot: &BotId,
        now: TimestampMs,
        pace: WebhookPace,
    ) -> StoreResult<WebhookGrant>;

    /// Holds all grants until then. An earlier moment than one that was given changes nothing.
    async fn hold_webhook_changes(&self, until: TimestampMs) -> StoreResult<()>;

    /// What the pace has been.
    async fn webhook_pace(&self, now: TimestampMs) -> StoreResult<WebhookPaceState>;

    /// Forgets grants from before this moment, but the newest. Answers how many.
    async fn expire_webhook_grants(&self, before: TimestampMs) -> StoreResult<u64>;

    /// Says where Telegram reaches this installation (`None`: nowhere) from now on, for all nodes.
    async fn announce_public_url(&self, url: Option<&str>) -> StoreResult<()>;

    /// What was announced last; `None` also where nothing was.
    async fn announced_public_url(&self) -> StoreResult<Option<String>>;
}
