//! How updates, messages, documents and tokens look in Redis.
//!
//! An update is `<accepted at> <traceparent or -> <dedup key>\n<envelope>`. A message is nine characters that the scripts
//! read and change (`common.lua`), a character for its class, then
//! `<not after or -> <traceparent or -> <method> <cause>\n<params>`. A document is 13 digits, the moment it is forgotten
//! or zeros, and its text.

use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    ActiveRevision, DedupKey, OutClass, OutMessage, QueuedMessage, QueuedUpdate, StoreError, StoreResult,
    Token,
};
use botloom_core::{Epoch, TimestampMs, TraceParent};
use bytes::Bytes;

/// Digits of the moment in front of a document.
const MOMENT: usize = 13;
/// Bits of a token that are its score; those above count what the holder was given.
const SCORE_BITS: u32 = 53;
/// Bits of a score that count; those above are a moment in ms.
const COUNTER_BITS: u32 = 12;
/// Most messages that fit the count of urgent ones, and the bits that take them.
pub(super) const MOST_PER_TURN: usize = 31;
const URGENT_BITS: u32 = 5;

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} in Redis cannot be read"))
}

/// A token that says under which lease and how many updates (or urgent and other messages) were given.
pub(super) fn token(score: u64, urgent: usize, others: usize) -> Token {
    let given = (others.min(63) << URGENT_BITS) | urgent.min(MOST_PER_TURN);
    Token(score | (given as u64) << SCORE_BITS)
}

/// Score, urgent messages, others.
pub(super) const fn parts(token: Token) -> (u64, usize, usize) {
    let given = (token.0 >> SCORE_BITS) as usize;
    let urgent = given & MOST_PER_TURN;
    (token.0 & ((1 << SCORE_BITS) - 1), urgent, given >> URGENT_BITS)
}

/// What the scripts compare: the score, and the one from which on no renewal of this lease lies.
pub(super) fn fence(token: Token, life_ms: i64) -> String {
    let (score, ..) = parts(token);
    let past = score.saturating_add(u64::try_from(life_ms).unwrap_or(0) << COUNTER_BITS);
    format!("{score}:{past}")
}

/// The token after a renewal.
pub(super) const fn renewed(old: Token, score: u64) -> Token {
    Token(score | (old.0 >> SCORE_BITS) << SCORE_BITS)
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\n', "%0A").replace(' ', "%20")
}

fn unescape(text: &str) -> String {
    text.replace("%20", " ").replace("%0A", "\n").replace("%25", "%")
}

/// The name of a dedup key inside its bot.
pub(super) fn dedup_name(key: &DedupKey) -> String {
    match key {
        DedupKey::Update(id) => id.to_string(),
        // Ids of Telegram are numbers: the prefix keeps a synthetic `7` apart.
        DedupKey::Synthetic(name) => format!("s:{name}"),
    }
}

pub(super) fn dedup_of(name: &str) -> Option<DedupKey> {
    match name.strip_prefix("s:") {
        Some(synthetic) => Some(DedupKey::Synthetic(synthetic.into())),
        None => name.parse().ok().map(DedupKey::Update),
    }
}

fn trace_or_dash(trace: Option<&TraceParent>) -> &str {
    trace.map_or("-", TraceParent::as_str)
}

fn trace_of(text: &str) -> Option<TraceParent> {
    TraceParent::new(text).ok()
}

pub(super) fn update(update: &QueuedUpdate) -> Vec<u8> {
    let mut entry = format!(
        "{} {} {}\n",
        update.accepted_at.0,
        trace_or_dash(update.trace.as_ref()),
        escape(&dedup_name(&update.dedup)),
    )
    .into_bytes();
    entry.extend_from_slice(&update.envelope);
    entry
}

fn split_head(entry: &[u8]) -> Option<(&str, &[u8])> {
    let end = entry.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&entry[..end]).ok()?, &entry[end + 1..]))
}

pub(super) fn update_of(entry: &[u8]) -> StoreResult<QueuedUpdate> {
    let read = || {
        let (head, envelope) = split_head(entry)?;
        let mut parts = head.splitn(3, ' ');
        Some(QueuedUpdate {
            accepted_at: TimestampMs(parts.next()?.parse().ok()?),
            trace: trace_of(parts.next()?),
            dedup: dedup_of(&unescape(parts.next()?))?,
            envelope: Bytes::copy_from_slice(envelope),
        })
    };
    read().ok_or_else(|| corrupt("an update"))
}

pub(super) fn message(message: &OutMessage) -> Vec<u8> {
    let ambiguous = match message.ambiguous {
        Ambiguous::Resend => 'r',
        Ambiguous::Skip => 's',
    };
    let class = match message.class {
        OutClass::Urgent => 'u',
        OutClass::Reply => 'r',
        OutClass::Bulk => 'b',
    };
    let not_after = message
        .not_after
        .map_or_else(|| "-".to_owned(), |moment| moment.0.to_string());
    let mut entry = format!(
        "--{ambiguous}000000{class}{not_after} {} {} {}\n",
        trace_or_dash(message.trace.as_ref()),
        escape(&message.method),
        escape(&message.cause),
    )
    .into_bytes();
    entry.extend_from_slice(&message.params);
    entry
}

pub(super) fn message_of(entry: &[u8]) -> StoreResult<QueuedMessage> {
    let read = || {
        let (head, params) = split_head(entry)?;
        let marks = head.as_bytes().get(..10)?;
        let mut parts = head.get(10..)?.splitn(4, ' ');
        let not_after = match parts.next()? {
            "-" => None,
            moment => Some(TimestampMs(moment.parse().ok()?)),
        };
        Some(QueuedMessage {
            attempts: head.get(3..9)?.parse().ok()?,
            maybe_sent: marks[1] == b'm',
            message: OutMessage {
                trace: trace_of(parts.next()?),
                method: unescape(parts.next()?),
                cause: unescape(parts.next()?),
                params: Bytes::copy_from_slice(params),
                class: match marks[9] {
                    b'u' => OutClass::Urgent,
                    b'r' => OutClass::Reply,
                    b'b' => OutClass::Bulk,
                    _ => return None,
                },
                not_after,
                ambiguous: match marks[2] {
                    b'r' => Ambiguous::Resend,
                    b's' => Ambiguous::Skip,
                    _ => return None,
                },
            },
        })
    };
    read().ok_or_else(|| corrupt("a message"))
}

/// A message with what is known about its sending.
pub(super) fn queued_message(queued: &QueuedMessage) -> Vec<u8> {
    let mut entry = message(&queued.message);
    if queued.maybe_sent {
        entry[1] = b'm';
    }
    let attempts = format!("{:06}", queued.attempts.min(999_999));
    entry[3..9].copy_from_slice(attempts.as_bytes());
    entry
}

/// Whether its holder noted that it starts to send this message.
pub(super) fn is_begun(entry: &[u8]) -> bool {
    entry.first() == Some(&b'b')
}

pub(super) fn document(document: &[u8], until: Option<TimestampMs>) -> Vec<u8> {
    let mut stored = format!("{:013}", until.map_or(0, |until| until.0)).into_bytes();
    stored.extend_from_slice(document);
    stored
}

/// When a stored document is forgotten.
pub(super) fn forgotten_at(stored: Option<&[u8]>) -> StoreResult<Option<TimestampMs>> {
    let Some(stored) = stored else { return Ok(None) };
    let read = || std::str::from_utf8(stored.get(..MOMENT)?).ok()?.parse().ok();
    let moment = read().ok_or_else(|| corrupt("a document"))?;
    Ok((moment != 0).then_some(TimestampMs(moment)))
}

/// The document, unless its moment has come. `now` is a test's clock; the server forgets by itself otherwise.
pub(super) fn document_of(stored: Option<Vec<u8>>, now: Option<TimestampMs>) -> StoreResult<Option<Bytes>> {
    let Some(stored) = stored else { return Ok(None) };
    let read = || {
        let moment: i64 = std::str::from_utf8(stored.get(..MOMENT)?).ok()?.parse().ok()?;
        Some(moment)
    };
    let moment = read().ok_or_else(|| corrupt("a document"))?;
    let forgotten = moment != 0 && now.is_some_and(|now| moment <= now.0);
    Ok((!forgotten).then(|| Bytes::from(stored).slice(MOMENT..)))
}

pub(super) fn revision(revision: &ActiveRevision) -> String {
    format!("{}:{}", revision.epoch, revision.rev)
}

pub(super) fn revision_of(text: &str) -> StoreResult<ActiveRevision> {
    let read = || {
        let (epoch, rev) = text.split_once(':')?;
        Some(ActiveRevision {
            epoch: Epoch(epoch.parse().ok()?),
            rev: rev.parse().ok()?,
        })
    };
    read().ok_or_else(|| corrupt("a revision"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_and_messages_come_back_as_they_went() {
        let trace = TraceParent::new("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").ok();
        for dedup in [DedupKey::Update(-7), DedupKey::Synthetic("7 %0A\n x".into())] {
            let sent = QueuedUpdate {
                dedup,
                envelope: Bytes::from_static(b"{\n\xff}"),
                accepted_at: TimestampMs(5),
                trace: trace.clone(),
            };
            assert_eq!(update_of(&update(&sent)).unwrap(), sent);
        }
        for (class, not_after) in [(OutClass::Urgent, None), (OutClass::Bulk, Some(TimestampMs(9)))] {
            let sent = OutMessage {
                method: "sendMessage".to_owned(),
                params: Bytes::from_static(b"{\"text\":\"a b\\n\"}\n"),
                class,
                not_after,
                ambiguous: Ambiguous::Skip,
                cause: "replay: 1%".to_owned(),
                trace: trace.clone(),
            };
            assert_eq!(message_of(&message(&sent)).unwrap().message, sent);
        }
    }

    #[test]
    fn a_token_keeps_what_was_given_when_it_is_renewed() {
        let given = token(7_353_139_200_000_001, 3, 13);
        assert_eq!(parts(given), (7_353_139_200_000_001, 3, 13));
        assert_eq!(parts(renewed(given, 9)), (9, 3, 13));
    }
}
