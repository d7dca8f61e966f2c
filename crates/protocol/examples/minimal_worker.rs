//! A worker in about fifteen lines: `cargo run -p protocol --features service --example minimal_worker [PATH]`.

use std::error::Error;
use std::time::Duration;

use protocol::WorkerStats;
use protocol::service::{Servers, Worker};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let servers = std::env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "dynamo/my_component/my_endpoint".to_owned());
    let worker = Worker::builder(path.parse()?)
        .stats(|| {
            WorkerStats::builder()
                .requests(3, 100, 0)
                .kv_blocks(42, 1000)
                .build()
        })
        .handler(|request| async move {
            let echo = request.payload().clone();
            Ok(request.respond(echo).await?)
        })
        .start(servers.parse::<Servers>()?.connect().await?)
        .await?;
    eprintln!(
        "worker {} serves {}; Ctrl-C ends it",
        worker.id(),
        worker.subject()
    );
    tokio::signal::ctrl_c().await?;
    Ok(worker.shutdown(Duration::from_secs(5)).await?)
}
