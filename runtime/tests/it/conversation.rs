//! Conversations without Telegram.

use botloom_core::bot_js::ApiCallError;
use botloom_core::{BotId, TimestampMs};
use botloom_runtime::simulator::{Api, Conversation, Person, ScriptedAnswer};
use serde_json::json;

use crate::support::{passport, pool};

const BOT: &str = "export function handle({ event, state, context, resume }) {
  const say = (text) => ({ method: 'sendMessage', params: { text } });
  const times = (state === null ? 0 : state.times) + 1;
  if (event.command === 'fail') throw new Error('nope');
  if (event.command === 'forget') return { state: null, actions: [say('gone')] };
  if (event.command === 'ask' && resume === undefined) {
    return { state: { times }, actions: [say('asking')], effect: { type: 'apiCall', cont: { at: 1 }, method: 'POST',
      url: 'https://api.shop.example/order?a=1', query: { b: '2' }, headers: { 'X-Key': 'k' }, body: { n: times }, timeoutMs: 1000 } };
  }
  if (event.command === 'roam' && resume === undefined) {
    return { state, effect: { type: 'apiCall', cont: null, method: 'GET', url: 'https://elsewhere.example/', timeoutMs: 1000 } };
  }
  if (resume) return { state, actions: [say(resume.ok ? resume.body.id : resume.error)], telemetry: [{ event: 'asked' }] };
  return { state: { times }, actions: [say(`${times} ${context.user.firstName} ${context.now}`)] };
}";

fn ada() -> Person {
    Person {
        id: 1,
        first_name: "Ada".into(),
        last_name: None,
        username: None,
        language_code: Some("en".into()),
    }
}

#[tokio::test]
async fn people_talk_calls_are_answered_time_stands_still() {
    let (pool, _guard) = pool().await;
    let bot = BotId::new("simulated").unwrap();
    let now = TimestampMs(1_767_268_800_000);
    let mut talk = Conversation::new(pool, BOT, passport(&bot, BOT), Api::Scripted, now);
    let text = |transcript: &botloom_runtime::simulator::Transcript| {
        transcript.outcome.clone().unwrap();
        transcript
            .messages
            .iter()
            .map(|sent| sent.params["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };

    assert_eq!(
        text(&talk.send(&ada(), 1, "hi").await),
        ["1 Ada 2026-01-01T12:00:00.000Z"]
    );
    talk.advance(6_500);
    let second = talk.send(&ada(), 1, "hi").await;
    assert_eq!(text(&second), ["2 Ada 2026-01-01T12:00:06.500Z"]);
    assert_eq!(second.messages[0].params["chat_id"], 1);
    assert_eq!(
        text(&talk.send(&ada(), -9, "hi").await),
        ["1 Ada 2026-01-01T12:00:06.500Z"],
        "another chat"
    );

    talk.answer(ScriptedAnswer::Answer {
        status: 200,
        body: Some(json!({"id": "o-1"})),
    });
    let asked = talk.send(&ada(), 1, "/ask").await;
    assert_eq!(text(&asked), ["asking", "o-1"]);
    assert_eq!(asked.telemetry.len(), 1);
    let call = &asked.calls[0];
    assert_eq!(
        (call.method.as_str(), call.url.as_str()),
        ("POST", "https://api.shop.example/order")
    );
    assert_eq!(call.query, [("a".into(), "1".into()), ("b".into(), "2".into())]);
    assert_eq!(call.headers, [("X-Key".into(), "k".into())]);
    assert_eq!(call.body, Some(json!({"n": 3})));
    assert!(call.answered);
    assert_eq!(
        talk.state(1),
        Some(r#"{"times":3}"#),
        "what the first call returned reached the second"
    );

    talk.answer(ScriptedAnswer::Answer {
        status: 503,
        body: None,
    });
    talk.answer(ScriptedAnswer::Error(ApiCallError::Timeout));
    assert_eq!(text(&talk.send(&ada(), 1, "/ask").await), ["asking", "status"]);
    assert_eq!(text(&talk.send(&ada(), 1, "/ask").await), ["asking", "timeout"]);
    let unanswered = talk.send(&ada(), 1, "/ask").await;
    assert_eq!(text(&unanswered), ["asking", "connect"]);
    assert!(!unanswered.calls[0].answered);
    talk.answer(ScriptedAnswer::Error(ApiCallError::Timeout));
    assert_eq!(
        text(&talk.send(&ada(), 1, "/roam").await),
        ["denied"],
        "not on the list, whatever is prepared"
    );
    assert_eq!(talk.unused_answers(), 1);

    let failed = talk.send(&ada(), 1, "/fail").await;
    assert!(failed.messages.is_empty());
    assert_eq!(failed.outcome.unwrap_err().outcome, "script_error");
    assert_eq!(
        talk.state(1),
        Some(r#"{"times":6}"#),
        "a failed update changes nothing"
    );
    talk.send(&ada(), 1, "/forget").await;
    assert_eq!(talk.state(1), None);
}
