//! A source of forward passes at a fixed rate.

use anyhow::Context;
use async_nats::Client;
use serde_json::json;

use crate::engines::{Engines, Size, Sums};
use crate::pace::Pace;

/// Publish forward passes of all ranks, in turn and at a fixed rate; the first message of each is a heartbeat
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    size: Size,
    /// Number of messages
    #[arg(long)]
    messages: u64,
    /// Messages in a second
    #[arg(long, default_value_t = 50_000.0)]
    rate: f64,
}

/// Prints `{"messages":…,"seconds":…}` and what the passes add up to, once the server has all of them.
pub(crate) async fn run(args: Args, client: Client) -> anyhow::Result<()> {
    let mut engines = Engines::new(&args.size)?;
    let mut pace = Pace::new(args.rate, args.messages);
    let (mut sent, mut sums) = (0, Sums::default());
    while let Some(portion) = pace.portion().await {
        for _ in 0..portion {
            let payload = match sent < engines.len() {
                true => engines.heartbeat()?,
                false => engines.pass(&mut sums)?,
            };
            client
                .publish(engines.subject(), payload)
                .await
                .context("failed to publish")?;
            sent += 1;
        }
    }
    client.flush().await.context("failed to publish")?;
    let line = json!({
        "messages": sent,
        "seconds": pace.seconds(),
        "passes": sums.passes,
        "prefill_tokens": sums.prefill_tokens,
        "decode_steps": sums.decode_steps,
    });
    println!("{line}");
    Ok(())
}
