//! [`Etcd`]: an etcd server of the test's own, as a local process.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{Program, eventually, free_port, tools};

/// A server, which runs or is stopped; it is gone when this is dropped.
#[derive(Debug)]
pub struct Etcd {
    program: PathBuf,
    folder: TempDir,
    ports: [u16; 2],
    running: Option<Program>,
    http: reqwest::Client,
}

impl Etcd {
    /// Starts a server and waits until it answers; `None` where there is no program, which is said on stderr.
    pub async fn start(test: &str) -> Option<Self> {
        let mut this = Self::prepare(test)?;
        this.start_again().await;
        Some(this)
    }

    /// A server that does not run yet.
    ///
    /// # Panics
    /// When there is no temporary folder.
    pub fn prepare(test: &str) -> Option<Self> {
        Some(Self {
            program: tools::program("E2E_ETCD", test)?,
            folder: tempfile::tempdir().expect("a temporary folder"),
            ports: [free_port(), free_port()],
            running: None,
            http: crate::http_client().build().expect("a client"),
        })
    }

    /// Where it listens, without a scheme.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Starts it where it was, with what it had, and waits until it answers.
    pub async fn start_again(&mut self) {
        let [clients, peers] = self.ports.map(|port| format!("http://127.0.0.1:{port}"));
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(self.folder.path().join("data"));
        for (flag, value) in [
            ("--listen-client-urls", &clients),
            ("--advertise-client-urls", &clients),
            ("--listen-peer-urls", &peers),
            ("--initial-advertise-peer-urls", &peers),
            ("--initial-cluster", &format!("default={peers}")),
        ] {
            command.args([flag, value]);
        }
        self.running = Some(Program::start("etcd", command));
        eventually("etcd answered", async || {
            // Where users log in, this is refused, which is an answer.
            match self.post("/v3/kv/range", &json!({"key": encode("v1")})).await {
                Err(error) if !error.contains("user name is empty") => Err(error),
                _ => Ok(()),
            }
        })
        .await;
    }

    /// Ends it, as an operator would.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn stop(&mut self) {
        let mut running = self.running.take().expect("etcd runs");
        running.signal(Signal::TERM);
        running.ended().await;
    }

    /// Freezes it: connections stay open, and nothing comes through.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pause(&self) {
        self.running.as_ref().expect("etcd runs").signal(Signal::STOP);
    }

    /// Thaws it.
    ///
    /// # Panics
    /// When it does not run.
    pub fn resume(&self) {
        self.running.as_ref().expect("etcd runs").signal(Signal::CONT);
    }

    /// Sets the value of a key.
    pub async fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let request = json!({"key": encode(key), "value": encode(value)});
        self.must("/v3/kv/put", &request).await;
    }

    /// Removes a key.
    pub async fn delete(&self, key: impl AsRef<[u8]>) {
        self.must("/v3/kv/deleterange", &json!({"key": encode(key)}))
            .await;
    }

    /// From now on only `root` is served, with this password.
    pub async fn demand_password(&self, password: &str) {
        let user = json!({"name": "root", "password": password});
        self.must("/v3/auth/user/add", &user).await;
        self.must("/v3/auth/role/add", &json!({"name": "root"})).await;
        let grant = json!({"user": "root", "role": "root"});
        self.must("/v3/auth/user/grant", &grant).await;
        self.must("/v3/auth/enable", &json!({})).await;
    }

    async fn must(&self, path: &str, request: &Value) {
        if let Err(error) = self.post(path, request).await {
            panic!("{path}: {error}");
        }
    }

    async fn post(&self, path: &str, request: &Value) -> Result<(), String> {
        let request = self
            .http
            .post(format!("{}{path}", self.url()))
            .body(request.to_string());
        let reply = request.send().await.map_err(|error| format!("{error:?}"))?;
        let is_success = reply.status().is_success();
        let body = reply.bytes().await.map_err(|error| error.to_string())?;
        match is_success {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&body).into_owned()),
        }
    }
}

fn encode(text: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(text)
}
