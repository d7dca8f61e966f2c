//! [`NatsServer`]: a real NATS server of the test's own.
//!
//! Where `E2E_NATS_IMAGE` names an image it runs in a container; else as a process of `E2E_NATS_SERVER_BIN`. Every
//! test has its own, for `$SRV.STATS` reaches all services of a server.

mod container;
mod process;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use async_nats::{Client, ConnectOptions};

use self::container::Container;
use self::process::Process;
use crate::eventually;
use crate::tools::variable_text;

/// A running server; it is gone when this is dropped.
#[derive(Debug)]
pub struct NatsServer {
    url: String,
    host: Host,
    login: Option<(&'static str, &'static str)>,
}

#[derive(Debug)]
enum Host {
    Container(Box<Container>),
    Process(Process),
}

/// How a server is to be.
#[derive(Debug, Default)]
struct Wish<'a> {
    /// The port it has on this machine; any, if not said.
    port: Option<u16>,
    /// The text of its configuration file.
    config: Option<&'a str>,
}

impl NatsServer {
    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        Self::wished(Wish::default(), None).await
    }

    /// Starts a server on a port of the caller's, which it keeps when it is stopped and started again.
    pub async fn start_on(port: u16) -> Self {
        Self::wished(
            Wish {
                port: Some(port),
                config: None,
            },
            None,
        )
        .await
    }

    /// Starts a server with a configuration file, in which the test itself is `login`: user and password.
    pub async fn configured(config: &str, login: Option<(&'static str, &'static str)>) -> Self {
        Self::wished(
            Wish {
                port: None,
                config: Some(config),
            },
            login,
        )
        .await
    }

    /// Where it listens, e.g. `nats://127.0.0.1:4222`.
    pub fn url(&self) -> &str {
        &self.url
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

    async fn wished(wish: Wish<'_>, login: Option<(&'static str, &'static str)>) -> Self {
        let (url, host) = match (
            variable_text("E2E_NATS_IMAGE"),
            variable_text("E2E_NATS_SERVER_BIN"),
        ) {
            (Some(image), _) => {
                let (url, container) = Container::start(&image, &wish).await;
                (url, Host::Container(Box::new(container)))
            }
            (None, Some(program)) => {
                let (url, process) = Process::start(&program, &wish);
                (url, Host::Process(process))
            }
            (None, None) => panic!(
                "neither E2E_NATS_IMAGE nor E2E_NATS_SERVER_BIN is set, so there is no NATS server; run `cargo xtask e2e`"
            ),
        };
        let server = Self { url, host, login };
        server.client().await;
        server
    }
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
