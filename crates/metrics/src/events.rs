//! The events about the watched workers, decoded as they come.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use async_nats::{Client, Message};
use futures_util::stream::SelectAll;
use futures_util::{FutureExt, StreamExt, stream};
use protocol::events::{KV_HIT_RATE, KV_METRICS};
use protocol::{EndpointPath, EventError, KvHitRate, KvMetrics, codec, subject};

/// The targets at whose subject an event came, by their place in the fleet.
pub type Targets = Arc<[usize]>;

/// An event, or why it cannot be read.
#[derive(Debug)]
pub enum Event {
    /// `kv-hit-rate`
    HitRate(Targets, Result<KvHitRate, EventError>),
    /// `kv_metrics`
    Metrics(Targets, Result<KvMetrics, EventError>),
}

/// The subscriptions.
pub struct Events {
    streams: SelectAll<stream::BoxStream<'static, Event>>,
}

impl Events {
    /// Subscribes to both kinds of events at every subject that the workers of `paths` may use.
    ///
    /// # Errors
    /// Where the client is closed.
    pub async fn subscribe<'a>(
        client: &Client,
        paths: impl IntoIterator<Item = &'a EndpointPath>,
    ) -> anyhow::Result<Self> {
        let mut subjects: BTreeMap<(String, &str), Vec<usize>> = BTreeMap::new();
        for (target, path) in paths.into_iter().enumerate() {
            for name in [KV_HIT_RATE, KV_METRICS] {
                for subject in subject::events_of(path, name) {
                    subjects.entry((subject, name)).or_default().push(target);
                }
            }
        }
        let mut streams = SelectAll::new();
        for ((subject, name), targets) in subjects {
            let messages = client
                .subscribe(subject.clone())
                .await
                .with_context(|| format!("failed to subscribe to {subject}"))?;
            let targets: Targets = targets.into();
            let is_hit_rate = name == KV_HIT_RATE;
            let decode = move |message: Message| match is_hit_rate {
                true => Event::HitRate(
                    targets.clone(),
                    KvHitRate::decode(content_type(&message), &message.payload),
                ),
                false => Event::Metrics(
                    targets.clone(),
                    KvMetrics::decode(content_type(&message), &message.payload),
                ),
            };
            streams.push(messages.map(decode).boxed());
        }
        Ok(Self { streams })
    }

    /// The next event; waits for ever where there is none.
    pub async fn next(&mut self) -> Event {
        match self.streams.next().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// An event that has arrived already, if there is one.
    pub fn ready(&mut self) -> Option<Event> {
        self.streams.next().now_or_never().flatten()
    }
}

fn content_type(message: &Message) -> Option<&str> {
    Some(message.headers.as_ref()?.get(codec::CONTENT_TYPE)?.as_str())
}
