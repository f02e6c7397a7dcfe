//! `match` effects: patterns and schemas of bot authors against texts of strangers, in linear time.

mod pattern;
mod schema;

use botloom_core::bot_js::{MAX_MATCH_TESTS, MatchTest};
use moka::sync::Cache;

use pattern::Pattern;
use schema::Schema;

/// Room for compiled patterns: so many ordinary ones, or a thirty-second of the largest.
const KEPT_PATTERNS: u64 = 4_096;
/// Compiled schemas that are kept.
const KEPT_SCHEMAS: u64 = 1_024;
/// Longest text under test, in bytes. Telegram's texts end at 16 KiB.
const MAX_TEXT: usize = 64 * 1024;
/// A text longer than this is tested on a thread that may block: a bad pattern costs its size times the text.
const INLINE_TEXT: usize = 256;

/// A test that is no test. The compiler never makes one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the match effect cannot be run: {0}")]
pub(crate) struct InvalidTest(String);

/// Runs tests and keeps what it compiled. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    patterns: Cache<String, Result<Pattern, InvalidTest>>,
    schemas: Cache<String, Result<Schema, InvalidTest>>,
}

impl Default for Matcher {
    fn default() -> Self {
        Self {
            patterns: Cache::builder()
                .max_capacity(KEPT_PATTERNS)
                .weigher(|_, compiled: &Result<Pattern, _>| {
                    compiled.as_ref().map_or(1, |pattern| pattern.weight)
                })
                .build(),
            schemas: Cache::new(KEPT_SCHEMAS),
        }
    }
}

impl Matcher {
    /// One result for each test, in order.
    pub(crate) async fn run(&self, tests: Vec<MatchTest>) -> Result<Vec<bool>, InvalidTest> {
        if tests.len() > MAX_MATCH_TESTS {
            return Err(InvalidTest(format!("more than {MAX_MATCH_TESTS} tests")));
        }
        let longest = tests.iter().map(|test| text(test).len()).max().unwrap_or(0);
        if longest > MAX_TEXT {
            return Err(InvalidTest(format!("a text of more than {MAX_TEXT} bytes")));
        }
        if longest <= INLINE_TEXT {
            return tests.iter().map(|test| self.test(test)).collect();
        }
        let this = self.clone();
        tokio::task::spawn_blocking(move || tests.iter().map(|test| this.test(test)).collect())
            .await
            .unwrap_or_else(|_| Err(InvalidTest("the test did not end".into())))
    }

    fn test(&self, test: &MatchTest) -> Result<bool, InvalidTest> {
        match test {
            MatchTest::Pattern { pattern, text } => {
                let compiled = self
                    .patterns
                    .get_with_by_ref(pattern, || Pattern::compile(pattern))?;
                Ok(compiled.is_match(text))
            }
            MatchTest::Schema { schema, text } => {
                let compiled = self
                    .schemas
                    .get_with_by_ref(schema.get(), || Schema::compile(schema.get()))?;
                Ok(compiled.accepts(text))
            }
        }
    }
}

fn text(test: &MatchTest) -> &str {
    match test {
        MatchTest::Pattern { text, .. } | MatchTest::Schema { text, .. } => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(test: &serde_json::Value) -> MatchTest {
        let text = test["text"].as_str().unwrap().to_owned();
        match test["pattern"].as_str() {
            Some(pattern) => MatchTest::Pattern {
                pattern: pattern.to_owned(),
                text,
            },
            None => MatchTest::Schema {
                schema: serde_json::value::to_raw_value(&test["schema"]).unwrap(),
                text,
            },
        }
    }

    async fn run(tests: &str) -> Result<Vec<bool>, InvalidTest> {
        let tests: Vec<serde_json::Value> = serde_json::from_str(tests).unwrap();
        Matcher::default().run(tests.iter().map(read).collect()).await
    }

    #[tokio::test]
    async fn results_keep_the_order_of_tests() {
        let tests = r#"[{"pattern":"^a","text":"ab"},{"schema":{"type":"integer"},"text":"x"},
                        {"pattern":"(?i)B","text":"ab"},{"pattern":"^b","text":"ab"}]"#;
        assert_eq!(run(tests).await, Ok(vec![true, false, true, false]));
    }

    #[tokio::test]
    async fn long_texts_are_tested_too() {
        let long = "a".repeat(20_000);
        let tests =
            format!(r#"[{{"pattern":"^(a|a)*$","text":"{long}"}},{{"pattern":"b","text":"{long}"}}]"#);
        assert_eq!(run(&tests).await, Ok(vec![true, false]));
    }

    #[tokio::test]
    async fn what_cannot_be_run_is_an_error() {
        for tests in [
            r#"[{"pattern":"(","text":""}]"#,
            r#"[{"pattern":"(?=a)","text":""}]"#,
            r#"[{"pattern":"((a{1000}){1000}){1000}","text":""}]"#,
            r#"[{"schema":{"type":"no such type"},"text":""}]"#,
            r#"[{"schema":{"$ref":"https://example.com/s"},"text":""}]"#,
            r#"[{"schema":{"pattern":"(?<=a)b"},"text":"b"}]"#,
        ] {
            assert!(run(tests).await.is_err(), "{tests}");
        }
        let many = format!("[{}]", vec![r#"{"pattern":"a","text":""}"#; 17].join(","));
        assert!(run(&many).await.is_err());
        assert!(
            run(&format!(
                r#"[{{"pattern":"a","text":"{}"}}]"#,
                "x".repeat(MAX_TEXT + 1)
            ))
            .await
            .is_err()
        );
    }
}
