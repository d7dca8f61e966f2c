//! The worker SDK: [`Worker`] puts a worker on NATS (feature `service`).
//!
//! A worker is a NATS micro service with one endpoint. It tells its load when a collector asks, answers requests,
//! and publishes events:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use protocol::service::{Servers, Worker};
//! use protocol::{KvHitRate, WorkerStats};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let servers: Servers = "nats://127.0.0.1:4222".parse()?;
//!     let client = servers.connect().await?;
//!     let worker = Worker::builder("dynamo/my_component/my_endpoint".parse()?)
//!         .stats(|| WorkerStats::builder().requests(3, 100, 0).kv_blocks(42, 1000).build())
//!         .handler(|request| async move {
//!             let echo = request.payload().clone();
//!             request.respond(echo).await?;
//!             Ok(())
//!         })
//!         .start(client)
//!         .await?;
//!     worker.publish_hit_rate(&KvHitRate::new(worker.id(), 10, 4)?).await?;
//!     tokio::signal::ctrl_c().await?;
//!     worker.shutdown(Duration::from_secs(5)).await?;
//!     Ok(())
//! }
//! ```
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
//! A worker is asked under `$SRV`, as every service of async-nats is, and under no other prefix. A collector that asks under
//! another one, by `--service-prefix`, reaches it where its account imports the service export `$SRV.>` of the worker's account
//! under that prefix; see "Another prefix" in `docs/protocol.md`.
//!
//! The crate's `async_nats` is re-exported, so that the client is of the version that the worker takes.

mod builder;
mod cause;
mod connect_error;
mod hello;
mod load;
mod login;
mod metadata;
mod passes;
mod request;
mod secret;
mod seldom;
mod servers;
mod serving;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, HeaderMap, PublishError};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::task::AbortOnDropHandle;

use crate::codec::CONTENT_TYPE;
use crate::events::Topic;
use crate::{
    CodecError, Encoding, EndpointPath, KvHitRate, KvMetrics, StatsError, WorkerId, WorkerStats,
    WorkerSubject, subject,
};

use passes::Passes;

pub use async_nats;
pub use bytes::Bytes;

pub use builder::{StartError, WorkerBuilder};
pub use cause::{Cause, CauseKind};
pub use connect_error::ConnectError;
pub use load::MAX_DATA_BYTES;
pub use login::{Login, LoginError};
pub use passes::EnginePass;
pub use request::{HandlerError, Request, RespondError, ResponseStream};
pub use secret::Secret;
pub use servers::{InboxPrefixError, Servers, ServersError, is_refusal, reconnect_delay};
pub use tls::{Tls, TlsFileError};

/// A worker on NATS.
///
/// It serves until [`shutdown`](Self::shutdown). Dropping it stops it too, without a grace: requests in flight are
/// answered with an error, and discovery ends, as soon as the runtime gets to it.
#[derive(Debug)]
pub struct Worker {
    path: EndpointPath,
    id: WorkerId,
    subject: WorkerSubject,
    instance: String,
    encoding: Encoding,
    client: Client,
    passes: Arc<Passes>,
    /// Ends with the worker.
    _heartbeat: Option<AbortOnDropHandle<()>>,
    stop: oneshot::Sender<Duration>,
    serving: JoinHandle<Result<(), ShutdownError>>,
}

/// What did not go well at the end. The worker is stopped all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// Requests were still being handled after the grace; their callers were told.
    #[error("{requests} request{} abandoned after the grace", if *.requests == 1 { " was" } else { "s were" })]
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

/// Why an event was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventPublishError {
    /// It could not be encoded.
    #[error("failed to encode the event: {0}")]
    Encode(#[from] CodecError),
    /// A variance of a forward pass is negative, infinite or no number.
    #[error("the forward pass has an invalid {0}: it must be a finite number of at least 0")]
    Variance(&'static str),
    /// The connection did not take it.
    #[error("failed to publish the event: {0}")]
    Publish(#[from] PublishError),
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

    /// The worker's id within its pool.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Where the worker serves its endpoint.
    pub fn subject(&self) -> &WorkerSubject {
        &self.subject
    }

    /// The id of this run as a NATS service, new with every start.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Publishes how many KV blocks of a prompt were cached.
    ///
    /// This waits where the connection does not keep up, and while it is lost.
    ///
    /// # Errors
    /// [`EventPublishError`] where the connection is closed.
    pub async fn publish_hit_rate(&self, event: &KvHitRate) -> Result<(), EventPublishError> {
        self.publish(Topic::KvHitRate, event).await
    }

    /// Publishes the load, for collectors that learn of it by events.
    ///
    /// This waits where the connection does not keep up, and while it is lost.
    ///
    /// # Errors
    /// [`EventPublishError`] where the connection is closed.
    pub async fn publish_metrics(&self, event: &KvMetrics) -> Result<(), EventPublishError> {
        self.publish(Topic::KvMetrics, event).await
    }

    /// Publishes a forward pass of the engine, as Dynamo 1.4 and later does: numbered, in an envelope, at the endpoint's
    /// own subject.
    ///
    /// Call it once for each pass, in their order. This waits where the connection does not keep up, and while it is lost.
    ///
    /// # Errors
    /// [`EventPublishError`] where a variance is invalid or the connection is closed.
    pub async fn forward_pass(&self, pass: &EnginePass) -> Result<(), EventPublishError> {
        self.passes.publish(pass).await
    }

    /// Stops in order: takes no more requests, finishes those in flight within `grace`, then leaves discovery.
    ///
    /// The connection stays open, for it may serve other workers.
    ///
    /// # Errors
    /// [`ShutdownError`] where something was left undone; the worker is stopped in any case.
    pub async fn shutdown(self, grace: Duration) -> Result<(), ShutdownError> {
        // A task that is gone already has told why, or will by its handle.
        let _ = self.stop.send(grace);
        self.serving.await?
    }

    async fn publish(&self, topic: Topic, payload: &impl Serialize) -> Result<(), EventPublishError> {
        let payload = self.encoding.encode(payload)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, self.encoding.content_type());
        let subject = subject::event(&self.path.namespace, topic.as_str());
        Ok(self
            .client
            .publish_with_headers(subject, headers, payload.into())
            .await?)
    }
}

/// Lets a stats closure return stats as they are, as well as what [`WorkerStats::builder`] gives.
impl From<WorkerStats> for Result<WorkerStats, StatsError> {
    fn from(stats: WorkerStats) -> Self {
        Ok(stats)
    }
}
