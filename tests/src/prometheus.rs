//! [`Prometheus`]: a real one, which scrapes what a test gives it, or takes remote writes.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{Program, eventually, free_port};

/// A Prometheus that scrapes once a second. It ends when it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    api: String,
    http: reqwest::Client,
    _program: Program,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts `program` with these scrape configurations, and returns when it is ready.
    ///
    /// # Panics
    /// When it cannot be started, or is not ready in time.
    pub async fn start(program: &Path, scrape_configs: &[Value]) -> Self {
        Self::with(program, scrape_configs, None, &[]).await
    }

    /// Starts `program` with these scrape configurations and the text of a file of rules, which it evaluates once a second.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn with_rules(program: &Path, scrape_configs: &[Value], rules: &str) -> Self {
        Self::with(program, scrape_configs, Some(rules), &[]).await
    }

    /// Starts `program` as a receiver of remote writes, which scrapes nothing.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn receiving(program: &Path) -> Self {
        Self::with(program, &[], None, &["--web.enable-remote-write-receiver"]).await
    }

    async fn with(program: &Path, scrape_configs: &[Value], rules: Option<&str>, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("prometheus.yml");
        // JSON is YAML.
        let text = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": rules.map(|_| "rules.yml").into_iter().collect::<Vec<_>>(),
            "scrape_configs": scrape_configs,
        });
        std::fs::write(&config, text.to_string()).expect("writes a configuration");
        if let Some(rules) = rules {
            std::fs::write(folder.path().join("rules.yml"), rules).expect("writes rules");
        }
        let listen = format!("127.0.0.1:{}", free_port());
        let data = folder.path().join("data");
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={listen}"))
            .args(flags);
        let mut program = Program::start("prometheus", command);
        program.says(&["Server is ready to receive web requests"]).await;
        Self {
            api: format!("http://{listen}/api/v1"),
            http: crate::http_client().build().expect("a client"),
            _program: program,
            _folder: folder,
        }
    }

    /// Where it takes remote writes.
    pub fn write_url(&self) -> String {
        format!("{}/write", self.api)
    }

    /// Waits until the first value that a query gives is this one.
    ///
    /// # Panics
    /// When it is not in time.
    pub async fn gives(&self, query: &str, expected: &str) {
        eventually(&format!("{query} is {expected}"), async || {
            let answer = self.get("query", ("query", query)).await?;
            let value = &answer["data"]["result"][0]["value"][1];
            if value == expected {
                Ok(())
            } else {
                Err(answer.to_string())
            }
        })
        .await;
    }

    /// The series that a query gives now.
    ///
    /// # Errors
    /// Where it does not answer, or cannot read the query.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let answer = self.get("query", ("query", query)).await?;
        match answer["data"]["result"].as_array() {
            Some(series) => Ok(series.clone()),
            None => Err(format!("{query}: {answer}")),
        }
    }

    /// What one of its API's resources answers.
    ///
    /// # Errors
    /// Where it does not answer with JSON.
    pub async fn get(&self, resource: &str, parameter: (&str, &str)) -> Result<Value, String> {
        let url = reqwest::Url::parse_with_params(&format!("{}/{resource}", self.api), [parameter]);
        let url = url.map_err(|error| error.to_string())?;
        let reply = self
            .http
            .get(url)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let text = reply.text().await.map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }
}
