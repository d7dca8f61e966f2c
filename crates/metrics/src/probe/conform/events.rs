//! The events of the workers' namespace, read as the collector reads them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::StreamExt;
use futures_util::stream::{SelectAll, select_all};
use protocol::EndpointPath;
use protocol::codec::open;
use protocol::events::{ForwardPass, KvEvent, SequenceEvent, Topic};
use protocol::subject::{EventSubject, Wanted, event_patterns};
use protocol::{EventError, KvHitRate, KvMetrics};
use tokio::time::{Instant, timeout_at};

use super::asking::Asking;
use super::found::Worker;
use super::report::{Check, Finding};

/// Subscriptions to the events that may be the workers'.
pub(super) struct Listening {
    events: SelectAll<Subscriber>,
    until: Instant,
    seconds: f64,
}

pub(super) async fn listen(
    asking: &Asking,
    path: &EndpointPath,
    listen_for: Duration,
) -> anyhow::Result<Listening> {
    let mut subscriptions = Vec::new();
    for pattern in event_patterns(&[Wanted::from(path)], &Topic::ALL) {
        subscriptions.push(asking.client.subscribe(pattern).await?);
    }
    asking.client.flush().await?;
    Ok(Listening {
        events: select_all(subscriptions),
        until: Instant::now() + listen_for,
        seconds: listen_for.as_secs_f64(),
    })
}

impl Listening {
    /// Reads what has come, and what comes until the time is over.
    pub(super) async fn findings(mut self, workers: &[Worker]) -> Vec<Finding> {
        let mut read: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut wrong: BTreeMap<String, u64> = BTreeMap::new();
        while let Ok(Some(message)) = timeout_at(self.until, self.events.next()).await {
            let Some(subject) = EventSubject::read(&message.subject).into_iter().next() else {
                continue;
            };
            let headers = message.headers.as_ref();
            let content_type = headers.and_then(|headers| headers.get("Content-Type"));
            let event = read_event(subject.topic, content_type.map(AsRef::as_ref), &message.payload);
            match event {
                Ok(Some(id)) if !workers.iter().any(|worker| worker.id == Some(id)) => {}
                Ok(_) => *read.entry(subject.topic.as_str()).or_default() += 1,
                Err(error) => *wrong.entry(format!("{}: {error}", message.subject)).or_default() += 1,
            }
        }
        let mut findings: Vec<Finding> = wrong
            .into_iter()
            .map(|(text, count)| {
                let remedy = "write the event as docs/protocol.md, \"Events\", and docs/schemas have it";
                Finding::fail(Check::Events, None, format!("{text} ({count} times)"), remedy)
            })
            .collect();
        if read.is_empty() && findings.is_empty() {
            let text = format!(
                "no event of the workers came in {} s: --listen-for gives them more time",
                self.seconds
            );
            findings.push(Finding::skipped(Check::Events, None, text));
        }
        findings.extend(read.into_iter().map(|(topic, count)| {
            Finding::pass(
                Check::Events,
                None,
                format!("{topic}: {count} of the workers can be read"),
            )
        }));
        findings
    }
}

/// The worker that an event is about, where it has one.
fn read_event(topic: Topic, content_type: Option<&str>, payload: &[u8]) -> Result<Option<u64>, EventError> {
    let opened = open(content_type, payload)?;
    Ok(match topic {
        Topic::KvHitRate => Some(KvHitRate::read(&opened)?.worker_id().get()),
        Topic::KvMetrics => {
            let event = KvMetrics::read(&opened)?;
            Some(event.worker_id.get())
        }
        Topic::ForwardPass => Some(ForwardPass::read(&opened)?.worker_id.get()),
        Topic::KvEvents => KvEvent::read_all(&opened).map(|_| None)?,
        Topic::ActiveSequences => SequenceEvent::read(&opened).map(|_| None)?,
    })
}
