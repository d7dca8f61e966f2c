//! [`Pushgateway`]: a real one.

use std::path::Path;

use tokio::process::Command;

use crate::{Page, Program, free_port};

/// A Prometheus Pushgateway. It ends when it is dropped.
#[derive(Debug)]
pub struct Pushgateway {
    url: String,
    http: reqwest::Client,
    _program: Program,
}

impl Pushgateway {
    /// Starts `program`, and returns when it listens.
    ///
    /// # Panics
    /// When it cannot be started, or does not listen in time.
    pub async fn start(program: &Path) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(program);
        command.arg(format!("--web.listen-address={listen}"));
        let mut program = Program::start("prometheus-pushgateway", command);
        program.says(&["Listening on"]).await;
        Self {
            url: format!("http://{listen}"),
            http: crate::http_client().build().expect("a client"),
            _program: program,
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The page that Prometheus scrapes from it.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn page(&self) -> Result<Page, String> {
        let text = async {
            self.http
                .get(format!("{}/metrics", self.url))
                .send()
                .await?
                .text()
                .await
        };
        text.await
            .map(|text| Page::parse(&text))
            .map_err(|error| error.to_string())
    }
}
