//! An engine that publishes its forward passes: `cargo run -p protocol --features service --example forward_passes [PATH]`.
//!
//! It makes up a pass every 25 ms, and rests for three seconds after every hundred; heartbeats come meanwhile.

use std::error::Error;
use std::time::Duration;

use protocol::events::{Queued, Scheduled};
use protocol::service::{EnginePass, EventPublishError, Reporter, Servers, Worker};
use tokio::time::{interval, sleep};

const PASS: Duration = Duration::from_millis(25);
const REST: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let servers = std::env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "dynamo/my_component/my_endpoint".to_owned());
    let client = servers.parse::<Servers>()?.connect().await?;
    let worker = Worker::builder(path.parse()?).heartbeat().start(client).await?;
    eprintln!(
        "worker {} publishes its forward passes; Ctrl-C ends it",
        worker.id()
    );
    let engine = tokio::spawn(work(worker.reporter()));
    let ended = worker.run_until_signal(Duration::from_secs(5)).await;
    engine.abort();
    Ok(ended?)
}

/// Eight requests that grow by a token with each pass, while two wait.
async fn work(reporter: Reporter) -> Result<(), EventPublishError> {
    loop {
        let mut passes = interval(PASS);
        for tokens in 100..200 {
            passes.tick().await;
            let pass = EnginePass {
                wall_time: PASS,
                scheduled: Scheduled {
                    decode_requests: 8,
                    decode_kv_tokens: 8 * tokens,
                    ..Scheduled::default()
                },
                queued: Queued {
                    prefill_requests: 2,
                    prefill_tokens: 700,
                    ..Queued::default()
                },
            };
            reporter.forward_pass(&pass).await?;
        }
        sleep(REST).await;
    }
}
