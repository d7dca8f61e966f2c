//! [`EnginePass`]: forward passes of an engine, numbered and published, with heartbeats in between.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use futures_util::FutureExt;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::EventPublishError;
use super::outbox::{Outbox, Patience};
use crate::codec::{Encoding, Envelope, Publisher};
use crate::events::{ForwardPass, Queued, Scheduled, Topic};
use crate::subject::EventSubject;
use crate::text::causes;
use crate::{EndpointPath, WorkerId};

/// How long after the last pass or heartbeat the next heartbeat comes, as in Dynamo.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The largest id of a publisher, as Dynamo draws them: 53 bits, so that a float holds each.
const MOST_PUBLISHER_ID: u64 = (1 << 53) - 1;

/// What an engine computed in one pass, and what waits. [`Reporter::forward_pass`](super::Reporter::forward_pass) adds whose
/// engine it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EnginePass {
    /// How long the pass took.
    pub wall_time: Duration,
    /// What it computed.
    pub scheduled: Scheduled,
    /// What waits.
    pub queued: Queued,
}

impl EnginePass {
    /// The name of a variance that is no finite number of at least 0, which readers refuse.
    fn odd_variance(&self) -> Option<&'static str> {
        let variances = [
            (
                "scheduled.prefill_length_variance",
                self.scheduled.prefill_length_variance,
            ),
            ("scheduled.decode_kv_variance", self.scheduled.decode_kv_variance),
            (
                "queued.prefill_length_variance",
                self.queued.prefill_length_variance,
            ),
            ("queued.decode_kv_variance", self.queued.decode_kv_variance),
        ];
        let is_odd = |(_, variance): &(_, f64)| !variance.is_finite() || *variance < 0.0;
        variances.into_iter().find(is_odd).map(|(name, _)| name)
    }
}

/// Publishes the passes of one worker and rank.
#[derive(Debug)]
pub(super) struct Passes {
    outbox: Outbox,
    subject: String,
    worker_id: WorkerId,
    dp_rank: u64,
    publisher_id: u64,
    numbers: Mutex<Numbers>,
}

/// Held while a message is handed to the connection, so that messages leave in the order of their numbers.
#[derive(Debug)]
struct Numbers {
    /// How many messages there have been.
    count: u64,
    /// When the last one was published.
    last: Instant,
}

impl Passes {
    pub(super) fn new(outbox: Outbox, path: &EndpointPath, worker_id: WorkerId, dp_rank: u64) -> Self {
        Self {
            outbox,
            subject: EventSubject::of(path, Topic::ForwardPass).to_encoded(),
            worker_id,
            dp_rank,
            publisher_id: rand::random::<u64>() & MOST_PUBLISHER_ID,
            numbers: Mutex::new(Numbers {
                count: 0,
                last: Instant::now(),
            }),
        }
    }

    pub(super) async fn publish(
        &self,
        pass: &EnginePass,
        patience: Patience,
    ) -> Result<(), EventPublishError> {
        if let Some(name) = pass.odd_variance() {
            return Err(EventPublishError::Variance(name));
        }
        let numbers = self.numbers.lock().await;
        self.publish_next(pass, numbers, patience).await
    }

    /// Publishes a pass if that takes no time at all.
    pub(super) fn try_publish(&self, pass: &EnginePass) -> Result<(), EventPublishError> {
        let publishing = self.publish(pass, Patience::None).now_or_never();
        publishing.unwrap_or(Err(EventPublishError::Dropped))
    }

    /// Publishes a heartbeat whenever nothing else was published for a while, until the connection is closed.
    pub(super) async fn beat(self: Arc<Self>) {
        loop {
            let last = self.numbers.lock().await.last;
            sleep_until(last + HEARTBEAT).await;
            let numbers = self.numbers.lock().await;
            if numbers.last != last {
                continue;
            }
            let nothing = EnginePass::default();
            match self.publish_next(&nothing, numbers, Patience::None).await {
                Ok(()) | Err(EventPublishError::Dropped) => {}
                Err(error) => {
                    debug!(worker = %self.worker_id, error = causes(&error), "heartbeats end");
                    return;
                }
            }
        }
    }

    async fn publish_next(
        &self,
        pass: &EnginePass,
        mut numbers: MutexGuard<'_, Numbers>,
        patience: Patience,
    ) -> Result<(), EventPublishError> {
        let published_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let publisher = Publisher {
            id: self.publisher_id,
            sequence: numbers.count,
            published_at_ms: u64::try_from(published_at.as_millis()).unwrap_or(u64::MAX),
        };
        // Numbers are spent before the message leaves: one that gets lost must be a gap.
        numbers.count += 1;
        numbers.last = Instant::now();
        let pass = ForwardPass {
            worker_id: self.worker_id,
            dp_rank: self.dp_rank,
            counter_id: numbers.count,
            wall_time: pass.wall_time.as_secs_f64(),
            scheduled: pass.scheduled,
            queued: pass.queued,
        };
        let envelope = Envelope::around(publisher, Topic::ForwardPass, &pass)?;
        let payload = Encoding::MessagePack.encode(&envelope)?;
        let subject = self.subject.clone();
        let sending = self
            .outbox
            .send(subject, HeaderMap::new(), payload.into(), patience);
        sending.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variance_that_readers_refuse_is_named() {
        let pass = |variance| EnginePass {
            queued: Queued {
                decode_kv_variance: variance,
                ..Queued::default()
            },
            ..EnginePass::default()
        };
        assert_eq!(pass(0.0).odd_variance(), None);
        for odd in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(pass(odd).odd_variance(), Some("queued.decode_kv_variance"));
        }
    }
}
