//! The bare subscriber: receive events, and count them.

use std::time::Duration;

use anyhow::Context;
use async_nats::{Client, Subscriber};
use clap::ValueEnum;
use futures_util::StreamExt;
use protocol::events::Topic;
use protocol::events::write::Release;
use protocol::subject::EventSubject;
use protocol::{EndpointPath, subject};
use serde_json::json;
use tokio::time::timeout;

use crate::cpu;

/// How long no message may come before no more are expected.
const SILENCE: Duration = Duration::from_secs(3);

/// Messages that are taken at once, as in the collector.
const AT_ONCE: usize = 1024;

/// Count events of one kind, with nothing read of them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is counted
    #[arg(long, value_enum, default_value_t = Kind::HitRates)]
    of: Kind,
    /// Path of the workers' endpoint
    #[arg(long, default_value = "dynamo/my_component/my_endpoint")]
    path: EndpointPath,
    /// Messages after which it ends
    #[arg(long)]
    messages: u64,
}

/// Events that the yardsticks publish.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    HitRates,
    Passes,
    Requests,
}

/// Prints `{"ready":true}` once subscribed, and `{"messages":…,"cpu_seconds":…}` at the end.
pub(crate) async fn run(args: Args, client: Client) -> anyhow::Result<()> {
    let subject = match args.of {
        Kind::HitRates => Some(subject::event(&args.path.namespace, Topic::KvHitRate.as_str())),
        Kind::Passes => EventSubject::published(&args.path, Topic::ForwardPass, Release::V1_5),
        Kind::Requests => Some(subject::REQUEST_TRACE.to_owned()),
    };
    let subject = subject.context("failed to write these names into a subject")?;
    let events = client.subscribe(subject).await.context("failed to subscribe")?;
    client.flush().await.context("failed to subscribe")?;
    println!("{}", json!({ "ready": true }));
    let before = cpu::used();
    // A task of its own, and many messages at once: on the main thread each message would wake a thread, which costs more
    // than all the rest.
    let messages = tokio::spawn(count(events, args.messages));
    let messages = messages.await.context("failed to count")?;
    let cpu_seconds = (cpu::used() - before).as_secs_f64();
    println!("{}", json!({ "messages": messages, "cpu_seconds": cpu_seconds }));
    Ok(())
}

/// How many of the expected messages come.
async fn count(events: Subscriber, expected: u64) -> u64 {
    let mut events = events.ready_chunks(AT_ONCE);
    let mut messages = 0;
    if let Some(first) = events.next().await {
        messages += first.len() as u64;
    }
    // One time limit for many messages: a timer for each would be a large part of the work that is measured.
    while messages < expected {
        let seen = messages;
        let counting = async {
            while messages < expected
                && let Some(more) = events.next().await
            {
                messages += more.len() as u64;
            }
        };
        let is_silent = timeout(SILENCE, counting).await.is_err() && messages == seen;
        if is_silent {
            break;
        }
    }
    messages
}
