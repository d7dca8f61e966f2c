//! [`NatsServer`]: a real NATS server of the test's own.
//!
//! Where `E2E_NATS_IMAGE` names an image it runs in a container; else as a process of `E2E_NATS_SERVER_BIN`. Every
//! test has its own, for `$SRV.STATS` reaches all services of a server.

mod container;
mod process;
mod setup;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use async_nats::{Client, ConnectOptions};
use serde_json::Value;

use self::container::Container;
use self::process::Process;
use crate::eventually;
use crate::tools::variable_text;

pub(crate) use self::setup::Node;
pub use self::setup::Setup;

/// A running server; it is gone when this is dropped.
#[derive(Debug)]
pub struct NatsServer {
    url: String,
    addresses: Addresses,
    host: Host,
    login: Option<(&'static str, &'static str)>,
}

#[derive(Debug)]
enum Host {
    Container(Box<Container>),
    Process(Process),
}

/// Where it listens, each as `host:port`.
#[derive(Debug)]
struct Addresses {
    clients: String,
    monitor: String,
    websocket: Option<String>,
}

impl NatsServer {
    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        Self::started(&Setup::default(), None).await
    }

    /// Starts a server on a port of the caller's, which it keeps when it is stopped and started again.
    pub async fn start_on(port: u16) -> Self {
        Self::started(&Setup::default().port(port), None).await
    }

    /// Starts a server with a configuration file, in which the test itself is `login`: user and password.
    pub async fn configured(config: &str, login: Option<(&'static str, &'static str)>) -> Self {
        Self::started(&Setup::config(config), login).await
    }

    /// Starts a server that the test itself may not be able to connect to, and waits until it is ready for clients.
    pub async fn set_up(setup: &Setup) -> Self {
        let server = Self::launched(setup, None).await;
        eventually("the server reports that it is ready", async || {
            server.try_monitor("healthz").await.map(|_| ())
        })
        .await;
        server
    }

    /// Starts Debian's server, the oldest that is supported, as a local process. `None` where it is not installed.
    pub async fn oldest(setup: &Setup, test: &str) -> Option<Self> {
        let program = crate::tools::program("E2E_NATS_SERVER_OLDEST", test)?;
        let (addresses, process) = Process::start(&program.to_string_lossy(), setup);
        let server = Self::at(addresses, Host::Process(process), None);
        eventually("the server reports that it is ready", async || {
            server.try_monitor("healthz").await.map(|_| ())
        })
        .await;
        Some(server)
    }

    /// Where it listens, e.g. `nats://127.0.0.1:4222`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens, e.g. `127.0.0.1:4222`.
    pub fn address(&self) -> &str {
        &self.addresses.clients
    }

    /// Where it takes WebSocket connections, e.g. `127.0.0.1:8080`.
    ///
    /// # Panics
    /// When its configuration has none.
    pub fn websocket_address(&self) -> &str {
        self.addresses
            .websocket
            .as_deref()
            .expect("the configuration has a WebSocket port")
    }

    /// A connection to it.
    ///
    /// # Panics
    /// When it does not take connections.
    pub async fn client(&self) -> Client {
        eventually(&format!("NATS took a connection at {}", self.url), async || {
            let options = match self.login {
                Some((user, password)) => {
                    ConnectOptions::with_user_and_password(user.into(), password.into())
                }
                None => ConnectOptions::new(),
            };
            options
                .connect(&self.url)
                .await
                .map_err(|error| error.to_string())
        })
        .await
    }

    /// One of the server's own HTTP pages, e.g. `connz`.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn monitor(&self, page: &str) -> Value {
        eventually(&format!("the server shows {page}"), async || {
            self.try_monitor(page).await
        })
        .await
    }

    /// Replaces files, lets the server read its configuration again, and waits until it has.
    pub async fn reload(&self, files: &[(&str, &[u8])]) {
        let files: Vec<_> = files
            .iter()
            .map(|(name, content)| ((*name).to_owned(), content.to_vec()))
            .collect();
        let loaded = async || self.monitor("varz").await["config_load_time"].clone();
        let before = loaded().await;
        match &self.host {
            Host::Container(container) => {
                container.write(&files).await;
                container.hang_up().await;
            }
            Host::Process(process) => {
                process.write(&files);
                process.hang_up();
            }
        }
        eventually(
            "the server has read its new configuration",
            async || match loaded().await {
                now if now != before => Ok(()),
                now => Err(format!("it is of {now}; {}", self.log().await)),
            },
        )
        .await;
    }

    /// Replaces its configuration; see [`reload`](Self::reload).
    pub async fn reconfigure(&self, config: &str) {
        self.reload(&[(setup::CONFIG, config.as_bytes())]).await;
    }

    /// Ends it, as an operator would.
    pub async fn stop(&mut self) {
        match &mut self.host {
            Host::Container(container) => container.stop().await,
            Host::Process(process) => process.stop().await,
        }
    }

    /// Starts it again where it was, and waits until it answers.
    pub async fn start_again(&mut self) {
        match &mut self.host {
            Host::Container(container) => container.start_again().await,
            Host::Process(process) => process.start_again(),
        }
        self.client().await;
    }

    /// Freezes it: connections stay open, and nothing comes through.
    pub async fn pause(&self) {
        match &self.host {
            Host::Container(container) => container.pause().await,
            Host::Process(process) => process.pause(),
        }
    }

    /// Thaws it.
    pub async fn resume(&self) {
        match &self.host {
            Host::Container(container) => container.resume().await,
            Host::Process(process) => process.resume(),
        }
    }

    pub(crate) async fn launched(setup: &Setup, login: Option<(&'static str, &'static str)>) -> Self {
        match Self::kind() {
            Kind::Image(image) => {
                let (addresses, container) = Container::start(&image, setup).await;
                Self::at(addresses, Host::Container(Box::new(container)), login)
            }
            Kind::Program(program) => {
                let (addresses, process) = Process::start(&program, setup);
                Self::at(addresses, Host::Process(process), login)
            }
        }
    }

    /// What servers are started from.
    pub(crate) fn kind() -> Kind {
        match (
            variable_text("E2E_NATS_IMAGE"),
            variable_text("E2E_NATS_SERVER_BIN"),
        ) {
            (Some(image), _) => Kind::Image(image),
            (None, Some(program)) => Kind::Program(program),
            (None, None) => panic!(
                "neither E2E_NATS_IMAGE nor E2E_NATS_SERVER_BIN is set, so there is no NATS server; run `cargo xtask e2e`"
            ),
        }
    }

    /// What it has logged, for messages; nothing is kept of a local process.
    async fn log(&self) -> String {
        match &self.host {
            Host::Container(container) => container.log().await,
            Host::Process(_) => String::new(),
        }
    }

    async fn started(setup: &Setup, login: Option<(&'static str, &'static str)>) -> Self {
        let server = Self::launched(setup, login).await;
        server.client().await;
        server
    }

    fn at(addresses: Addresses, host: Host, login: Option<(&'static str, &'static str)>) -> Self {
        Self {
            url: format!("nats://{}", addresses.clients),
            addresses,
            host,
            login,
        }
    }

    async fn try_monitor(&self, page: &str) -> Result<Value, String> {
        let url = format!("http://{}/{page}", self.addresses.monitor);
        let reply = crate::get(&url)
            .await
            .and_then(reqwest::Response::error_for_status);
        let body = match reply {
            Ok(reply) => reply.bytes().await,
            Err(error) => Err(error),
        };
        let body = body.map_err(|error| format!("{url}: {error:?}"))?;
        serde_json::from_slice(&body).map_err(|error| format!("{url}: {error}"))
    }
}

/// What servers are started from.
pub(crate) enum Kind {
    /// An image, as `name:tag`.
    Image(String),
    /// A program.
    Program(String),
}

/// A port on which nothing listens, and which no other caller in this process gets.
///
/// It lies below the ports that Linux hands out by itself, so no connection of a neighbour takes it meanwhile.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() * 97 % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| FIRST + (start + TAKEN.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
        .expect("one of 12,000 ports is free")
}
