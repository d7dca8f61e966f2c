//! [`Reporter`]: what a worker says of itself: its load, when it is asked, and its events.

use std::sync::Arc;

use async_nats::{HeaderMap, PublishError};
use futures_util::FutureExt;
use serde::Serialize;

use super::EnginePass;
use super::load::Pushed;
use super::outbox::{Outbox, Patience};
use super::passes::Passes;
use crate::codec::CONTENT_TYPE;
use crate::events::Topic;
use crate::{CodecError, Encoding, KvHitRate, KvMetrics, Namespace, WorkerId, WorkerStats, subject};

/// Reports the load and the events of one worker, from any task or thread. Clones report for the same worker.
///
/// ```no_run
/// # use protocol::WorkerStats;
/// # fn engine(worker: &protocol::service::Worker) {
/// let reporter = worker.reporter();
/// std::thread::spawn(move || {
///     for active in 0..=64 {
///         let stats = WorkerStats::builder().kv_blocks_active(active).kv_blocks_capacity(64).build();
///         reporter.set_load(stats.expect("within the capacity"));
///     }
/// });
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Reporter {
    pub(super) id: WorkerId,
    pub(super) namespace: Namespace,
    pub(super) encoding: Encoding,
    pub(super) load: Pushed,
    pub(super) outbox: Outbox,
    pub(super) passes: Arc<Passes>,
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
    /// It would have had to wait, and was not to.
    #[error("the event is dropped: the NATS connection is lost or does not keep up")]
    Dropped,
    /// The connection did not take it in time, as in an outage.
    #[error("the event is dropped: the NATS connection has not taken it in time")]
    TimedOut,
    /// The connection did not take it.
    #[error("failed to publish the event: {0}")]
    Publish(#[from] PublishError),
}

impl Reporter {
    /// The worker's id within its pool.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Reports this load from now on, in place of what was set before and of a stats closure. It never waits.
    pub fn set_load(&self, stats: WorkerStats) {
        self.load.set(stats);
    }

    /// Publishes how many KV blocks of a prompt were cached.
    ///
    /// This waits up to two seconds where the connection does not keep up or is lost. What was handed over in an outage is
    /// sent after it.
    ///
    /// # Errors
    /// [`EventPublishError`] where the connection is closed or takes too long.
    pub async fn publish_hit_rate(&self, event: &KvHitRate) -> Result<(), EventPublishError> {
        self.publish(Topic::KvHitRate, event, Patience::Bounded).await
    }

    /// Publishes how many KV blocks of a prompt were cached, or drops it where it would have to wait: for code that
    /// may not wait, on any thread.
    ///
    /// # Errors
    /// [`EventPublishError::Dropped`] where the connection is lost or does not keep up, another where it is closed.
    pub fn try_publish_hit_rate(&self, event: &KvHitRate) -> Result<(), EventPublishError> {
        self.try_publish(Topic::KvHitRate, event)
    }

    /// Publishes the load, for collectors that learn of it by events. It waits as
    /// [`publish_hit_rate`](Self::publish_hit_rate) does.
    ///
    /// # Errors
    /// [`EventPublishError`] where the connection is closed or takes too long.
    pub async fn publish_metrics(&self, event: &KvMetrics) -> Result<(), EventPublishError> {
        self.publish(Topic::KvMetrics, event, Patience::Bounded).await
    }

    /// Publishes the load, or drops it where it would have to wait.
    ///
    /// # Errors
    /// As for [`try_publish_hit_rate`](Self::try_publish_hit_rate).
    pub fn try_publish_metrics(&self, event: &KvMetrics) -> Result<(), EventPublishError> {
        self.try_publish(Topic::KvMetrics, event)
    }

    /// Publishes a forward pass of the engine, as Dynamo 1.4 and later does: numbered, in an envelope, at the endpoint's
    /// own subject.
    ///
    /// Call it once for each pass, in their order. It waits as [`publish_hit_rate`](Self::publish_hit_rate) does. A pass
    /// that is not published leaves a gap in the numbers, which collectors count.
    ///
    /// # Errors
    /// [`EventPublishError`] where a variance is invalid or the connection is closed or takes too long.
    pub async fn forward_pass(&self, pass: &EnginePass) -> Result<(), EventPublishError> {
        self.passes.publish(pass, Patience::Bounded).await
    }

    /// Publishes a forward pass, or drops it where it would have to wait: an engine's loop never waits for NATS.
    ///
    /// # Errors
    /// As for [`try_publish_hit_rate`](Self::try_publish_hit_rate), and where a variance is invalid.
    pub fn try_forward_pass(&self, pass: &EnginePass) -> Result<(), EventPublishError> {
        self.passes.try_publish(pass)
    }

    async fn publish(
        &self,
        topic: Topic,
        payload: &impl Serialize,
        patience: Patience,
    ) -> Result<(), EventPublishError> {
        let payload = self.encoding.encode(payload)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, self.encoding.content_type());
        let subject = subject::event(&self.namespace, topic.as_str());
        self.outbox.send(subject, headers, payload.into(), patience).await
    }

    fn try_publish(&self, topic: Topic, payload: &impl Serialize) -> Result<(), EventPublishError> {
        let publishing = self.publish(topic, payload, Patience::None).now_or_never();
        publishing.unwrap_or(Err(EventPublishError::Dropped))
    }
}
