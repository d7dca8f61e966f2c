//! A source of hit-rate events at a fixed rate.

use anyhow::Context;
use async_nats::Client;
use bytes::Bytes;
use protocol::events::Topic;
use protocol::{Encoding, KvHitRate, Namespace, WorkerId, subject};
use serde_json::json;

use crate::pace::Pace;

/// Publish hit-rate events of the workers with ids from 1, in turn and at a fixed rate
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Namespace of the events
    #[arg(long, default_value = "dynamo")]
    namespace: Namespace,
    /// Number of workers
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    workers: u64,
    /// Number of events
    #[arg(long)]
    messages: u64,
    /// Events in a second
    #[arg(long, default_value_t = 50_000.0)]
    rate: f64,
}

/// Prints `{"messages":…,"seconds":…}` once the server has all of them.
pub(crate) async fn run(args: Args, client: Client) -> anyhow::Result<()> {
    let subject = async_nats::Subject::from(subject::event(&args.namespace, Topic::KvHitRate.as_str()));
    let payloads: Vec<Bytes> = (1..=args.workers).map(payload).collect::<Result<_, _>>()?;
    let mut payloads = payloads.iter().cycle();
    let mut pace = Pace::new(args.rate, args.messages);
    while let Some(portion) = pace.portion().await {
        for payload in payloads.by_ref().take(portion as usize) {
            client
                .publish(subject.clone(), payload.clone())
                .await
                .context("failed to publish")?;
        }
    }
    client.flush().await.context("failed to publish")?;
    println!(
        "{}",
        json!({ "messages": args.messages, "seconds": pace.seconds() })
    );
    Ok(())
}

fn payload(worker: u64) -> anyhow::Result<Bytes> {
    let event = KvHitRate::new(WorkerId::new(worker), 10, 4)?;
    Ok(Encoding::Json.encode(&event)?.into())
}
