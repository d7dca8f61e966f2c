//! A NATS server and a client that talks to the worker on it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use protocol::service::async_nats::connection::State;
use protocol::service::async_nats::{self, Client, Message, Request, RequestErrorKind, Subscriber};
use protocol::service::{Worker, WorkerBuilder};
use protocol::{EndpointPath, EndpointStats, ServicePrefix, StatsReply};
use serde_json::Value;

/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server of the test's own, with a connection for the worker and one for its user.
pub(crate) struct Bench {
    server: Child,
    /// Where the server listens, as host and port.
    pub(crate) address: String,
    pub(crate) worker_side: Client,
    pub(crate) user_side: Client,
}

impl Bench {
    /// Starts a server as it comes.
    pub(crate) async fn start(program: &Path) -> Self {
        Self::start_with(program, "").await
    }

    /// Starts a server with `settings` in its configuration.
    pub(crate) async fn start_with(program: &Path, settings: &str) -> Self {
        let config = tempfile::NamedTempFile::new().expect("there is room for a file");
        std::fs::write(&config, settings).expect("the file is writable");
        let mut server = Command::new(program)
            .args(["--addr", "127.0.0.1", "--port", "-1", "--config"])
            .arg(config.path())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nats-server starts");
        let mut log = BufReader::new(server.stderr.take().expect("it is piped")).lines();
        let marker = "Listening for client connections on ";
        let address = log
            .find_map(|line| Some(line.ok()?.split_once(marker)?.1.to_owned()))
            .expect("nats-server reports its address");
        // Read on, so that the server never waits for its log to be taken.
        std::thread::spawn(move || log.for_each(drop));
        let connect = || async { async_nats::connect(&address).await.expect("the server is there") };
        let (worker_side, user_side) = (connect().await, connect().await);
        Self {
            server,
            address,
            worker_side,
            user_side,
        }
    }

    /// Takes the server away, and waits until the worker's side has noticed.
    pub(crate) async fn lose_server(&mut self) {
        self.server.kill().expect("it runs");
        let deadline = Instant::now() + PATIENCE;
        while self.worker_side.connection_state() == State::Connected {
            assert!(Instant::now() < deadline, "the connection should be lost by now");
            tokio::task::yield_now().await;
        }
    }

    /// A worker with what the test adds.
    pub(crate) async fn worker(&self, with: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> Worker {
        with(Worker::builder(path()))
            .start(self.worker_side.clone())
            .await
            .expect("the worker starts")
    }

    /// One STATS reply; a failure where no worker answers.
    pub(crate) async fn reply(&self) -> StatsReply {
        let message = self
            .user_side
            .request(ServicePrefix::default().stats(), "".into())
            .await;
        StatsReply::decode(&message.expect("a worker answers").payload).expect("the reply is readable")
    }

    /// The counters and load of the one worker's endpoint.
    pub(crate) async fn stats(&self) -> EndpointStats {
        let mut endpoints = self.reply().await.endpoints;
        assert_eq!(endpoints.len(), 1);
        endpoints.remove(0)
    }

    /// The load in the one worker's reply.
    pub(crate) async fn data(&self) -> Value {
        self.stats().await.data.expect("the data is readable")
    }

    /// Waits until the load in the one worker's reply is this.
    pub(crate) async fn wait_for_data(&self, expected: impl Into<Value>) {
        let (expected, deadline) = (expected.into(), Instant::now() + PATIENCE);
        loop {
            let data = self.data().await;
            if data == expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the load should be {expected} by now, and is {data}"
            );
        }
    }

    /// Waits until no worker is there any more: the server itself says so.
    pub(crate) async fn wait_until_no_worker_answers(&self) {
        // What the worker's side has sent by now comes before its own question.
        for side in [&self.worker_side, &self.user_side] {
            Self::wait_for_silence(side).await;
        }
    }

    /// Waits until no worker answers.
    pub(crate) async fn wait_for_silence(side: &Client) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // One that is just leaving may swallow a request, so no test waits long for an answer.
            let request = Request::new().timeout(Some(Duration::from_millis(200)));
            match side.send_request(ServicePrefix::default().stats(), request).await {
                Err(error) if error.kind() == RequestErrorKind::NoResponders => return,
                _ => assert!(Instant::now() < deadline, "a worker still answers"),
            }
        }
    }

    /// Asks the worker one thing.
    pub(crate) async fn ask(&self, worker: &Worker, payload: &'static str) -> Message {
        self.user_side
            .request(worker.subject().to_string(), payload.into())
            .await
            .expect("the worker answers")
    }

    /// Sends a request whose answers come one by one.
    pub(crate) async fn ask_for_many(&self, worker: &Worker, payload: &'static str) -> Subscriber {
        let inbox = self.user_side.new_inbox();
        let answers = self.user_side.subscribe(inbox.clone()).await.expect("connected");
        self.user_side
            .publish_with_reply(worker.subject().to_string(), inbox, payload.into())
            .await
            .expect("connected");
        answers
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

pub(crate) fn path() -> EndpointPath {
    "dynamo/MyComponent/my_endpoint".parse().expect("a path")
}

/// The next message.
pub(crate) async fn next(subscriber: &mut Subscriber) -> Message {
    subscriber.next().await.expect("the subscription lives")
}

/// The code and text of an error answer, or `None` where it is none.
pub(crate) fn error_of(message: &Message) -> Option<(String, String)> {
    let headers = message.headers.as_ref()?;
    let code = headers.get(async_nats::service::NATS_SERVICE_ERROR_CODE)?;
    let text = headers.get(async_nats::service::NATS_SERVICE_ERROR)?;
    Some((code.to_string(), text.to_string()))
}
