//! A real collector of OpenTelemetry (Rotel), which prints what it receives.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::process::free_port;

/// A span as the collector printed it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty for the root.
    pub(crate) parent: String,
    pub(crate) name: String,
    /// `SERVER`, `CLIENT` …
    pub(crate) kind: String,
    /// Values as text.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Ids of linked spans.
    pub(crate) links: Vec<String>,
}

impl Span {
    /// An attribute; empty where it is missing.
    pub(crate) fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }
}

/// The running collector.
#[derive(Debug)]
pub(crate) struct Collector {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Collector {
    /// Starts the program that `BOTLOOM_TEST_OTLP_COLLECTOR` names.
    pub(crate) async fn start() -> Self {
        let program = std::env::var_os("BOTLOOM_TEST_OTLP_COLLECTOR").expect(
            "BOTLOOM_TEST_OTLP_COLLECTOR must name rotel-agent: run the tests with `make test` or scripts/services/with",
        );
        let dir = tempfile::tempdir().unwrap();
        let (port, grpc) = (free_port(), free_port());
        let printed = File::create(dir.path().join("printed")).unwrap();
        let child = Command::new(program)
            .arg("start")
            .arg("--pid-file")
            .arg(dir.path().join("pid"))
            .arg("--log-file")
            .arg(dir.path().join("log"))
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{port}")])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .args(["--exporter", "blackhole", "--debug-log", "traces"])
            .args(["--debug-log-verbosity", "detailed"])
            .stdin(Stdio::null())
            .stdout(printed.try_clone().unwrap())
            .stderr(printed)
            .spawn()
            .unwrap();
        let collector = Self { child, port, dir };
        let deadline = Instant::now() + Duration::from_secs(30);
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(
                Instant::now() < deadline,
                "no collector:\n{}",
                collector.printed()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        collector
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything it printed: every byte of every span that can be read.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("printed")).unwrap_or_default()
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let printed = self.printed();
        let mut spans: Vec<Span> = Vec::new();
        let (mut in_span, mut in_link) = (false, false);
        for line in printed.lines() {
            if line.starts_with("Span #") {
                spans.push(Span::default());
                (in_span, in_link) = (true, false);
            } else if line.starts_with("ResourceSpans #") {
                in_span = false;
            } else if line.starts_with("SpanLink #") {
                in_link = true;
            }
            let Some(span) = spans.last_mut().filter(|_| in_span) else {
                continue;
            };
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let (key, value) = (key.trim(), value.trim().to_owned());
            match key {
                "Trace ID" => span.trace = value,
                "Parent ID" => span.parent = value,
                "ID" => span.id = value,
                "Name" => span.name = value,
                "Kind" => value.trim_start_matches("SPAN_KIND_").clone_into(&mut span.kind),
                "-> ID" if in_link => span.links.push(value),
                _ => {
                    if let Some(name) = key.strip_prefix("-> ").filter(|_| !in_link) {
                        let inner = value.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
                        span.attributes
                            .insert(name.to_owned(), inner.unwrap_or(&value).to_owned());
                    }
                }
            }
        }
        spans
    }

    /// Waits until the spans satisfy `enough`.
    pub(crate) async fn wait(&self, enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let spans = self.spans();
            if enough(&spans) {
                return spans;
            }
            assert!(Instant::now() < deadline, "spans are missing:\n{}", tree(&spans));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Names and parents, for people who read a failure.
pub(crate) fn tree(spans: &[Span]) -> String {
    let lines = spans.iter().map(|span| {
        let (trace, id, parent) = (&span.trace, &span.id, &span.parent);
        format!("{trace} {parent:>16} -> {id} {:8} {}\n", span.kind, span.name)
    });
    lines.collect()
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
