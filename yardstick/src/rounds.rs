//! The bare loop: ask all services for their statistics, and count the replies.

use std::time::Duration;

use anyhow::{Context, bail};
use async_nats::{Client, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use protocol::ServicePrefix;
use serde_json::json;
use tokio::time::{Instant, interval, timeout};

use crate::cpu;

/// How long one round may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Ask for statistics again and again and count the replies, with nothing read of them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Replies after which a round is over
    #[arg(long)]
    workers: u64,
    /// Number of rounds
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Time from one round to the next
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    interval: Duration,
}

/// Prints `{"seconds":…,"cpu_seconds":…}` after each round; the CPU time is that since the start.
pub(crate) async fn run(args: Args, client: Client) -> anyhow::Result<()> {
    let inbox = client.new_inbox();
    let mut replies = client
        .subscribe(format!("{inbox}.*"))
        .await
        .context("failed to subscribe to the inbox")?;
    let mut ticks = interval(args.interval);
    for round in 1..=args.rounds {
        ticks.tick().await;
        let asked = Instant::now();
        let reply_to = format!("{inbox}.{round}");
        client
            .publish_with_reply(ServicePrefix::default().stats(), reply_to, Bytes::new())
            .await
            .context("failed to ask")?;
        let mut counted = 0;
        if timeout(LIMIT, count(&mut replies, args.workers, &mut counted))
            .await
            .is_err()
        {
            bail!(
                "failed to get {} replies in {LIMIT:?}: {counted} came",
                args.workers
            );
        }
        let seconds = asked.elapsed().as_secs_f64();
        let cpu_seconds = cpu::used().as_secs_f64();
        println!(
            "{}",
            json!({ "seconds": seconds, "cpu_seconds": cpu_seconds, "replies": counted })
        );
    }
    Ok(())
}

async fn count(replies: &mut Subscriber, workers: u64, counted: &mut u64) {
    while *counted < workers && replies.next().await.is_some() {
        *counted += 1;
    }
}
