//! The worker SDK: [`Worker`] puts a worker on NATS (feature `service`).
//!
//! A worker is a NATS micro service. It reports its load when a collector asks, answers requests, and publishes events:
//!
//! ```no_run
//! use std::error::Error;
//! use std::time::Duration;
//!
//! use protocol::WorkerStats;
//! use protocol::service::{Servers, Worker};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     let servers: Servers = "nats://127.0.0.1:4222".parse()?;
//!     let client = servers.connect_within(Duration::from_secs(30)).await?;
//!     let worker = Worker::builder("dynamo/my_component/my_endpoint".parse()?)
//!         .concurrency(100)
//!         .count_requests()
//!         .handler(|request| async move {
//!             let echo = request.payload().clone();
//!             Ok(request.respond(echo).await?)
//!         })
//!         .start(client)
//!         .await?;
//!     let stats = WorkerStats::builder()
//!         .kv_blocks_active(42)
//!         .kv_blocks_capacity(1000);
//!     worker.set_load(stats.build()?);
//!     Ok(worker.run_until_signal(Duration::from_secs(5)).await?)
//! }
//! ```
//!
//! `examples/full_worker.rs` has several endpoints, metadata, a stream, events and an engine on a task of its own.
//!
//! An answer of several messages is a [`stream`](Request::stream):
//!
//! ```no_run
//! # use protocol::service::{HandlerError, Request};
//! async fn count(request: Request) -> Result<(), HandlerError> {
//!     let stream = request.stream();
//!     for number in 1..=3 {
//!         stream.send(number.to_string()).await?;
//!     }
//!     stream.finish().await?;
//!     Ok(())
//! }
//! ```
//!
//! An engine can publish its forward passes, from which collectors know what runs and waits and how long passes take. A
//! [`heartbeat`](WorkerBuilder::heartbeat) shows in between that the worker is alive:
//!
//! ```no_run
//! # use std::time::Duration;
//! # use protocol::events::{Queued, Scheduled};
//! # use protocol::service::{EnginePass, Servers, Worker};
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = "nats://127.0.0.1:4222".parse::<Servers>()?.connect().await?;
//! let worker = Worker::builder("dynamo/backend/generate".parse()?).heartbeat().start(client).await?;
//! let pass = EnginePass {
//!     wall_time: Duration::from_millis(25),
//!     scheduled: Scheduled { decode_requests: 8, decode_kv_tokens: 4096, ..Scheduled::default() },
//!     queued: Queued { prefill_requests: 2, prefill_tokens: 700, ..Queued::default() },
//! };
//! worker.forward_pass(&pass).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What the SDK sees to, so that a worker need not: subjects and names that the collector finds; a stats closure
//! that panics, hangs or returns too much costs one reply its load and nothing else; a handler that panics makes its
//! caller see an error; a shutdown finishes what was begun, and a worker that is dropped leaves no ghost behind.
//!
//! A worker is asked under `$SRV` unless [`service_prefix`](WorkerBuilder::service_prefix) sets another prefix; see "Another
//! prefix" in `docs/protocol.md`.
//!
//! The crate's `async_nats` is re-exported, so that the client is of the version that the worker takes.

mod answers;
mod builder;
mod cause;
mod connect_error;
mod counters;
mod denials;
mod discovery;
mod endpoint;
mod hello;
mod load;
mod login;
mod metadata;
mod outbox;
mod passes;
mod reporter;
mod request;
mod secret;
mod seldom;
mod servers;
mod serving;
mod start;
mod tls;
mod version;

use std::ops::Deref;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::{EndpointPath, StatsError, WorkerStats, WorkerSubject};

pub use async_nats;
pub use bytes::Bytes;

pub use builder::WorkerBuilder;
pub use cause::{Cause, CauseKind};
pub use connect_error::ConnectError;
pub use load::MAX_DATA_BYTES;
pub use login::{Login, LoginError};
pub use passes::EnginePass;
pub use reporter::{EventPublishError, Reporter};
pub use request::{HandlerError, Request, RespondError, ResponseStream};
pub use secret::Secret;
pub use servers::{InboxPrefixError, Servers, ServersError, is_refusal, reconnect_delay};
pub use start::StartError;
pub use tls::{Tls, TlsFileError};

/// A worker on NATS. It also is a [`Reporter`] of its own load and events.
///
/// It serves until [`shutdown`](Self::shutdown). Dropping it stops it too, without a grace: requests in flight are
/// answered with an error, and discovery ends, as soon as the runtime gets to it.
#[derive(Debug)]
pub struct Worker {
    path: EndpointPath,
    subject: WorkerSubject,
    instance: String,
    reporter: Reporter,
    /// Ends with the worker.
    _heartbeat: Option<AbortOnDropHandle<()>>,
    closed: CancellationToken,
    stop: oneshot::Sender<Duration>,
    serving: JoinHandle<Result<(), ShutdownError>>,
}

/// What did not go well at the end. The worker is stopped all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The process cannot wait for signals.
    #[error("failed to wait for signals: {0}")]
    Signal(#[source] std::io::Error),
    /// The connection was closed while the worker served, e.g. because the server no longer accepts its login.
    #[error("the worker stopped serving: its NATS connection is closed")]
    Closed,
    /// Requests were still being handled after the grace; their callers got an error.
    #[error("{requests} request{} abandoned after the grace period", if *.requests == 1 { " was" } else { "s were" })]
    Unfinished {
        /// How many.
        requests: usize,
    },
    /// The connection is lost, so the last messages may not have left.
    #[error("the last messages could not be sent: the NATS connection is lost")]
    NotFlushed,
    /// The task that serves the worker ended early.
    #[error("the worker's task failed: {0}")]
    Task(#[from] JoinError),
}

impl Worker {
    /// Starts describing a worker of this pool.
    pub fn builder(path: EndpointPath) -> WorkerBuilder {
        WorkerBuilder::new(path)
    }

    /// The pool that the worker belongs to.
    pub fn path(&self) -> &EndpointPath {
        &self.path
    }

    /// Where the worker serves its endpoint.
    pub fn subject(&self) -> &WorkerSubject {
        &self.subject
    }

    /// The id of this run as a NATS service, new with every start.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// What an engine on another task or thread reports with.
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// Serves until the process gets SIGTERM or Ctrl-C, and then [shuts down](Self::shutdown).
    ///
    /// # Errors
    /// [`ShutdownError`] as for [`shutdown`](Self::shutdown); [`ShutdownError::Closed`] at once where the connection is
    /// closed, so the program can end, and whatever runs it can start it again.
    pub async fn run_until_signal(self, grace: Duration) -> Result<(), ShutdownError> {
        let mut terminate = terminate().map_err(ShutdownError::Signal)?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(ShutdownError::Signal)?,
            () = terminate.received() => {}
            () = self.closed() => {
                let _ = self.shutdown(grace).await;
                return Err(ShutdownError::Closed);
            }
        }
        self.shutdown(grace).await
    }

    /// Returns when the worker serves no longer although nothing stopped it: its connection is closed. While a connection is
    /// only lost, the worker is there again as soon as it is restored.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Stops in order: takes no more requests, finishes those in flight within `grace`, then leaves discovery.
    ///
    /// The connection stays open, for it may serve other workers.
    ///
    /// # Errors
    /// [`ShutdownError`] where something was left undone; the worker is stopped in any case.
    pub async fn shutdown(self, grace: Duration) -> Result<(), ShutdownError> {
        // A task that is gone already has reported why, or will by its handle.
        let _ = self.stop.send(grace);
        self.serving.await?
    }
}

impl Deref for Worker {
    type Target = Reporter;

    fn deref(&self) -> &Reporter {
        &self.reporter
    }
}

/// Waits for SIGTERM, which only Unix has.
struct Terminate(#[cfg(unix)] tokio::signal::unix::Signal);

fn terminate() -> std::io::Result<Terminate> {
    #[cfg(unix)]
    return tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map(Terminate);
    #[cfg(not(unix))]
    return Ok(Terminate());
}

impl Terminate {
    async fn received(&mut self) {
        #[cfg(unix)]
        if self.0.recv().await.is_some() {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Lets a stats closure return stats as they are, as well as what [`WorkerStats::builder`] gives.
impl From<WorkerStats> for Result<WorkerStats, StatsError> {
    fn from(stats: WorkerStats) -> Self {
        Ok(stats)
    }
}
