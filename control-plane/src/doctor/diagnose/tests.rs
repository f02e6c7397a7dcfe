//! What is found, case by case.

use super::*;

const NOW: TimestampMs = TimestampMs(1_795_200_000_000);
const NOW_S: i64 = NOW.0 / 1_000;
const URL: &str = "https://bots.example/wh/a-bot";
const OLD: &str = "https://old.example/wh/a-bot";

fn aim() -> Aim {
    Aim::Webhook {
        url: URL.to_owned(),
        kinds: vec!["message".to_owned(), "my_chat_member".to_owned()],
        max_connections: 40,
        secret: Some(Sha256Hash::of("secret")),
        fingerprint: Some(Sha256Hash::of("all")),
    }
}

fn info() -> WebhookInfo {
    WebhookInfo {
        url: URL.to_owned(),
        max_connections: Some(40),
        allowed_updates: Some(vec!["my_chat_member".to_owned(), "message".to_owned()]),
        ..WebhookInfo::default()
    }
}

fn healthy() -> WebhookState {
    WebhookState {
        status: WebhookStatus::Healthy,
        checked_at: Some(NOW.plus(-30_000)),
        pending: Some(0),
        ..WebhookState::unchecked(NOW.plus(-60_000))
    }
}

fn registration() -> Registration {
    Registration {
        registered: Some(OLD.to_owned()),
        secret: Some(Sha256Hash::of("secret")),
        ..Registration::default()
    }
}

fn codes(aim: &Aim, info: &WebhookInfo, before: &WebhookState) -> Vec<&'static str> {
    let diagnosis = diagnose(aim, info, before, &registration(), NOW);
    let found = diagnosis.findings.iter();
    found.map(|found| found.finding.as_str()).collect()
}

#[test]
fn what_is_as_it_should_be_is_healthy() {
    assert_eq!(codes(&aim(), &info(), &healthy()), [""; 0]);
    let all = WebhookInfo::default();
    assert_eq!(codes(&Aim::Polling, &all, &healthy()), [""; 0]);
}

#[test]
fn addresses() {
    let at = |url: &str| WebhookInfo {
        url: url.to_owned(),
        ..info()
    };
    assert_eq!(codes(&aim(), &at(""), &healthy()), ["webhook-missing"]);
    assert_eq!(codes(&aim(), &at(OLD), &healthy()), ["url-outdated"]);
    assert_eq!(codes(&Aim::Nowhere, &at(URL), &healthy()), ["public-url-missing"]);
    assert_eq!(codes(&Aim::Polling, &at(URL), &healthy()), ["polling-blocked"]);
    let foreign = "https://user:pass@evil.example/bot123:TOKEN?x=TOKEN";
    let diagnosis = diagnose(&aim(), &at(foreign), &healthy(), &registration(), NOW);
    let expected = Found {
        finding: WebhookFinding::WebhookForeign,
        detail: Some("evil.example".to_owned()),
    };
    assert_eq!(diagnosis.findings, [expected]);
    assert!(!diagnosis.repair, "a foreign webhook is never fought");
    assert!(diagnose(&aim(), &at(OLD), &healthy(), &registration(), NOW).repair);
}

#[test]
fn kinds_of_updates_are_compared_as_telegram_understands_them() {
    let with = |kinds: Option<&[&str]>| {
        let allowed_updates = kinds.map(|kinds| kinds.iter().map(|&kind| kind.to_owned()).collect());
        let info = WebhookInfo {
            allowed_updates,
            ..info()
        };
        codes(&aim(), &info, &healthy())
    };
    assert_eq!(with(Some(&["message", "my_chat_member"])), [""; 0]);
    assert_eq!(with(Some(&["message"])), ["allowed-updates-differ"]);
    assert_eq!(with(None), ["allowed-updates-differ"], "the usual set is more");
    let Aim::Webhook {
        url,
        max_connections,
        secret,
        fingerprint,
        ..
    } = aim()
    else {
        unreachable!()
    };
    let usual = Aim::Webhook {
        url,
        kinds: vec!["a_kind_of_next_year".to_owned()],
        max_connections,
        secret,
        fingerprint,
    };
    let none = WebhookInfo {
        allowed_updates: None,
        ..info()
    };
    assert_eq!(codes(&usual, &none, &healthy()), [""; 0]);
}

#[test]
fn connections_and_secrets() {
    let more = WebhookInfo {
        max_connections: Some(100),
        ..info()
    };
    assert_eq!(codes(&aim(), &more, &healthy()), ["max-connections-differ"]);
    let mut other = registration();
    other.secret = Some(Sha256Hash::of("another"));
    let diagnosis = diagnose(&aim(), &info(), &healthy(), &other, NOW);
    assert_eq!(diagnosis.findings[0].finding, WebhookFinding::SecretOutdated);
    other.secret = None;
    let diagnosis = diagnose(&aim(), &info(), &healthy(), &other, NOW);
    assert_eq!(diagnosis.findings, []);
    let seen = Registered {
        url: URL.to_owned(),
        secret: Sha256Hash::of("secret"),
    };
    assert_eq!(diagnosis.seen, Some(seen), "from now on it is known");
}

#[test]
fn a_move_whose_answer_was_lost_has_arrived() {
    let mut known = registration();
    known.registered = Some(OLD.to_owned());
    known.registering = Some(URL.to_owned());
    let diagnosis = diagnose(&aim(), &info(), &healthy(), &known, NOW);
    let seen = Registered {
        url: URL.to_owned(),
        secret: Sha256Hash::of("secret"),
    };
    assert!(diagnosis.arrived);
    assert_eq!(diagnosis.seen, Some(seen), "from now on it is known");
    known.secret = Some(Sha256Hash::of("another"));
    let diagnosis = diagnose(&aim(), &info(), &healthy(), &known, NOW);
    assert_eq!(diagnosis.seen, None, "which secret Telegram has is not known");
    known.registered = Some(URL.to_owned());
    assert!(!diagnose(&aim(), &info(), &healthy(), &known, NOW).arrived);
}

fn failing(pending: u64, error_at: i64, words: &str) -> WebhookInfo {
    WebhookInfo {
        pending_update_count: pending,
        last_error_date: Some(error_at),
        last_error_message: Some(words.to_owned()),
        ..info()
    }
}

#[test]
fn an_error_counts_while_it_is_new_and_updates_wait() {
    let words = "Wrong response from the webhook: 502 Bad Gateway";
    let mut before = healthy();
    before.error_at = Some(NOW_S - 100);
    for (pending, error_at, expected) in [
        (3, NOW_S - 1, vec!["delivery-failing"]),
        (3, NOW_S - 100, vec![]),
        (0, NOW_S - 1, vec![]),
    ] {
        let found = codes(&aim(), &failing(pending, error_at, words), &before);
        assert_eq!(found, expected, "{pending} wait, error at {error_at}");
    }
    before.pending = Some(5);
    assert_eq!(
        codes(&aim(), &failing(4, NOW_S, words), &before),
        [""; 0],
        "they get fewer"
    );
}

#[test]
fn a_failure_lasts_until_updates_get_through() {
    let words = "Read timeout expired";
    let mut state = healthy();
    let mut step = |pending, error_at| {
        let info = failing(pending, error_at, words);
        let diagnosis = diagnose(&aim(), &info, &state, &registration(), NOW);
        state = answered(&state, &diagnosis, &info, NOW);
        (state.status, state.told)
    };
    let (drifted, well) = (WebhookStatus::Drifted, WebhookStatus::Healthy);
    assert_eq!(step(0, NOW_S - 90), (well, true));
    assert_eq!(step(2, NOW_S - 60), (drifted, false));
    // Telegram tries again more and more seldom: no new error does not mean that it works.
    assert_eq!(step(2, NOW_S - 60), (drifted, false));
    assert_eq!(
        step(1, NOW_S - 20),
        (drifted, false),
        "one ran out, or went through"
    );
    assert_eq!(
        step(0, NOW_S - 20),
        (well, true),
        "nothing was told, so nothing is over"
    );
}

#[test]
fn growth_without_an_error_is_told_after_some_checks() {
    let mut state = healthy();
    let mut found = Vec::new();
    for pending in [1, 5, 9, 12, 12, 20, 3] {
        let info = WebhookInfo {
            pending_update_count: pending,
            ..info()
        };
        let diagnosis = diagnose(&aim(), &info, &state, &registration(), NOW);
        found.push(diagnosis.findings.len());
        state = answered(&state, &diagnosis, &info, NOW);
    }
    // Nine are what a burst leaves.
    assert_eq!(found, [0, 0, 0, 1, 1, 1, 0]);
}

#[test]
fn what_piled_up_while_telegram_was_away_is_no_growth() {
    let mut state = healthy();
    state.growth = 2;
    let away = unanswered(&state, NOW);
    assert_eq!(away.status, WebhookStatus::Unknown);
    assert_eq!(unanswered(&away, NOW.plus(9)).unanswered_since, Some(NOW));
    assert_eq!(codes(&aim(), &failing(9, NOW_S - 500, "x"), &away), [""; 0]);
}

#[test]
fn a_refused_secret_is_set_again_but_not_over_and_over() {
    let refused = failing(1, NOW_S, "Wrong response from the webhook: 401 Unauthorized");
    let mut known = registration();
    let diagnosis = diagnose(&aim(), &refused, &healthy(), &known, NOW);
    assert_eq!(diagnosis.findings[0].finding, WebhookFinding::SecretRefused);
    assert!(diagnosis.repair);
    let state = answered(&healthy(), &diagnosis, &refused, NOW);
    assert_eq!((state.status, state.told), (WebhookStatus::Repairing, true));
    known.tried = Some(botloom_core::model::Tried {
        fingerprint: Sha256Hash::of("all"),
        at: NOW,
    });
    let diagnosis = diagnose(&aim(), &refused, &healthy(), &known, NOW.plus(AGAIN_MS - 1));
    assert!(!diagnosis.repair);
    let state = answered(&healthy(), &diagnosis, &refused, NOW);
    assert_eq!((state.status, state.told), (WebhookStatus::Drifted, false));
    assert!(diagnose(&aim(), &refused, &healthy(), &known, NOW.plus(AGAIN_MS)).repair);
}

#[test]
fn drift_is_told_once_and_so_is_its_end() {
    let foreign = WebhookInfo {
        url: "https://evil.example/".to_owned(),
        ..info()
    };
    let look = |before: &WebhookState, info: &WebhookInfo| {
        let diagnosis = diagnose(&aim(), info, before, &registration(), NOW);
        answered(before, &diagnosis, info, NOW)
    };
    let mut state = look(&healthy(), &foreign);
    assert!(!state.told);
    state = look(&state, &foreign);
    assert!(!state.told, "what could not be told is told after the next check");
    state.told = true;
    for _ in 0..3 {
        state = look(&unanswered(&state, NOW), &foreign);
        assert_eq!((state.status, state.told), (WebhookStatus::Drifted, true));
    }
    state = look(&state, &info());
    assert_eq!((state.status, state.told), (WebhookStatus::Healthy, false));
    state.told = true;
    assert!(look(&state, &info()).told);
}
