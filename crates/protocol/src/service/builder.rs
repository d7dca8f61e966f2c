//! [`WorkerBuilder`]: what a worker needs to know before it starts.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use async_nats::Client;
use futures_util::FutureExt;
use serde_json::Value;

use super::Worker;
use super::endpoint::{Handler, Limits};
use super::load::{Closure, Load};
use super::metadata;
use super::request::{HandlerError, Request};
use super::start::StartError;
use crate::{
    Encoding, EndpointName, EndpointPath, Layout, ServicePrefix, StatsError, StatsShape, WorkerId,
    WorkerStats,
};

/// How many requests a worker handles at once unless it says otherwise.
const CONCURRENCY: usize = 256;

/// How many requests may wait unless the worker says otherwise.
const WAITING: usize = 65_536;

/// Collects what a worker needs; [`start`](Self::start) starts it.
#[must_use = "a worker is started by `start`"]
pub struct WorkerBuilder {
    pub(super) path: EndpointPath,
    pub(super) id: Option<WorkerId>,
    pub(super) layout: Layout,
    pub(super) shape: StatsShape,
    pub(super) encoding: Encoding,
    pub(super) prefix: ServicePrefix,
    pub(super) version: String,
    pub(super) metadata: HashMap<String, String>,
    pub(super) limits: Limits,
    pub(super) counts_requests: bool,
    pub(super) dp_rank: u64,
    pub(super) has_heartbeat: bool,
    pub(super) stats: Option<Closure>,
    pub(super) handler: Handler,
    pub(super) more_endpoints: Vec<(EndpointName, Handler)>,
}

impl WorkerBuilder {
    pub(super) fn new(path: EndpointPath) -> Self {
        let refuse = |_: Request| {
            let error = HandlerError::new(501, "this worker takes no requests");
            std::future::ready(Err(error)).boxed()
        };
        Self {
            path,
            id: None,
            layout: Layout::default(),
            shape: StatsShape::default(),
            encoding: Encoding::default(),
            prefix: ServicePrefix::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            metadata: metadata::of_this_process(),
            limits: Limits {
                concurrency: CONCURRENCY,
                waiting: WAITING,
            },
            counts_requests: false,
            dp_rank: 0,
            has_heartbeat: false,
            stats: None,
            handler: Arc::new(refuse),
            more_endpoints: Vec::new(),
        }
    }

    /// The id that distinguishes this worker from the others of its endpoint; a random one unless set.
    pub fn worker_id(mut self, id: impl Into<WorkerId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// How the subject is written; [`Layout::Hashed`] unless set.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// How the stats are written; [`StatsShape::Nested`] unless set.
    pub fn stats_shape(mut self, shape: StatsShape) -> Self {
        self.shape = shape;
        self
    }

    /// How events are encoded; [`Encoding::Json`] unless set.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// The version of the worker's program, a semantic one such as `1.2.3`; this crate's own unless set.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Adds to the metadata of the worker's INFO reply, or replaces what is there under this key.
    ///
    /// `host` and, in a pod, `pod` are there unless they are replaced: the pod is what the environment variable `POD_NAME`
    /// says, or else `HOSTNAME`. The collector shows chosen keys with `--metadata-labels`.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Answers `PING`, `INFO` and `STATS` under this prefix; under `$SRV` unless set.
    pub fn service_prefix(mut self, prefix: ServicePrefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// Reports the requests that are here: those being handled as active slots, those behind the
    /// [`concurrency`](Self::concurrency) as waiting, and the concurrency as the capacity unless the stats have one.
    ///
    /// What the stats say of running and waiting requests is replaced. Data of a schema of your own stays as it is.
    pub fn count_requests(mut self) -> Self {
        self.counts_requests = true;
        self
    }

    /// How many requests may wait for a slot; 65,536 unless set. More of them are answered with the error 503, and
    /// counted.
    pub fn waiting_limit(mut self, requests: usize) -> Self {
        self.limits.waiting = requests;
        self
    }

    /// How many requests each endpoint handles at once, at least one; 256 unless set. More of them wait.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.limits.concurrency = requests.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// The rank of the worker's engine within a data-parallel group, which its forward passes say; 0 unless set.
    pub fn dp_rank(mut self, rank: u64) -> Self {
        self.dp_rank = rank;
        self
    }

    /// Publishes a heartbeat when the worker has published no forward pass for a second, as long as it lives.
    pub fn heartbeat(mut self) -> Self {
        self.has_heartbeat = true;
        self
    }

    /// Reports the load whenever a collector asks. Without it the worker is seen, and its load is not known.
    ///
    /// The closure should read a few numbers that another task keeps up to date. When it panics, takes longer than
    /// some milliseconds, or returns an error, that reply carries no load and the log says why. One that never
    /// returns also keeps the tokio runtime, and so most programs, from ending.
    pub fn stats<F, R>(mut self, stats: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Into<Result<WorkerStats, StatsError>>,
    {
        self.stats = Some(Arc::new(move || Ok(Load::Stats(stats().into()?))));
        self
    }

    /// Reports data of a schema of one's own in place of [`stats`](Self::stats), under the same rules; data above
    /// [`MAX_DATA_BYTES`](super::MAX_DATA_BYTES) is left out.
    pub fn data(mut self, data: impl Fn() -> Value + Send + Sync + 'static) -> Self {
        self.stats = Some(Arc::new(move || Ok(Load::Raw(data()))));
        self
    }

    /// Answers requests. Without it every request is answered with an error.
    ///
    /// Requests are handled side by side, up to [`concurrency`](Self::concurrency).
    pub fn handler<F, Answer>(mut self, handler: F) -> Self
    where
        F: Fn(Request) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.handler = Arc::new(move |request| handler(request).boxed());
        self
    }

    /// Serves another endpoint of the same component, under the same worker id and in the same service. It has limits and
    /// counters of its own; the load is that of the worker's own endpoint.
    pub fn endpoint<F, Answer>(mut self, name: EndpointName, handler: F) -> Self
    where
        F: Fn(Request) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |request| handler(request).boxed());
        self.more_endpoints.push((name, handler));
        self
    }

    /// Starts the worker. When this returns, a STATS request is answered, as far as the worker's own permissions let it
    /// find out.
    ///
    /// While the connection is lost, this waits until it is back.
    ///
    /// # Errors
    /// [`StartError`] has what was refused, and the remedy.
    pub async fn start(self, client: Client) -> Result<Worker, StartError> {
        super::start::start(self, client).await
    }
}
