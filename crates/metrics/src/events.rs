//! The events of the watched namespaces, decoded as they come.

use std::collections::BTreeSet;

use anyhow::Context;
use async_nats::{Client, Message, Subscriber};
use futures_util::stream::SelectAll;
use futures_util::{FutureExt, StreamExt, stream};
use protocol::events::{KV_HIT_RATE, KV_METRICS};
use protocol::{EventError, KvHitRate, KvMetrics, Namespace, codec, subject};

/// An event of a namespace, or why it cannot be read.
#[derive(Debug)]
pub enum Event {
    /// `kv-hit-rate`
    HitRate(Namespace, Result<KvHitRate, EventError>),
    /// `kv_metrics`
    Metrics(Namespace, Result<KvMetrics, EventError>),
}

/// The subscriptions.
pub struct Events {
    streams: SelectAll<stream::BoxStream<'static, Event>>,
}

impl Events {
    /// Subscribes to both kinds of events of each namespace.
    ///
    /// # Errors
    /// Where the client is closed.
    pub async fn subscribe(client: &Client, namespaces: BTreeSet<Namespace>) -> anyhow::Result<Self> {
        let mut streams = SelectAll::new();
        for namespace in namespaces {
            let hits = subscribe(client, &namespace, KV_HIT_RATE).await?;
            let loads = subscribe(client, &namespace, KV_METRICS).await?;
            let of = namespace.clone();
            streams.push(
                hits.map(move |m| {
                    Event::HitRate(of.clone(), KvHitRate::decode(content_type(&m), &m.payload))
                })
                .boxed(),
            );
            streams.push(
                loads
                    .map(move |m| {
                        Event::Metrics(namespace.clone(), KvMetrics::decode(content_type(&m), &m.payload))
                    })
                    .boxed(),
            );
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

async fn subscribe(client: &Client, namespace: &Namespace, event: &str) -> anyhow::Result<Subscriber> {
    let subject = subject::event(namespace, event);
    client
        .subscribe(subject.clone())
        .await
        .with_context(|| format!("failed to subscribe to {subject}"))
}

fn content_type(message: &Message) -> Option<&str> {
    Some(message.headers.as_ref()?.get(codec::CONTENT_TYPE)?.as_str())
}
