//! The README's worker: `cargo run -p protocol --features service --example minimal_worker`.

use std::error::Error;
use std::time::Duration;

use protocol::WorkerStats;
use protocol::service::{Servers, Worker};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let servers: Servers = "nats://127.0.0.1:4222".parse()?;
    let client = servers.connect_within(Duration::from_secs(30)).await?;
    let worker = Worker::builder("dynamo/my_component/my_endpoint".parse()?)
        .concurrency(100)
        .count_requests()
        .handler(|request| async move {
            let echo = request.payload().clone();
            Ok(request.respond(echo).await?)
        })
        .start(client)
        .await?;
    let stats = WorkerStats::builder()
        .kv_blocks_active(42)
        .kv_blocks_capacity(1000);
    worker.set_load(stats.build()?);
    Ok(worker.run_until_signal(Duration::from_secs(5)).await?)
}
