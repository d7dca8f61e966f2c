//! [`Collector`]: the program `metrics`, watching.

use std::collections::BTreeMap;

use reqwest::header::{ACCEPT, HeaderMap};
use rustix::process::Signal;
use tokio::process::Command;

use crate::{NatsServer, Page, Program, eventually, metrics};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    program: Program,
    url: String,
    http: reqwest::Client,
}

/// An answer of the collector's web server.
#[derive(Debug)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came, compressed or not.
    pub body: Vec<u8>,
}

impl Collector {
    /// Starts a collector of one target, with a short poll interval, on a free port.
    pub async fn watching(server: &NatsServer, target: &str, more: &[&str]) -> Self {
        Self::start(server.url(), &[&["--target", target], more].concat()).await
    }

    /// Starts a collector with arguments of its own, and waits until its page is served.
    pub async fn start(server: &str, arguments: &[&str]) -> Self {
        let mut command = metrics(arguments);
        command.args(["--server", server]);
        Self::launch(command).await
    }

    /// Starts a collector by a command of the test's own, and waits until its page is served.
    pub async fn launch(mut command: Command) -> Self {
        if command.as_std().get_args().all(|argument| argument != "--listen") {
            command.args(["--metrics-port", "0"]);
        }
        // By environment, so that a test may say otherwise by a flag.
        command.env("METRICS_POLL_INTERVAL", "200ms");
        let mut program = Program::start("metrics", command);
        let line = program.says(&["serving", "url="]).await;
        let url = line
            .split("url=")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        let url = url
            .expect("a url follows")
            .trim_matches('"')
            .trim_end_matches("/metrics")
            .to_owned();
        Self {
            program,
            url,
            http: crate::http_client().build().expect("a client"),
        }
    }

    /// Its process.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Where its web server listens, e.g. `http://127.0.0.1:40001`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The page in classic text.
    pub async fn page(&self) -> Page {
        Page::parse(&self.text("/metrics", &[]).await)
    }

    /// The page in OpenMetrics.
    pub async fn open_metrics(&self) -> Page {
        Page::parse(&self.text("/metrics", &[(ACCEPT.as_str(), OPEN_METRICS)]).await)
    }

    /// The status of `/readyz`.
    pub async fn ready(&self) -> u16 {
        self.get("/readyz", &[]).await.status
    }

    /// One request.
    ///
    /// # Panics
    /// When it is not answered.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> HttpReply {
        self.try_get(path, headers)
            .await
            .unwrap_or_else(|error| panic!("GET {path}: {error:#}; {}", self.program.log_tail()))
    }

    /// Waits until the page fulfils `condition`, and returns that page.
    pub async fn shows(&self, promise: &str, condition: impl Fn(&Page) -> bool) -> Page {
        eventually(promise, async || {
            let page = self.page().await;
            if condition(&page) {
                Ok(page)
            } else {
                Err(format!("\n{page}{}", self.program.log_tail()))
            }
        })
        .await
    }

    /// Waits until the page has `value` for the one sample of this name and these labels.
    pub async fn has(&self, name: &str, labels: &[(&str, &str)], value: f64) -> Page {
        let promise = format!("{name}{labels:?} is {value}");
        self.shows(&promise, |page| page.value(name, labels) == Some(value))
            .await
    }

    /// Waits until this many workers are fresh, over all targets.
    pub async fn has_workers(&self, count: u32) -> Page {
        let promise = format!("{count} workers are fresh");
        self.shows(&promise, |page| {
            page.sum("llm_pool_workers", &[("state", "fresh")]) == f64::from(count)
        })
        .await
    }

    /// Lets this many more rounds of every target begin and end: the collector's own clock, by which a test says
    /// that something does not happen.
    pub async fn rounds(&self, count: u32) -> Page {
        self.keeps("nothing else is promised", count, |_| true).await
    }

    /// Lets this many more rounds of every target begin and end, and looks at the page as often as it can meanwhile.
    ///
    /// # Panics
    /// When a page does not fulfil `condition`.
    pub async fn keeps(&self, promise: &str, count: u32, condition: impl Fn(&Page) -> bool) -> Page {
        // The one under way when this is called may have begun before; it does not count.
        let wanted = rounds_of(&self.page().await) + f64::from(count) + 1.0;
        self.shows(&format!("{count} more rounds ended"), |page| {
            assert!(
                condition(page),
                "it ceased to be true that {promise}\n{page}{}",
                self.program.log_tail()
            );
            rounds_of(page) >= wanted
        })
        .await
    }

    /// Asks it to stop by SIGTERM, and returns its exit code.
    pub async fn stop(mut self) -> Option<i32> {
        self.program.signal(Signal::TERM);
        self.program.ended().await.code()
    }

    async fn text(&self, path: &str, headers: &[(&str, &str)]) -> String {
        let reply = self.get(path, headers).await;
        assert_eq!(reply.status, 200, "GET {path}");
        String::from_utf8(reply.body).expect("a page is UTF-8")
    }

    async fn try_get(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Result<HttpReply> {
        let request = headers.iter().fold(
            self.http.get(format!("{}{path}", self.url)),
            |request, (name, value)| request.header(*name, *value),
        );
        let reply = request.send().await?;
        Ok(HttpReply {
            status: reply.status().as_u16(),
            headers: reply.headers().clone(),
            body: reply.bytes().await?.to_vec(),
        })
    }
}

/// How many rounds every target has had.
fn rounds_of(page: &Page) -> f64 {
    let mut by_target = BTreeMap::new();
    for sample in page.samples("llm_collector_rounds_total", &[]) {
        let mut target = sample.labels.clone();
        target.remove("finish");
        *by_target.entry(target).or_insert(0.0) += sample.value;
    }
    by_target.into_values().reduce(f64::min).unwrap_or(0.0)
}
