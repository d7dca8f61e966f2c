//! `cargo xtask bench web`: the page of ten thousand workers in a browser, and what an open page costs the collector.

mod viewer;
mod window;

use std::time::Duration;

use anyhow::{Context, Result};

use self::viewer::Viewer;
use self::window::{Look, Window};
use super::collector::rhythm::{INTERVAL, READING};
use super::collector::session::Session;
use super::figure::{Figure, Unit, median, megabytes, seconds};
use super::report::{self, or_failed};
use super::stage::Stage;
use crate::process::Processes;
use crate::workspace::Workspace;

const WORKERS: u32 = 10_000;
const TARGET: &str = "dynamo/my_component/my_endpoint";

const ROUND: &str = "round with an open page";
const CPU: &str = "CPU of an open page, each snapshot";
const ROW: &str = "first row";
const ROW_OF_ALL: &str = "first row, all rows asked for";
const CELLS: &str = "a cell for each worker";
const FRAME: &str = "frame while scrolling";
const FILTER: &str = "filter";
const SORT: &str = "sort";

/// Measure the page of 10,000 workers in Chromium, and rounds while a page is open
///
/// Takes three minutes, and with --quick one, after the build.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench web             all figures
  cargo xtask bench web --write     the same, written to docs/performance.md
  cargo xtask bench web --quick     few rounds, and each look once")]
pub(crate) struct Args {
    /// Measure few rounds, and look once
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    flags: report::Flags,
}

/// How often rounds with and without a page take turns, how many there are in each, and how often the browser looks.
#[derive(Debug, Clone, Copy)]
struct Plan {
    turns: u32,
    rounds: u32,
    looks: u32,
}

/// What some rounds gave, in seconds for each.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rounds {
    round: f64,
    cpu: f64,
}

/// Rounds without a page, the same with one, and the bytes that this one got for each.
#[derive(Debug, Clone, Copy)]
struct Turn {
    without: Rounds,
    with: Rounds,
    bytes: f64,
}

pub(super) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let plan = match args.quick {
        true => Plan {
            turns: 2,
            rounds: 4,
            looks: 1,
        },
        false => Plan {
            turns: 6,
            rounds: 5,
            looks: 5,
        },
    };
    report::run("web", &args.flags, workspace, processes, |stage| {
        let names = [ROUND, CPU, ROW, ROW_OF_ALL, CELLS, FRAME, FILTER, SORT];
        or_failed(measure(stage, plan, workspace), &names, WORKERS)
    })
}

fn measure(stage: &Stage<'_>, plan: Plan, workspace: &Workspace) -> Result<Vec<Figure>> {
    let fleet = stage.loaded(WORKERS)?;
    let session = Session::open(stage, fleet, WORKERS, &[TARGET.to_owned()], &[])?;
    let mut turns = Vec::new();
    for turn in 1..=plan.turns {
        eprintln!("xtask: turn {turn} of {} ...", plan.turns);
        turns.push(one_turn(&session, plan.rounds)?);
    }
    let window = Window::open(session.page.port(), WORKERS, workspace, stage.processes)?;
    let mut looks = Vec::new();
    for look in 1..=plan.looks {
        eprintln!("xtask: look {look} of {} ...", plan.looks);
        looks.push(window.look(TARGET)?);
    }
    let mut figures = of_turns(&turns);
    figures.extend(of_looks(&looks));
    Ok(figures)
}

fn one_turn(session: &Session<'_>, rounds: u32) -> Result<Turn> {
    let without = measure_rounds(session, rounds)?;
    let viewer = Viewer::open(session.page.port(), TARGET)?;
    session.wait(INTERVAL)?;
    let read = viewer.bytes()?;
    let with = measure_rounds(session, rounds)?;
    let bytes = (viewer.bytes()? - read) as f64 / f64::from(rounds);
    viewer.close()?;
    session.wait(INTERVAL)?;
    Ok(Turn { without, with, bytes })
}

fn measure_rounds(session: &Session<'_>, rounds: u32) -> Result<Rounds> {
    session.wait_for(READING)?;
    let before = session.page.scrape()?;
    // The page that was just read is no part of what is measured.
    session.wait(Duration::from_millis(500))?;
    let cpu = session.cpu()?;
    session.wait(rounds * INTERVAL)?;
    let cpu = session.cpu()?.since(&cpu).as_secs_f64() / f64::from(rounds);
    let round = session.page.scrape()?.mean_round_since(&before);
    Ok(Rounds {
        round: round.context("the collector has made no round")?,
        cpu,
    })
}

fn of_turns(turns: &[Turn]) -> Vec<Figure> {
    let of = |value: &dyn Fn(&Turn) -> f64| median(turns.iter().map(value));
    let (with, without) = (of(&|turn| turn.with.round), of(&|turn| turn.without.round));
    let cpu = of(&|turn| turn.with.cpu - turn.without.cpu);
    let detail = format!("{} sent", megabytes(of(&|turn| turn.bytes)));
    vec![
        Figure::ratio(ROUND, WORKERS, Some(1.05), with, without),
        Figure::number(CPU, WORKERS, Unit::Seconds, None, cpu, detail),
    ]
}

fn of_looks(looks: &[Look]) -> Vec<Figure> {
    let time = |name, goal, value: &dyn Fn(&Look) -> f64, detail: &str| {
        let value = median(looks.iter().map(value));
        Figure::number(name, WORKERS, Unit::Seconds, goal, value, detail)
    };
    let mut frames: Vec<f64> = looks
        .iter()
        .flat_map(|look| look.frames.iter().copied())
        .collect();
    frames.sort_by(f64::total_cmp);
    let longest = frames.last().copied().unwrap_or(f64::NAN);
    let late = frames.get(frames.len() * 95 / 100).copied().unwrap_or(f64::NAN);
    let detail = format!(
        "95 of 100; in the middle {}, the longest of {} {}",
        seconds(median(frames.iter().copied())),
        frames.len(),
        seconds(longest)
    );
    vec![
        time(ROW, Some(1.0), &|look| look.row, "100 rows"),
        time(ROW_OF_ALL, Some(1.0), &|look| look.row_of_all, "?top=all"),
        time(CELLS, Some(2.0), &|look| look.cells, ""),
        Figure::number(FRAME, WORKERS, Unit::Seconds, Some(0.034), late, detail),
        time(
            FILTER,
            Some(0.25),
            &|look| look.filter,
            "60 ms of it is the pause after a key",
        ),
        time(SORT, Some(0.25), &|look| look.sort, ""),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_with_a_page_are_held_against_those_without() {
        let rounds = |round, cpu| Rounds { round, cpu };
        let turn = Turn {
            without: rounds(0.02, 0.05),
            with: rounds(0.021, 0.08),
            bytes: 1.5e6,
        };
        let figures = of_turns(&[turn; 3]);
        let values = figures.iter().map(|figure| figure.outcome.clone().unwrap());
        let shown: Vec<(f64, String)> = values
            .map(|measured| ((measured.value * 100.0).round() / 100.0, measured.detail))
            .collect();
        assert_eq!(
            shown,
            [
                (1.05, "21.0 ms ÷ 20.0 ms".to_owned()),
                (0.03, "1.5 MB sent".to_owned())
            ]
        );
    }

    #[test]
    fn the_frame_is_one_that_few_are_longer_than() {
        let look = Look {
            row: 0.2,
            row_of_all: 0.3,
            cells: 0.5,
            frames: (1..=100).map(f64::from).collect(),
            filter: 0.1,
            sort: 0.05,
        };
        let figures = of_looks(&[look]);
        let frame = figures.iter().find(|figure| figure.name == FRAME).unwrap();
        assert_eq!(frame.outcome.as_ref().unwrap().value, 96.0);
        assert_eq!(figures.len(), 6);
    }
}
