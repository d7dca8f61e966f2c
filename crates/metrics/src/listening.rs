//! The task that receives events, decodes them, and adds them up per worker before the state machine sees them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_nats::{Client, Message};
use fleet::{EventBatch, SubjectId, Topic};
use futures_util::StreamExt;
use futures_util::stream::{AbortHandle, BoxStream, SelectAll, abortable};
use protocol::{KvHitRate, KvMetrics, codec};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::engine::Report;

/// How long events are added up.
const BATCH_TIME: Duration = Duration::from_millis(50);

/// Messages of one subscription that are taken at once.
const AT_ONCE: usize = 1024;

/// What to listen to.
#[derive(Debug)]
pub(crate) enum Command {
    /// Subscribe.
    Listen {
        /// The number of the subscription.
        id: SubjectId,
        /// The subject.
        subject: Arc<str>,
        /// What is published there.
        topic: Topic,
    },
    /// Unsubscribe.
    Unlisten {
        /// The number of the subscription.
        id: SubjectId,
    },
}

/// Receives events until no more commands come.
pub(crate) async fn run(
    client: Client,
    mut commands: mpsc::UnboundedReceiver<Command>,
    reports: mpsc::Sender<Report>,
) -> anyhow::Result<()> {
    let mut streams: SelectAll<BoxStream<'static, (SubjectId, Topic, Vec<Message>)>> = SelectAll::new();
    let mut handles: HashMap<SubjectId, AbortHandle> = HashMap::new();
    let mut batch = EventBatch::default();
    let mut send_at = Instant::now();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Listen { id, subject, topic }) => {
                    let subscriber = client.subscribe(subject.to_string()).await;
                    let subscriber = subscriber.with_context(|| format!("failed to subscribe to {subject}"))?;
                    let messages = subscriber.ready_chunks(AT_ONCE).map(move |messages| (id, topic, messages));
                    let (messages, handle) = abortable(messages);
                    streams.push(messages.boxed());
                    handles.insert(id, handle);
                }
                Some(Command::Unlisten { id }) => {
                    if let Some(handle) = handles.remove(&id) {
                        handle.abort();
                    }
                }
                None => return Ok(()),
            },
            Some((id, topic, messages)) = streams.next() => {
                if batch.is_empty() {
                    send_at = Instant::now() + BATCH_TIME;
                }
                for message in &messages {
                    add(&mut batch, id, topic, message);
                }
            }
            () = sleep_until(send_at), if !batch.is_empty() => {
                let report = Report::Events(std::mem::take(&mut batch));
                reports.send(report).await.context("nothing takes reports")?;
            }
        }
    }
}

fn add(batch: &mut EventBatch, id: SubjectId, topic: Topic, message: &Message) {
    let headers = message.headers.as_ref();
    let content_type = headers
        .and_then(|headers| headers.get(codec::CONTENT_TYPE))
        .map(async_nats::HeaderValue::as_str);
    match topic {
        Topic::HitRate => batch.add_hit_rate(id, KvHitRate::decode(content_type, &message.payload)),
        Topic::KvMetrics => batch.add_load(id, KvMetrics::decode(content_type, &message.payload)),
    }
}
