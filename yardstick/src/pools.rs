//! Many pools of idle workers on one connection, which `mock-worker` has only one of.

use anyhow::Context;
use async_nats::Client;
use protocol::WorkerStats;
use protocol::service::Worker;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// Serve idle workers in the pools dynamo/pool_1/generate, dynamo/pool_2/generate and so on
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Number of pools
    #[arg(long)]
    pools: u32,
    /// Workers in each pool
    #[arg(long)]
    workers: u32,
}

/// Prints `{"ready":true}` once all workers answer, and serves until SIGTERM.
pub(crate) async fn run(args: Args, client: Client) -> anyhow::Result<()> {
    let mut ended = signal(SignalKind::terminate()).context("failed to handle SIGTERM")?;
    let mut workers = Vec::new();
    for pool in 1..=args.pools {
        let path: protocol::EndpointPath = format!("dynamo/pool_{pool}/generate").parse()?;
        for _ in 0..args.workers {
            let worker = Worker::builder(path.clone()).stats(load);
            workers.push(
                worker
                    .start(client.clone())
                    .await
                    .context("failed to start a worker")?,
            );
        }
    }
    println!("{}", json!({ "ready": true }));
    // Idle workers have nothing to finish: the connection ends with the process.
    ended.recv().await;
    Ok(())
}

fn load() -> Result<WorkerStats, protocol::StatsError> {
    WorkerStats::builder()
        .slots_active(3)
        .slots_capacity(100)
        .requests_waiting(0)
        .kv_blocks_active(42)
        .kv_blocks_capacity(1000)
        .build()
}
