//! The bare subscriber: receive events, and count them.

use std::time::Duration;

use anyhow::Context;
use async_nats::Client;
use clap::ValueEnum;
use futures_util::StreamExt;
use protocol::events::write::Release;
use protocol::events::{KV_HIT_RATE, Topic};
use protocol::subject::EventSubject;
use protocol::{EndpointPath, subject};
use serde_json::json;
use tokio::time::timeout;

use crate::cpu;

/// How long no message may come before no more are expected.
const SILENCE: Duration = Duration::from_secs(3);

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
        Kind::HitRates => Some(subject::event(&args.path.namespace, KV_HIT_RATE)),
        Kind::Passes => EventSubject::published(&args.path, Topic::ForwardPass, Release::V1_5),
        Kind::Requests => Some(subject::REQUEST_TRACE.to_owned()),
    };
    let subject = subject.context("failed to write these names into a subject")?;
    let mut events = client.subscribe(subject).await.context("failed to subscribe")?;
    client.flush().await.context("failed to subscribe")?;
    println!("{}", json!({ "ready": true }));
    let before = cpu::used();
    let mut messages = 0;
    if events.next().await.is_some() {
        messages += 1;
    }
    // One time limit for many messages: a timer for each would be a large part of the work that is measured.
    while messages < args.messages {
        let seen = messages;
        let counting = async {
            while messages < args.messages && events.next().await.is_some() {
                messages += 1;
            }
        };
        let is_silent = timeout(SILENCE, counting).await.is_err() && messages == seen;
        if is_silent {
            break;
        }
    }
    let cpu_seconds = (cpu::used() - before).as_secs_f64();
    println!("{}", json!({ "messages": messages, "cpu_seconds": cpu_seconds }));
    Ok(())
}
