//! A real Prometheus that scrapes a server.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::Http;
use super::process::{Server, free_port};

/// The running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
    http: Http,
    dir: tempfile::TempDir,
}

impl Prometheus {
    /// Starts the program that `BOTLOOM_TEST_PROMETHEUS` names, scraping every second.
    pub(crate) async fn start(server: &Server) -> Self {
        let program = std::env::var_os("BOTLOOM_TEST_PROMETHEUS").expect(
            "BOTLOOM_TEST_PROMETHEUS must name prometheus: run the tests with `make test` or scripts/services/with",
        );
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let target = server.url("");
        let target = target.trim_start_matches("http://");
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: botloom\n    static_configs:\n      - targets: ['{target}']\n"
        );
        std::fs::write(dir.path().join("prometheus.yml"), config).unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .arg(format!(
                "--config.file={}",
                dir.path().join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let prometheus = Self {
            child,
            port,
            http: Http::new(),
            dir,
        };
        prometheus.wait("up{job=\"botloom\"}", |up| up > 0.0).await;
        prometheus
    }

    /// Sum of the series that a query finds; `None` where there are none.
    pub(crate) async fn value(&self, query: &str) -> Option<f64> {
        let escaped: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let url = format!("http://127.0.0.1:{}/api/v1/query?query={escaped}", self.port);
        let answer = self.http.send("GET", &url, &[], "").await.ok()?.json();
        let series = answer["data"]["result"].as_array()?;
        let values = series
            .iter()
            .filter_map(|one| one["value"][1].as_str()?.parse::<f64>().ok());
        (!series.is_empty()).then(|| values.sum())
    }

    /// Waits until a query has a value that fits.
    pub(crate) async fn wait(&self, query: &str, fits: impl Fn(f64) -> bool) -> f64 {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let value = self.value(query).await;
            if let Some(value) = value.filter(|value| fits(*value)) {
                return value;
            }
            assert!(
                Instant::now() < deadline,
                "{query} is {value:?}\n{}",
                std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What it knows about a metric: kind and help.
    pub(crate) async fn metadata(&self) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/metadata", self.port);
        self.http.send("GET", &url, &[], "").await.unwrap().json()["data"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
