//! A source of request traces at a fixed rate, from frontends whose workers only send heartbeats.

use std::time::Duration;

use anyhow::Context;
use async_nats::{Client, Subject};
use bytes::Bytes;
use protocol::events::write::{Replay, RequestEnd, TraceWorkers, TracedRequest};
use protocol::{WorkerId, subject};
use serde_json::json;
use tokio::time::Instant;

use crate::engines::{Engines, Size, now};
use crate::pace::Pace;

/// How often an engine without requests reports that it lives.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Tokens of a block.
const BLOCK: u64 = 16;

/// Publish records of requests to all workers, in turn and at a fixed rate, and the workers' heartbeats
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    size: Size,
    /// Number of records
    #[arg(long)]
    messages: u64,
    /// Records in a second
    #[arg(long, default_value_t = 10_000.0)]
    rate: f64,
}

/// What records add up to.
#[derive(Debug, Default)]
struct Sums {
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
}

/// Prints `{"messages":…,"seconds":…}` and what the records add up to, once the server has all of them.
pub(crate) async fn run(args: Args, client: Client) -> anyhow::Result<()> {
    let subject = Subject::from(subject::REQUEST_TRACE);
    let mut engines = Engines::new(&args.size)?;
    let mut pace = Pace::new(args.rate, args.messages);
    let mut heartbeats_at = Instant::now();
    let (mut sent, mut sums) = (0, Sums::default());
    while let Some(portion) = pace.portion().await {
        if heartbeats_at <= Instant::now() {
            heartbeats_at += HEARTBEAT;
            for _ in 0..engines.len() {
                let payload = engines.heartbeat()?;
                client
                    .publish(engines.subject(), payload)
                    .await
                    .context("failed to publish")?;
            }
        }
        for _ in 0..portion {
            let payload = record(sent, engines.worker(sent), &mut sums)?;
            client
                .publish(subject.clone(), payload)
                .await
                .context("failed to publish")?;
            sent += 1;
        }
    }
    client.flush().await.context("failed to publish")?;
    let line = json!({
        "messages": sent,
        "seconds": pace.seconds(),
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "cached_tokens": sums.cached_tokens,
    });
    println!("{line}");
    Ok(())
}

/// A record with every field that Dynamo 1.6 writes without disaggregation.
fn record(number: u64, worker: WorkerId, sums: &mut Sums) -> anyhow::Result<Bytes> {
    let (input, output) = (85 + number % 12, 1 + number % 40);
    let cached = BLOCK * (number % 3);
    sums.input_tokens += input;
    sums.output_tokens += output;
    sums.cached_tokens += cached;
    let blocks = input / BLOCK + 1;
    let wait = 0.747072 + (number % 100) as f64 * 0.1;
    let prefill = 21.300203 + (number % 1000) as f64 * 0.01;
    let itl = 7.2047049473684215;
    let ended = now()?.as_millis() as u64;
    let record = RequestEnd {
        event_time_unix_ms: ended,
        request: TracedRequest {
            request_id: format!("3eec8b42-1c99-4f68-855c-{number:012x}"),
            input_tokens: Some(input),
            output_tokens: Some(output),
            cached_tokens: Some(cached),
            request_received_ms: Some(ended - 159),
            prefill_wait_time_ms: Some(wait),
            prefill_time_ms: Some(prefill),
            ttft_ms: Some(wait + prefill),
            total_time_ms: Some(wait + prefill + itl * (output - 1) as f64),
            avg_itl_ms: Some(itl),
            kv_hit_rate: Some(cached as f64 / (blocks * BLOCK) as f64),
            kv_transfer_estimated_latency_ms: None,
            queue_depth: Some(number % 4),
            worker: Some(TraceWorkers {
                prefill_worker_id: Some(worker),
                prefill_dp_rank: Some(0),
                decode_worker_id: Some(worker),
                decode_dp_rank: Some(0),
            }),
            replay: Some(Replay {
                trace_block_size: BLOCK,
                input_length: input,
                input_sequence_hashes: (1..=blocks).map(|block| block.wrapping_mul(HASH)).collect(),
            }),
        },
    };
    Ok(serde_json::to_vec(&record)?.into())
}

/// Spreads small numbers over 64 bits.
const HASH: u64 = 0x9e37_79b9_7f4a_7c15;
