//! What bot code returned, judged by the node: a worker could have been taken over, so nothing it says is trusted.

use botloom_core::bot_js::{
    Action, Effect, MAX_ACTIONS, MAX_DEPTH, MAX_MATCH_TESTS, MAX_OUTPUT_BYTES, MAX_STATE_BYTES,
    MAX_TELEMETRY, MatchTest, Output, Telemetry,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::outcome::Outcome;

/// Largest integer that a JSON number carries exactly through JavaScript: 2^53 − 1.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
/// A number token shorter than this and without exponent cannot exceed [`MAX_SAFE`].
const SHORT_NUMBER: usize = 16;

/// Reads the text that a worker gave as `handle`'s answer.
pub(super) fn judge(text: &str) -> Outcome {
    match scan(text).and_then(|()| parse(text)) {
        Ok(output) => Outcome::Ok(Box::new(output)),
        Err(refusal) => refusal,
    }
}

fn bad(reason: impl Into<String>) -> Outcome {
    Outcome::BadResult(reason.into())
}

fn too_many(what: &str, found: usize, max: usize) -> Outcome {
    Outcome::OutputLimit(format!(
        "the answer has {found} {what}, at most {max} are allowed"
    ))
}

/// The parts of the answer before they are looked at. An effect names its own kind, and its `cont` stays text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts<'a> {
    #[serde(default)]
    state: Option<Box<RawValue>>,
    #[serde(default)]
    actions: Vec<Action>,
    #[serde(default, borrow)]
    effect: Option<&'a RawValue>,
    #[serde(default)]
    telemetry: Vec<Telemetry>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct Match<'a> {
    cont: Box<RawValue>,
    #[serde(borrow)]
    tests: Vec<Test<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test<'a> {
    pattern: Option<String>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    text: String,
}

fn json<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, Outcome> {
    // Structures would also be read from arrays, field by field.
    if !text.starts_with('{') {
        return Err(bad(format!("{what} is not an object")));
    }
    serde_json::from_str(text).map_err(|error| bad(format!("{what} does not fit: {error}")))
}

fn effect(text: &str) -> Result<Effect, Outcome> {
    let what = "the effect";
    match json::<Named>(what, text)?.kind.as_ref() {
        "apiCall" => Ok(Effect::ApiCall(json(what, text)?)),
        "match" => {
            let Match { cont, tests } = json(what, text)?;
            if tests.len() > MAX_MATCH_TESTS {
                return Err(too_many("match tests", tests.len(), MAX_MATCH_TESTS));
            }
            let test = |test: Test<'_>| match (test.pattern, test.schema) {
                (Some(pattern), None) => Ok(MatchTest::Pattern {
                    pattern,
                    text: test.text,
                }),
                (None, Some(schema)) => Ok(MatchTest::Schema {
                    schema: schema.to_owned(),
                    text: test.text,
                }),
                _ => Err(bad("a match test has not exactly one of pattern and schema")),
            };
            Ok(Effect::Match {
                cont,
                tests: tests.into_iter().map(test).collect::<Result<_, _>>()?,
            })
        }
        kind => Err(bad(format!("{kind} is not an effect"))),
    }
}

fn parse(text: &str) -> Result<Output, Outcome> {
    let parts: Parts = json("the answer", text)?;
    let state = parts.state.as_ref().map_or(0, |state| state.get().len());
    if state > MAX_STATE_BYTES {
        return Err(too_many("bytes of state", state, MAX_STATE_BYTES));
    }
    if text.len() - state > MAX_OUTPUT_BYTES {
        return Err(too_many(
            "bytes besides its state",
            text.len() - state,
            MAX_OUTPUT_BYTES,
        ));
    }
    if parts.actions.len() > MAX_ACTIONS {
        return Err(too_many("actions", parts.actions.len(), MAX_ACTIONS));
    }
    if parts.telemetry.len() > MAX_TELEMETRY {
        return Err(too_many("telemetry events", parts.telemetry.len(), MAX_TELEMETRY));
    }
    if parts
        .telemetry
        .iter()
        .flat_map(|event| event.fields.values())
        .any(|v| v.is_array() || v.is_object())
    {
        return Err(bad("a telemetry event is not flat"));
    }
    Ok(Output {
        state: parts.state,
        actions: parts.actions,
        effect: parts.effect.map(|text| effect(text.get())).transpose()?,
        telemetry: parts.telemetry,
    })
}

/// Depth, numbers and surrogates, in one pass over the bytes, before anything is allocated. Texts that are not JSON
/// pass or fail here by chance; the parser that follows refuses them.
fn scan(text: &str) -> Result<(), Outcome> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at + 1)?;
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Outcome::OutputLimit(format!(
                        "the answer is nested more than {MAX_DEPTH} levels deep"
                    )));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let is_number = |b: &u8| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                let end = at + bytes[at..].iter().take_while(|b| is_number(b)).count();
                let token = &text[at..end];
                let plain = token.len() < SHORT_NUMBER && !token.contains(['e', 'E']);
                if !plain && !token.parse::<f64>().is_ok_and(|number| number.abs() <= MAX_SAFE) {
                    return Err(bad(format!("{token} is outside ±(2^53 − 1)")));
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Index behind the string whose content starts at `at`. Refuses halves of surrogate pairs: they are not text.
fn string_end(bytes: &[u8], mut at: usize) -> Result<usize, Outcome> {
    let mut high = false;
    loop {
        let unit = match bytes.get(at..) {
            Some([b'"', ..]) if !high => return Ok(at + 1),
            Some([b'\\', b'u', digits @ ..]) => {
                at += 6;
                digits
                    .get(..4)
                    .and_then(|hex| u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok())
            }
            Some([b'\\', _, ..]) => {
                at += 2;
                None
            }
            Some([_, ..]) => {
                at += 1;
                None
            }
            Some([]) | None => return Err(bad("the answer is not complete")),
        };
        let low = matches!(unit, Some(0xDC00..=0xDFFF));
        if high != low {
            return Err(bad("a text holds half of a surrogate pair"));
        }
        high = matches!(unit, Some(0xD800..=0xDBFF));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> &'static str {
        judge(text).name()
    }

    #[test]
    fn what_fits_passes() {
        for text in [
            "{}",
            r#"{"state":null,"actions":[],"telemetry":[]}"#,
            r#"{"state":{"v":{"n":-9007199254740991,"f":0.30000000000000004,"t":"\ud83d\ude00 \"]}"}}}"#,
            r#"{"actions":[{"method":"sendMessage","params":{"text":"hi"},"class":"urgent","notAfterSec":3}]}"#,
            r#"{"telemetry":[{"event":"flow_started","flow":"order"}]}"#,
            r#"{"effect":{"type":"match","cont":[1,{"a":2}],"tests":[{"pattern":"a","text":"b"},{"schema":{"type":"integer"},"text":"3"}]}}"#,
            r#"{"effect":{"type":"apiCall","cont":1,"method":"GET","url":"https://x.example/","headers":{},"query":{},"body":{"a":1},"timeoutMs":1000,"retries":1,"backoff":{"baseMs":1,"factor":2}}}"#,
        ] {
            assert_eq!(name(text), "ok", "{text}: {}", judge(text).message());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let deep = format!("{{\"state\":{}1{}}}", "[".repeat(32), "]".repeat(32));
        let actions = format!(
            "{{\"actions\":[{}]}}",
            vec![r#"{"method":"m","params":{}}"#; 33].join(",")
        );
        let state = format!("{{\"state\":\"{}\"}}", "x".repeat(MAX_STATE_BYTES - 1));
        let rest = format!(
            "{{\"telemetry\":[{{\"event\":\"{}\"}}]}}",
            "x".repeat(MAX_OUTPUT_BYTES)
        );
        for text in [&deep, &actions, &state, &rest] {
            assert_eq!(name(text), "output_limit", "{}", &text[..40]);
        }
        for text in [
            "",
            "1",
            "null",
            "[]",
            "{",
            r#"{"state":"#,
            r#"{"state":"abc"#,
            r#"{"state":"\"}"#,
            r#"{"surprise":1}"#,
            r#"{"state":9007199254740992}"#,
            r#"{"state":{"a":[-9007199254740992]}}"#,
            r#"{"state":1e+21}"#,
            r#"{"state":"\ud800"}"#,
            r#"{"state":"\udc00"}"#,
            r#"{"state":{"\ud800x":1}}"#,
            r#"{"state":"\ud800\ud800"}"#,
            r#"{"actions":{}}"#,
            r#"{"actions":[{"method":"m","params":[]}]}"#,
            r#"{"actions":[{"params":{}}]}"#,
            r#"{"telemetry":[{"event":"e","deep":{}}]}"#,
            r#"{"telemetry":[{"name":"e"}]}"#,
            r#"{"effect":{"type":"sleep","cont":1}}"#,
            r#"{"effect":[]}"#,
            r#"{"effect":{"type":"apiCall","cont":1}}"#,
            r#"{"effect":{"type":"match","cont":1,"tests":[{"pattern":"a","schema":{},"text":"b"}]}}"#,
            r#"{"state":1,"state":2}"#,
        ] {
            assert_eq!(name(text), "bad_result", "{text}");
        }
    }
}
