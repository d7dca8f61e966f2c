//! `cargo xtask demo`: NATS, mock workers and the collector, and their load in a small live table.

mod page;
mod parts;
mod table;

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::page::{Page, Pool};
use self::parts::Parts;
use self::table::Table;
use super::build_programs;
use crate::process::{Interrupted, Processes};
use crate::provision::nats_server;
use crate::workspace::Workspace;

/// How long the page may take to show all workers.
const COMPLETE: Duration = Duration::from_secs(60);
/// How long the page may fail to answer before the demo has failed.
const SILENCE: Duration = Duration::from_secs(10);

/// Start NATS, mock workers and the collector, and show their load
///
/// The page is in Prometheus format. The demo ends with Ctrl-C or after the duration, with everything stopped.
/// With NATS_URL set, it uses that server instead of one of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask demo                               4 workers, until Ctrl-C
  cargo xtask demo --workers 20 --duration 1m    20 workers for a minute
  cargo xtask demo --metrics-port 9191           another port for the page
  NATS_URL=nats://127.0.0.1:4222 cargo xtask demo")]
pub(crate) struct Args {
    /// How many workers
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    workers: u32,
    /// How long to go on once all workers are shown: 30, 30s, 5m [default: until Ctrl-C]
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// Namespace of the workers
    #[arg(long, default_value = "dynamo")]
    namespace: String,
    /// Component of the workers
    #[arg(long, default_value = "my_component")]
    component: String,
    /// Endpoint of the workers
    #[arg(long, default_value = "my_endpoint")]
    endpoint: String,
    /// Port of the page, on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = 9091, value_parser = clap::value_parser!(u16).range(1..))]
    metrics_port: u16,
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let server = nats_server::server(workspace, processes)?;
    build_programs(&[], workspace, processes)?;
    let logs = workspace.demo();
    fs::create_dir_all(&logs).with_context(|| format!("failed to make {}", logs.display()))?;
    eprintln!("xtask: logs are in {}", logs.display());

    let mut parts = Parts::default();
    let shown = show(args, &server, workspace, processes, &mut parts);
    eprintln!("xtask: stopping ...");
    let stopped = parts.stop();
    match shown {
        // To interrupt it is the usual way to end the demo.
        Err(error) if error.is::<Interrupted>() => stopped?,
        shown => shown.and(stopped)?,
    }
    eprintln!("xtask: everything is stopped");
    Ok(())
}

fn show(
    args: &Args,
    server: &nats_server::Server,
    workspace: &Workspace,
    processes: &Processes,
    parts: &mut Parts,
) -> Result<()> {
    let url = parts.start_nats(server, workspace, processes)?;
    let pool = Pool::new(&args.namespace, &args.component, &args.endpoint);
    let pool_flags = [
        "--namespace",
        &args.namespace,
        "--component",
        &args.component,
        "--endpoint",
        &args.endpoint,
    ];
    let workers = args.workers.to_string();
    parts.start(
        "mock-worker",
        &url,
        &[&pool_flags[..], &["--workers", &workers]].concat(),
        workspace,
        processes,
    )?;
    let port = args.metrics_port.to_string();
    let page_flags = ["--metrics-port", &port, "--host", "127.0.0.1"];
    parts.start(
        "metrics",
        &url,
        &[&pool_flags[..], &page_flags].concat(),
        workspace,
        processes,
    )?;

    let page = Page::new(args.metrics_port);
    wait_for_workers(args.workers, &page, &pool, parts, processes)?;
    print_addresses(args.metrics_port, &url);
    watch(args, &page, &pool, parts, processes)
}

/// Waits until the page shows all workers, with every part alive.
fn wait_for_workers(
    workers: u32,
    page: &Page,
    pool: &Pool,
    parts: &mut Parts,
    processes: &Processes,
) -> Result<()> {
    eprintln!("xtask: waiting until the page shows {workers} workers ...");
    let mut last = "the page was not there yet".to_owned();
    let complete = processes.wait(Some(COMPLETE), || {
        let view = page.read(pool);
        parts.check()?;
        match view {
            Ok(view) if view.fresh >= f64::from(workers) => return Ok(Some(())),
            Ok(view) => last = format!("it showed {}", view.fresh),
            Err(error) => last = format!("{error:#}"),
        }
        Ok(None)
    })?;
    if complete.is_none() {
        let limit = COMPLETE.as_secs();
        bail!(
            "failed to see {workers} workers on the page within {limit} s: {last}\n{}",
            parts.last_words()
        );
    }
    Ok(())
}

fn print_addresses(port: u16, url: &str) {
    println!("\npage     http://127.0.0.1:{port}/metrics");
    println!("health   http://127.0.0.1:{port}/healthz   http://127.0.0.1:{port}/readyz");
    println!("NATS     {}", nats_server::without_secrets(url));
    println!("try      curl -s 127.0.0.1:{port}/metrics | grep llm_worker_\n");
}

/// Shows the table until the duration has passed.
fn watch(args: &Args, page: &Page, pool: &Pool, parts: &mut Parts, processes: &Processes) -> Result<()> {
    match args.duration {
        Some(duration) => eprintln!(
            "xtask: this goes on for {} (Ctrl-C ends it)",
            humantime::format_duration(duration)
        ),
        None => eprintln!("xtask: Ctrl-C ends this"),
    }
    let mut table = Table::new();
    let mut answered = std::time::Instant::now();
    processes.wait(args.duration, || {
        parts.check()?;
        if table.is_due() {
            match page.read(pool) {
                Ok(view) => {
                    answered = std::time::Instant::now();
                    table.show(&view)?;
                }
                Err(error) if answered.elapsed() > SILENCE => return Err(error),
                Err(error) => eprintln!("xtask: {error:#}"),
            }
        }
        Ok(None::<()>)
    })?;
    Ok(())
}

/// A number of seconds, or a number with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text),
    };
    parsed.map_err(|error| format!("{error}; write for example 30, 30s or 5m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_seconds_or_has_a_unit() {
        let check = |text: &str, expected: u64| {
            assert_eq!(duration(text), Ok(Duration::from_millis(expected)), "{text}");
        };
        check("30", 30_000);
        check("30s", 30_000);
        check("500ms", 500);
        check("5m", 300_000);
        check("1m 30s", 90_000);
    }

    #[test]
    fn what_is_no_duration_is_answered_with_an_example() {
        for text in ["", "-1", "soon", "3 parsecs", "1.5"] {
            let error = duration(text).unwrap_err();
            assert!(error.contains("write for example"), "{text}: {error}");
        }
    }
}
