//! The bare subscriber: receive events, and count them.

use std::time::Duration;

use anyhow::Context;
use async_nats::Client;
use futures_util::StreamExt;
use protocol::events::Topic;
use protocol::{Namespace, subject};
use serde_json::json;
use tokio::time::timeout;

use crate::cpu;

/// How long no message may come before no more are expected.
const SILENCE: Duration = Duration::from_secs(3);

/// Count hit-rate events, with nothing read of them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Namespace of the events
    #[arg(long, default_value = "dynamo")]
    namespace: Namespace,
    /// Messages after which it ends
    #[arg(long)]
    messages: u64,
}

/// Prints `{"ready":true}` once subscribed, and `{"messages":…,"cpu_seconds":…}` at the end.
pub(crate) async fn run(args: Args, client: Client) -> anyhow::Result<()> {
    let mut events = client
        .subscribe(subject::event(&args.namespace, Topic::KvHitRate.as_str()))
        .await
        .context("failed to subscribe")?;
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
