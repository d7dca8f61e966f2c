//! The task that receives events, reads them, and adds them up per worker before the state machine sees them.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use async_nats::{Client, HeaderValue, Message};
use fleet::{EventReader, Heard, Listening};
use futures_util::StreamExt;
use futures_util::stream::{AbortHandle, BoxStream, SelectAll, abortable};
use protocol::codec;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::engine::Report;

/// How long events are added up.
const BATCH_TIME: Duration = Duration::from_millis(50);

/// Messages of one subscription that are taken at once.
const AT_ONCE: usize = 1024;

/// Receives events until no more commands come.
pub(crate) async fn run(
    client: Client,
    mut commands: mpsc::UnboundedReceiver<Listening>,
    reports: mpsc::Sender<Report>,
) -> anyhow::Result<()> {
    let mut streams: SelectAll<BoxStream<'static, (Heard, Vec<Message>)>> = SelectAll::new();
    let mut handles: HashMap<String, AbortHandle> = HashMap::new();
    let mut reader = EventReader::default();
    let mut send_at = Instant::now();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Listening::Begin { subject, kind }) => {
                    let subscriber = client.subscribe(subject.clone()).await;
                    let subscriber = subscriber.with_context(|| format!("failed to subscribe to {subject}"))?;
                    let messages = subscriber.ready_chunks(AT_ONCE).map(move |messages| (kind, messages));
                    let (messages, handle) = abortable(messages);
                    streams.push(messages.boxed());
                    handles.insert(subject, handle);
                }
                Some(Listening::End { subject }) => {
                    if let Some(handle) = handles.remove(&subject) {
                        handle.abort();
                    }
                }
                None => return Ok(()),
            },
            Some((kind, messages)) = streams.next() => {
                if reader.is_empty() {
                    send_at = Instant::now() + BATCH_TIME;
                }
                add(&mut reader, kind, &messages);
            }
            () = sleep_until(send_at), if !reader.is_empty() => {
                let report = Report::Events(reader.take().into());
                reports.send(report).await.context("nothing takes reports")?;
            }
        }
    }
}

fn add(reader: &mut EventReader, kind: Heard, messages: &[Message]) {
    let arrived = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    for message in messages {
        match kind {
            Heard::Events => {
                let headers = message.headers.as_ref();
                let content_type = headers
                    .and_then(|headers| headers.get(codec::CONTENT_TYPE))
                    .map(HeaderValue::as_str);
                reader.add(&message.subject, content_type, &message.payload, arrived);
            }
            Heard::RequestTraces => reader.add_trace(&message.payload),
        }
    }
}
