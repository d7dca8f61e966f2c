//! `cargo xtask demo`: NATS, mock workers and the collector, and their load in the table of `metrics top`.

mod awaited;
mod page;
mod table;
mod workers;

use std::env;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::awaited::Awaited;
use self::page::{Page, Pool};
use self::table::Table;
use self::workers::Workers;
use super::parts::{Parts, Programs};
use super::{build_programs, dist};
use crate::process::{Interrupted, Processes};
use crate::provision::nats_server;
use crate::workspace::Workspace;

/// How long the page may take to show all workers.
const COMPLETE: Duration = Duration::from_secs(60);
/// How long the page may fail to answer before the demo has failed.
const SILENCE: Duration = Duration::from_secs(10);

/// Start NATS, mock workers and the collector, and show their load
///
/// The table is that of `metrics top --once`. The demo ends with Ctrl-C or after the duration, with everything stopped.
/// With NATS_URL set, it uses that server instead of one of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask demo                               4 workers, until Ctrl-C
  cargo xtask demo --workers 20 --duration 1m    20 workers for a minute
  cargo xtask demo --scenario spike              a queue that rises and falls
  cargo xtask demo --scenario my/own.toml        what a file of your own says
  cargo xtask demo --metrics-port 9191           another port for the page
  cargo xtask demo --image                       both programs from the image, as `cargo xtask dist` makes it
  NATS_URL=nats://127.0.0.1:4222 cargo xtask demo")]
pub(crate) struct Args {
    #[command(flatten)]
    workers: Workers,
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
    /// Run the programs from the image: without root, capabilities or a writable file system. Docker has to run on this
    /// machine, because the containers share its network
    #[arg(long)]
    image: bool,
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let here = env::current_dir().context("failed to read the current folder")?;
    let workers = args.workers.command_line(&here)?;
    let server = nats_server::server(workspace, processes)?;
    let programs = match args.image {
        true => Programs::Image(dist::image(workspace, processes)?),
        false => {
            build_programs(&[], workspace, processes)?;
            Programs::Built
        }
    };
    let mut parts = Parts::new(workspace.demo(), programs)?;
    let shown = show(args, &workers, &server, workspace, processes, &mut parts);
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
    workers: &[String],
    server: &nats_server::Server,
    workspace: &Workspace,
    processes: &Processes,
    parts: &mut Parts,
) -> Result<()> {
    let url = parts.start_nats(server, processes)?;
    let pool = Pool::new(&args.namespace, &args.component, &args.endpoint);
    let pool_flags = [
        "--namespace",
        &args.namespace,
        "--component",
        &args.component,
        "--endpoint",
        &args.endpoint,
    ];
    // A scenario is a subcommand, and comes before the flags.
    let workers: Vec<&str> = workers.iter().map(String::as_str).collect();
    parts.start(
        "mock-worker",
        &url,
        &[&workers[..], &pool_flags].concat(),
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
    wait_for_workers(args.workers.awaited(), &page, &pool, parts, processes)?;
    print_addresses(args.metrics_port, &url, workspace);
    watch(args, parts, workspace, processes)
}

/// Waits until the page shows all workers, with every part alive.
fn wait_for_workers(
    mut awaited: Awaited,
    page: &Page,
    pool: &Pool,
    parts: &mut Parts,
    processes: &Processes,
) -> Result<()> {
    eprintln!("xtask: waiting until the page shows the workers ...");
    let mut last = "the page was not there yet".to_owned();
    let complete = processes.wait(Some(COMPLETE), || {
        let view = page.read(pool);
        parts.check()?;
        match view {
            Ok(view) if awaited.is_there(&view) => return Ok(Some(())),
            Ok(view) => last = format!("it showed {}", view.fresh),
            Err(error) => last = format!("{error:#}"),
        }
        Ok(None)
    })?;
    if complete.is_none() {
        let limit = COMPLETE.as_secs();
        bail!(
            "failed to see {awaited} on the page within {limit} s: {last}\n{}",
            parts.last_words()
        );
    }
    Ok(())
}

fn print_addresses(port: u16, url: &str, workspace: &Workspace) {
    println!("\npage     http://127.0.0.1:{port}/           for Prometheus http://127.0.0.1:{port}/metrics");
    println!("health   http://127.0.0.1:{port}/healthz   http://127.0.0.1:{port}/readyz");
    println!("NATS     {}", nats_server::without_secrets(url));
    let program = workspace.program("metrics");
    println!(
        "try      {} top --attach http://127.0.0.1:{port}\n",
        program.display()
    );
}

/// Shows the table until the duration has passed.
fn watch(args: &Args, parts: &mut Parts, workspace: &Workspace, processes: &Processes) -> Result<()> {
    match args.duration {
        Some(duration) => eprintln!(
            "xtask: this goes on for {} (Ctrl-C ends it)",
            humantime::format_duration(duration)
        ),
        None => eprintln!("xtask: Ctrl-C ends this"),
    }
    let mut table = Table::new(args.metrics_port);
    let mut answered = std::time::Instant::now();
    let outcome = processes.wait(args.duration, || {
        parts.check()?;
        if table.is_due() {
            match table.read(workspace, processes) {
                Ok(text) => {
                    answered = std::time::Instant::now();
                    table.show(&text)?;
                }
                Err(error) if answered.elapsed() > SILENCE || error.is::<Interrupted>() => return Err(error),
                Err(error) => eprintln!("xtask: {error:#}"),
            }
        }
        Ok(None::<()>)
    });
    outcome.map(drop)
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
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_scenario_goes_with_every_other_argument() {
        let line = ["xtask", "demo", "--scenario", "spike", "--seed", "42"];
        let more = ["--workers", "8", "--duration", "1m", "--metrics-port", "9191"];
        let cli = Cli::parse_from(line.iter().chain(&more));
        let Command::Demo(args) = cli.command else {
            panic!("not demo: {cli:?}")
        };
        let handed_on = args.workers.command_line("/".as_ref()).unwrap();
        assert_eq!(handed_on, ["run", "spike", "--workers", "8", "--seed", "42"]);
        assert_eq!(args.duration, Some(Duration::from_secs(60)));
        assert_eq!(args.metrics_port, 9191);
    }

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
