//! The least that a program must do on NATS: the yardstick of `cargo xtask bench collector` and `bench events`.
//!
//! Each command does one thing, prints its figures as JSON Lines, and knows nothing of the collector. The connection
//! has the collector's options, so a ratio of two figures compares the work and not the settings.

mod cpu;
mod engines;
mod events;
mod pace;
mod passes;
mod pools;
mod receiver;
mod requests;
mod rounds;
mod subscriber;

use anyhow::Context;
use async_nats::Client;
use clap::{Parser, Subcommand};
use protocol::service::Servers;

/// Messages that one subscription can hold: as many as in the collector.
const CAPACITY: usize = 1 << 18;

/// The least that a program must do on NATS.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// NATS server
    #[arg(
        long,
        env = "NATS_URL",
        hide_env_values = true,
        default_value = "nats://127.0.0.1:4222",
        global = true
    )]
    server: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    Rounds(rounds::Args),
    Subscriber(subscriber::Args),
    Events(events::Args),
    Passes(passes::Args),
    Requests(requests::Args),
    Pools(pools::Args),
    Receiver(receiver::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if let Command::Receiver(_) = cli.command {
        return receiver::run();
    }
    let client = connect(&cli.server).await?;
    match cli.command {
        Command::Rounds(args) => rounds::run(args, client).await,
        Command::Subscriber(args) => subscriber::run(args, client).await,
        Command::Events(args) => events::run(args, client).await,
        Command::Passes(args) => passes::run(args, client).await,
        Command::Requests(args) => requests::run(args, client).await,
        Command::Pools(args) => pools::run(args, client).await,
        Command::Receiver(_) => unreachable!("it needs no connection"),
    }
}

async fn connect(server: &str) -> anyhow::Result<Client> {
    let servers: Servers = server.parse().context("failed to read the server's address")?;
    let options = servers
        .options()
        .name("yardstick")
        .subscription_capacity(CAPACITY);
    options
        .connect(servers.addresses())
        .await
        .with_context(|| format!("failed to connect to {servers}"))
}
