//! `cargo xtask bench sinks`: what each sink costs, as a multiple of rendering the page, and whether all of them together
//! delay rounds.

use std::time::Duration;

use anyhow::{Context, Result};

use super::collector::rhythm::{INTERVAL, READING};
use super::collector::session::Session;
use super::figure::{Figure, median};
use super::report::{self, or_failed};
use super::stage::Stage;
use crate::process::{Processes, Running};
use crate::workspace::Workspace;

const WORKERS: u32 = 10_000;
const TARGET: &str = "dynamo/my_component/my_endpoint";
const ROUND: &str = "round with all sinks";
/// How long the receiver may take to start.
const READY: Duration = Duration::from_secs(10);
/// How many rounds pass before anything is measured: connections are made, and the first page is pushed.
const FIRST: u32 = 2;

/// Measure what pushing each snapshot costs, next to rendering the page
///
/// Takes four minutes, and with --quick two, after the build.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench sinks             all figures
  cargo xtask bench sinks --write     the same, written to docs/performance.md
  cargo xtask bench sinks --quick     each once, for few rounds")]
pub(crate) struct Args {
    /// Measure once, for few rounds
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    flags: report::Flags,
}

/// A sink, with the flags that make it push each snapshot.
struct Sink {
    name: &'static str,
    flags: fn(&str) -> Vec<String>,
}

const SINKS: [Sink; 4] = [
    Sink {
        name: "Pushgateway",
        flags: |receiver| line(&["--push-interval", "2s", "--push-url", receiver]),
    },
    Sink {
        name: "remote write",
        flags: |receiver| line(&["--remote-write-url", &format!("{receiver}/api/v1/write")]),
    },
    Sink {
        name: "OTLP",
        flags: |receiver| line(&["--otlp-interval", "2s", "--otlp-endpoint", receiver]),
    },
    Sink {
        name: "NATS, native",
        flags: |_| line(&["--publish", "native"]),
    },
];

fn line(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Rounds, and how often collectors of each kind take turns.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rounds: u32,
    turns: u32,
}

/// What one collector gave, in seconds for a round.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    cpu: f64,
    round: f64,
}

/// What collectors of all kinds gave in one turn.
#[derive(Debug)]
struct Turn {
    bare: Cost,
    with_page: Cost,
    with_sink: [Cost; SINKS.len()],
    with_all: Cost,
}

pub(super) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let plan = match args.quick {
        true => Plan { rounds: 4, turns: 1 },
        false => Plan { rounds: 8, turns: 2 },
    };
    report::run("sinks", &args.flags, workspace, processes, |stage| {
        let measured = measure(stage, plan);
        or_failed(
            measured,
            &[SINKS[0].name, SINKS[1].name, SINKS[2].name, SINKS[3].name, ROUND],
            WORKERS,
        )
    })
}

fn measure(stage: &Stage<'_>, plan: Plan) -> Result<Vec<Figure>> {
    let (_receiver, url) = receiver(stage)?;
    let all: Vec<String> = SINKS.iter().flat_map(|sink| (sink.flags)(&url)).collect();
    let mut turns = Vec::new();
    for turn in 1..=plan.turns {
        let of = |name: &str, flags: &[String], fetches: bool| {
            eprintln!("xtask: turn {turn} of {}: {name} ...", plan.turns);
            cost(stage, flags, fetches, plan.rounds).with_context(|| format!("with {name}"))
        };
        turns.push(Turn {
            bare: of("no sink", &[], false)?,
            with_page: of("a page each round", &[], true)?,
            with_sink: [
                of(SINKS[0].name, &(SINKS[0].flags)(&url), false)?,
                of(SINKS[1].name, &(SINKS[1].flags)(&url), false)?,
                of(SINKS[2].name, &(SINKS[2].flags)(&url), false)?,
                of(SINKS[3].name, &(SINKS[3].flags)(&url), false)?,
            ],
            with_all: of("all sinks", &all, false)?,
        });
    }
    Ok(figures(&turns))
}

/// A receiver that accepts everything, and its address.
fn receiver(stage: &Stage<'_>) -> Result<(Running, String)> {
    let mut receiver = stage.yardstick(&["receiver"])?;
    let ready = stage.ready(&mut receiver, READY)?;
    let port = ready["port"].as_u64().context("the receiver has no port")?;
    Ok((receiver, format!("http://127.0.0.1:{port}")))
}

/// The CPU time and the mean round of a collector with these flags.
fn cost(stage: &Stage<'_>, flags: &[String], fetches: bool, rounds: u32) -> Result<Cost> {
    let fleet = stage.simulator(WORKERS)?;
    let session = Session::open(stage, fleet, WORKERS, &[TARGET.to_owned()], flags)?;
    session.wait(FIRST * INTERVAL)?;
    session.wait_for(READING)?;
    let before = session.page.scrape()?;
    // The page that was just read is no part of what is measured.
    session.wait_for(READING)?;
    let cpu = session.cpu()?;
    for _ in 0..rounds {
        if fetches {
            session.page.fetch()?;
        }
        session.wait_for(READING)?;
    }
    let cpu = session.cpu()?.since(&cpu).as_secs_f64() / f64::from(rounds);
    let round = session.page.scrape()?.mean_round_since(&before);
    Ok(Cost {
        cpu,
        round: round.context("the collector has made no round")?,
    })
}

fn figures(turns: &[Turn]) -> Vec<Figure> {
    let of = |value: &dyn Fn(&Turn) -> f64| median(turns.iter().map(value));
    let bare = of(&|turn| turn.bare.cpu);
    let page = of(&|turn| turn.with_page.cpu) - bare;
    let mut figures: Vec<Figure> = SINKS
        .iter()
        .enumerate()
        .map(|(place, sink)| {
            let cpu = of(&|turn| turn.with_sink[place].cpu) - bare;
            Figure::ratio(sink.name, WORKERS, None, cpu, page)
        })
        .collect();
    let round = (of(&|turn| turn.with_all.round), of(&|turn| turn.bare.round));
    figures.push(Figure::ratio(ROUND, WORKERS, Some(1.1), round.0, round.1));
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_held_against_the_page_and_rounds_against_those_without_sinks() {
        let cost = |cpu, round| Cost { cpu, round };
        let turn = || Turn {
            bare: cost(0.010, 0.030),
            with_page: cost(0.050, 0.030),
            with_sink: [
                cost(0.050, 0.0),
                cost(0.090, 0.0),
                cost(0.130, 0.0),
                cost(0.030, 0.0),
            ],
            with_all: cost(0.250, 0.033),
        };
        let values: Vec<f64> = figures(&[turn(), turn()])
            .iter()
            .map(|figure| (figure.outcome.as_ref().unwrap().value * 100.0).round() / 100.0)
            .collect();
        assert_eq!(values, [1.0, 2.0, 3.0, 0.5, 1.1]);
    }
}
