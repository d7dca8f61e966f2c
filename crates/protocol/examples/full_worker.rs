//! A worker with all that the SDK has: `cargo run -p protocol --features service --example full_worker [PATH]`.
//!
//! An engine on a thread of its own sets the load and publishes what its cache had. A second endpoint clears the cache. `NATS_URL`
//! names the server.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::service::{HandlerError, Reporter, Request, Servers, Worker};
use protocol::{KvHitRate, KvMetrics, StatsError, WorkerStats};
use tokio::time::{interval, sleep};

const BLOCKS: u64 = 1000;
const BLOCKS_PER_REQUEST: u64 = 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let servers = std::env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
    let path = std::env::args().nth(1);
    let path = path.unwrap_or_else(|| "dynamo/my_component/my_endpoint".to_owned());
    let client = servers
        .parse::<Servers>()?
        .connect_within(Duration::from_secs(30))
        .await?;

    let used = Arc::new(AtomicU64::new(0));
    let (generating, clearing) = (used.clone(), used.clone());
    let worker = Worker::builder(path.parse()?)
        .metadata("model", "tiny")
        .concurrency(8)
        .waiting_limit(256)
        .count_requests()
        .heartbeat()
        .handler(move |request| generate(request, generating.clone()))
        .endpoint("clear_kv_blocks".parse()?, move |request| {
            clearing.store(0, Ordering::Relaxed);
            async move { Ok(request.respond("cleared").await?) }
        })
        .start(client)
        .await?;
    println!("ready: worker {} serves {}", worker.id(), worker.subject());

    let engine = tokio::spawn(engine(worker.reporter(), used));
    let ended = worker.run_until_signal(Duration::from_secs(5)).await;
    engine.abort();
    Ok(ended?)
}

/// Takes blocks of the cache for a moment, and answers.
async fn generate(request: Request, used: Arc<AtomicU64>) -> Result<(), HandlerError> {
    used.fetch_add(BLOCKS_PER_REQUEST, Ordering::Relaxed);
    sleep(Duration::from_millis(50)).await;
    let text = request.payload().clone();
    let stream = request.stream();
    for word in text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
        stream.send(word.to_vec()).await?;
    }
    Ok(stream.finish().await?)
}

/// Reports the load each second. What cannot be published now is worth nothing later, so it is dropped.
async fn engine(reporter: Reporter, used: Arc<AtomicU64>) -> Result<(), StatsError> {
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let active = used.load(Ordering::Relaxed).min(BLOCKS);
        let stats = WorkerStats::builder()
            .kv_blocks_active(active)
            .kv_blocks_capacity(BLOCKS);
        let stats = stats.build()?;
        reporter.set_load(stats.clone());
        let _ = reporter.try_publish_metrics(&KvMetrics::new(reporter.id(), stats));
        if let Ok(event) = KvHitRate::new(reporter.id(), BLOCKS_PER_REQUEST, active.min(4)) {
            let _ = reporter.try_publish_hit_rate(&event);
        }
    }
}
