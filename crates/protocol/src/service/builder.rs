//! [`WorkerBuilder`]: what a worker needs to know before it starts.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::service::ServiceExt;
use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::Worker;
use super::load::{Load, LoadSource};
use super::metadata;
use super::passes::Passes;
use super::request::{HandlerError, Request};
use super::serving::{Handler, OwnedService, Serving};
use crate::text::causes;
use crate::{
    Description, Encoding, EndpointPath, Layout, ServiceNameError, ServicePrefix, StatsError, StatsShape,
    WorkerId, WorkerStats, WorkerSubject, subject,
};

/// How many requests a worker handles at once unless it says otherwise.
const CONCURRENCY: usize = 256;

/// How long the server may take to show that the worker can be discovered.
const CONFIRMATION: Duration = Duration::from_secs(1);

/// Collects what a worker needs; [`start`](Self::start) starts it.
#[must_use = "a worker is started by `start`"]
pub struct WorkerBuilder {
    path: EndpointPath,
    id: Option<WorkerId>,
    layout: Layout,
    shape: StatsShape,
    encoding: Encoding,
    version: String,
    metadata: HashMap<String, String>,
    concurrency: usize,
    dp_rank: u64,
    has_heartbeat: bool,
    stats: Stats,
    handler: Handler,
}

enum Stats {
    None,
    Shaped(Arc<dyn Fn() -> Result<WorkerStats, StatsError> + Send + Sync>),
    Raw(Arc<dyn Fn() -> Load + Send + Sync>),
}

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The layout has no service name for the path.
    #[error(transparent)]
    ServiceName(#[from] ServiceNameError),
    /// The service was refused, e.g. because its version is not a semantic one.
    #[error("failed to register the service {service} with version {version:?}: {reason}")]
    Service {
        /// The service's name.
        service: String,
        /// Its version.
        version: String,
        /// What async-nats says.
        reason: String,
    },
    /// The subject could not be subscribed to.
    #[error("failed to serve {subject}: {reason}")]
    Endpoint {
        /// The worker's subject.
        subject: String,
        /// What async-nats says.
        reason: String,
    },
    /// The connection was closed before the subscriptions were sent.
    #[error("failed to send the subscriptions of {subject}: the NATS connection is closed")]
    Closed {
        /// The worker's subject.
        subject: String,
    },
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
            version: env!("CARGO_PKG_VERSION").to_owned(),
            metadata: metadata::of_this_process(),
            concurrency: CONCURRENCY,
            dp_rank: 0,
            has_heartbeat: false,
            stats: Stats::None,
            handler: Arc::new(refuse),
        }
    }

    /// The id that tells this worker from the others of its endpoint; a random one unless set.
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

    /// How many requests are handled at once, at least one; 256 unless set. More of them wait in the client.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
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

    /// Tells the load, whenever a collector asks. Without it the worker is seen, and its load is not known.
    ///
    /// The closure should read a few numbers that another task keeps up to date. When it panics, takes longer than
    /// some milliseconds, or returns an error, that reply carries no load and the log says why. One that never
    /// returns also keeps the tokio runtime, and so most programs, from ending.
    pub fn stats<F, R>(mut self, stats: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Into<Result<WorkerStats, StatsError>>,
    {
        self.stats = Stats::Shaped(Arc::new(move || stats().into()));
        self
    }

    /// Tells data of a schema of one's own in place of [`stats`](Self::stats), under the same rules; data above
    /// [`MAX_DATA_BYTES`](super::MAX_DATA_BYTES) is left out.
    pub fn data(mut self, data: impl Fn() -> Value + Send + Sync + 'static) -> Self {
        self.stats = Stats::Raw(Arc::new(move || Ok(data())));
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

    /// Starts the worker. When this returns, a STATS request is answered.
    ///
    /// While the connection is lost, this waits until it is back.
    ///
    /// # Errors
    /// [`StartError`] says what was refused, and by whom.
    pub async fn start(self, client: Client) -> Result<Worker, StartError> {
        let id = self.id.unwrap_or_else(|| WorkerId::new(rand::random()));
        let subject = WorkerSubject::new(&self.path, self.layout, Some(id))?;
        let name: Arc<str> = subject.to_string().into();

        let (verbs_alive, verbs) = oneshot::channel::<()>();
        let stats_handler = {
            let source = self.stats.source(self.shape);
            let (client, name) = (client.clone(), name.clone());
            move |_endpoint, _counters| {
                // Lives and dies with async-nats' task, which owns this closure.
                let _alive = &verbs_alive;
                let read = |source: &LoadSource| source.read(&name, client.max_payload());
                source.as_ref().map_or(Value::Null, read)
            }
        };
        let description = Description {
            component: self.path.component.clone(),
            namespace: self.path.namespace.clone(),
        };
        let service = client
            .service_builder()
            .description(description)
            .metadata(self.metadata)
            .queue_group(subject::QUEUE_GROUP)
            .stats_handler(stats_handler)
            .start(subject.service(), &self.version)
            .await
            .map(OwnedService::new)
            .map_err(|reason| StartError::Service {
                service: subject.service().to_string(),
                version: self.version.clone(),
                reason: causes(&*reason),
            })?;
        let endpoint = service
            .get()
            .endpoint_builder()
            .name(subject.micro_name())
            .add(&name)
            .await
            .map_err(|reason| StartError::Endpoint {
                subject: name.to_string(),
                reason: causes(&*reason),
            })?;
        let instance = service.get().info().await.id;
        client.flush().await.map_err(|_| StartError::Closed {
            subject: name.to_string(),
        })?;
        confirm(&client, &subject, &instance).await;

        let serving = Serving {
            service,
            endpoint,
            verbs,
            client: client.clone(),
            handler: self.handler,
            concurrency: self.concurrency,
            name,
        };
        let passes = Arc::new(Passes::new(client.clone(), &self.path, id, self.dp_rank));
        let heartbeat = self.has_heartbeat.then(|| {
            let beating = tokio::spawn(passes.clone().beat());
            AbortOnDropHandle::new(beating)
        });
        let (stop, stopped) = oneshot::channel();
        Ok(Worker {
            path: self.path,
            id,
            subject,
            instance,
            encoding: self.encoding,
            client,
            passes,
            _heartbeat: heartbeat,
            stop,
            serving: tokio::spawn(serving.run(stopped)),
        })
    }
}

impl Stats {
    fn source(self, shape: StatsShape) -> Option<LoadSource> {
        match self {
            Self::None => None,
            Self::Shaped(stats) => Some(LoadSource::new(Arc::new(move || {
                stats().map(|stats| stats.to_data(shape))
            }))),
            Self::Raw(data) => Some(LoadSource::new(data)),
        }
    }
}

/// A flush only means that the bytes are on their way. An answer from the worker itself means that the server has its
/// subscriptions; a user who may not publish such requests does without.
async fn confirm(client: &Client, worker: &WorkerSubject, instance: &str) {
    // async-nats serves no other prefix.
    let prefix = ServicePrefix::default();
    let Some(info) = prefix.info_of(worker.service().as_str(), instance) else {
        return;
    };
    match timeout(CONFIRMATION, client.request(info, Default::default())).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) if error.kind() == async_nats::RequestErrorKind::NoResponders => warn!(
            %worker,
            "the worker cannot be discovered: its NATS user needs the permission to subscribe to {}",
            prefix.all()
        ),
        Ok(Err(error)) => debug!(%worker, error = causes(&error), "discovery could not be confirmed"),
        Err(_) => debug!(%worker, "discovery could not be confirmed in time"),
    }
}
