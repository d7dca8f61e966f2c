//! [`Deployment`]: mockers and a frontend that run, and requests to them.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Etcd, NatsServer, Page, Program, eventually, free_port, repository};
use tokio::process::Command;

use crate::release::Release;

/// How many requests are under way at a time.
const CONCURRENCY: usize = 4;
/// How many tokens each request asks for; with the mocker it gets as many.
pub(crate) const MAX_TOKENS: u64 = 20;

/// How requests get from the frontend to a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RequestPlane {
    Tcp,
    /// With it workers are NATS micro services as well.
    Nats,
}

/// A running Dynamo; its processes end with it.
#[derive(Debug)]
pub(crate) struct Deployment {
    release: Release,
    plane: RequestPlane,
    nats_url: String,
    /// Where workers register, if not in files.
    etcd: Option<String>,
    /// The discovery's files, and the home of the processes.
    folder: TempDir,
    mockers: Vec<Program>,
    /// The port of each mocker's own page.
    system_ports: Vec<u16>,
    frontend: Option<Program>,
    url: String,
    http: reqwest::Client,
}

/// What the answers to some requests said of their tokens.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) requests: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
}

impl Deployment {
    /// Prepares a Dynamo on this server, without any process.
    pub(crate) fn prepare(release: Release, server: &NatsServer, plane: RequestPlane) -> Self {
        let http = tests::http_client().timeout(Duration::from_secs(20));
        Self {
            release,
            plane,
            nats_url: server.url().to_owned(),
            etcd: None,
            folder: tempfile::tempdir().expect("a temporary folder"),
            mockers: Vec::new(),
            system_ports: Vec::new(),
            frontend: None,
            url: String::new(),
            http: http.build().expect("an HTTP client"),
        }
    }

    /// The same with discovery by etcd.
    pub(crate) fn registered_in(mut self, etcd: &Etcd) -> Self {
        self.etcd = Some(etcd.url());
        self
    }

    /// Starts a mocker with two workers, and a frontend, and waits until the frontend knows both workers.
    pub(crate) async fn start(release: Release, server: &NatsServer, plane: RequestPlane) -> Self {
        let mut this = Self::prepare(release, server, plane);
        this.start_mocker(2);
        this.start_frontend();
        this.serves(2).await;
        this
    }

    /// The release that runs.
    pub(crate) fn release(&self) -> &Release {
        &self.release
    }

    /// Starts one more mocker process with this many workers.
    pub(crate) fn start_mocker(&mut self, workers: u32) {
        let command = self.mocker(workers);
        self.mockers
            .push(Program::start_leashed("dynamo.mocker", command));
    }

    /// Starts one more mocker process with one worker and a page of its own. The workers of one process would try to serve
    /// the page at the same port.
    pub(crate) fn start_mocker_with_page(&mut self) {
        let port = free_port();
        self.system_ports.push(port);
        let mut command = self.mocker(1);
        command.env("DYN_SYSTEM_PORT", port.to_string());
        self.mockers
            .push(Program::start_leashed("dynamo.mocker", command));
    }

    fn mocker(&self, workers: u32) -> Command {
        let mut command = self.command("dynamo.mocker");
        command
            .arg("--model-path")
            .arg(model())
            .args(["--num-workers", &workers.to_string()])
            .args(["--block-size", "16", "--num-gpu-blocks-override", "1000"])
            .args(["--max-num-seqs", "8", "--speedup-ratio", "1"]);
        command
    }

    /// What each mocker says on its own page.
    pub(crate) async fn own_pages(&self) -> Vec<Page> {
        let texts = self.own_texts().await;
        texts.iter().map(|text| Page::parse(text)).collect()
    }

    /// The same as it is written.
    pub(crate) async fn own_texts(&self) -> Vec<String> {
        let texts = self.system_ports.iter().map(async |port| {
            let url = format!("http://127.0.0.1:{port}/metrics");
            let reply = self.http.get(url).send().await.expect("the mocker answers");
            reply.text().await.expect("a page")
        });
        futures_util::future::join_all(texts).await
    }

    /// Starts the frontend on a free port.
    pub(crate) fn start_frontend(&mut self) {
        let port = free_port().to_string();
        let mut command = self.command("dynamo.frontend");
        command
            .args(["--http-host", "127.0.0.1", "--http-port", &port])
            .args(["--router-mode", "kv", "--router-replica-sync"]);
        self.frontend = Some(Program::start_leashed("dynamo.frontend", command));
        self.url = format!("http://127.0.0.1:{port}");
    }

    /// Waits until the frontend serves the model and knows this many workers.
    pub(crate) async fn serves(&mut self, workers: usize) {
        eventually(
            &format!("the frontend served {workers} workers"),
            async || match self.known_workers().await {
                Ok(known) if known == workers => Ok(()),
                other => Err(format!("{other:?}; {}", self.logs())),
            },
        )
        .await;
    }

    /// Sends this many requests, each with a prompt of its own, and adds up what the answers say. The first is sent again
    /// until it is answered, because a frontend knows its workers a moment before it can reach them.
    ///
    /// # Panics
    /// When one is not answered.
    pub(crate) async fn chat(&self, requests: u64) -> Usage {
        let mut first = Usage::default();
        eventually("the first request was answered", async || {
            first = self.chat_once(0).await?;
            Ok(())
        })
        .await;
        let usages = stream::iter(1..requests)
            .map(|number| async move {
                let usage = self.chat_once(number).await;
                usage.unwrap_or_else(|error| panic!("request {number}: {error}; {}", self.logs()))
            })
            .buffer_unordered(CONCURRENCY);
        usages
            .fold(first, async |sum, one| Usage {
                requests: sum.requests + 1,
                prompt_tokens: sum.prompt_tokens + one.prompt_tokens,
                completion_tokens: sum.completion_tokens + one.completion_tokens,
            })
            .await
    }

    /// Ends the oldest mocker as a crash would, without a goodbye.
    pub(crate) async fn kill_mocker(&mut self) {
        let mut mocker = self.mockers.remove(0);
        mocker.signal(Signal::KILL);
        mocker.ended().await;
    }

    /// Ends the oldest mocker in order.
    pub(crate) async fn end_mocker(&mut self) {
        let mut mocker = self.mockers.remove(0);
        mocker.signal(Signal::TERM);
        mocker.ended().await;
    }

    async fn chat_once(&self, number: u64) -> Result<Usage, String> {
        let words = "word ".repeat(number as usize % 7);
        let body = json!({
            "model": model(),
            "messages": [{"role": "user", "content": format!("Request {number} is of its own. {words}")}],
            "max_tokens": MAX_TOKENS,
        });
        let request = self
            .http
            .post(format!("{}/v1/chat/completions", self.url))
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = answer(request).await?;
        let tokens = |name: &str| {
            answer["usage"][name]
                .as_u64()
                .unwrap_or_else(|| panic!("no {name} in {answer}"))
        };
        Ok(Usage {
            requests: 1,
            prompt_tokens: tokens("prompt_tokens"),
            completion_tokens: tokens("completion_tokens"),
        })
    }

    /// How many workers the frontend can route requests to; none before it knows their model.
    async fn known_workers(&self) -> Result<usize, String> {
        let get = |path: &str| self.http.get(format!("{}{path}", self.url));
        let models = answer(get("/v1/models")).await?;
        if models["data"].as_array().is_none_or(Vec::is_empty) {
            return Err("no model".into());
        }
        let health = answer(get("/health")).await?;
        let instances = health["instances"].as_array().ok_or_else(|| health.to_string())?;
        let workers = instances.iter().filter(|one| one["endpoint"] == "generate");
        Ok(workers.count())
    }

    fn logs(&self) -> String {
        let programs = self.mockers.iter().chain(&self.frontend);
        programs.map(Program::log_tail).collect::<Vec<_>>().join("\n")
    }

    /// A module of Dynamo, in an environment without the user's own settings.
    fn command(&self, module: &str) -> Command {
        let mut command = Command::new(&self.release.python);
        let plane = match self.plane {
            RequestPlane::Tcp => "tcp",
            RequestPlane::Nats => "nats",
        };
        let discovery = if self.etcd.is_some() { "etcd" } else { "file" };
        command
            .arg("-P")
            .arg(repository().join("tests/python/leashed.py"))
            .arg(module)
            .args(["--discovery-backend", discovery, "--request-plane", plane])
            .args(["--event-plane", "nats"])
            .env_clear()
            .envs(self.etcd.iter().map(|url| ("ETCD_ENDPOINTS", url)))
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.folder.path())
            .env("NATS_SERVER", &self.nats_url)
            .env("DYN_FILE_KV", self.folder.path().join("discovery"))
            .env("DYN_TCP_RPC_HOST", "127.0.0.1")
            .env("DYN_SYSTEM_PORT", "-1")
            .env("DYN_REQUEST_TRACE", "1")
            .env("DYN_REQUEST_TRACE_SINKS", "nats")
            .env("HF_HUB_OFFLINE", "1");
        command
    }
}

/// The folder of a model without weights, which is also the model's name: so every release finds its tokenizer.
fn model() -> PathBuf {
    repository().join("tests/dynamo/model")
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let reply = request.send().await.map_err(|error| format!("{error:?}"))?;
    let status = reply.status();
    let body = reply.bytes().await.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&body);
    if !status.is_success() {
        return Err(format!("{status}: {text}"));
    }
    serde_json::from_slice(&body).map_err(|error| format!("{error}: {text}"))
}
