//! What the collector costs with a number of workers, next to the bare loop.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::figure::{Figure, Unit, median, megabytes, seconds, thousands};
use super::page::Scrape;
use super::rhythm::{BARE_LOOP, INTERVAL, READING};
use super::session::Session;
use super::{LARGE, Plan};

pub(super) const ROUND: &str = "round";
pub(super) const CPU: &str = "CPU per worker and round";

/// A round that takes longer than this runs into that of the other program.
const TURN: f64 = 0.95;

/// What one stretch of rounds gave, the collector's and the bare loop's in turn. Times are in seconds.
#[derive(Debug)]
struct Block {
    round: f64,
    bare_round: f64,
    cpu: f64,
    bare_cpu: f64,
    first_page: f64,
    next_page: f64,
    page_size: u64,
    before: Scrape,
    after: Scrape,
}

/// After this time no page is kept any longer.
const PAGE_KEPT: Duration = Duration::from_secs(3);

/// The figures of a session, and the collector's CPU time in a second without events or pages.
pub(super) fn measure(session: &Session<'_>, plan: &Plan) -> Result<(Vec<Figure>, f64)> {
    let is_large = session.workers >= LARGE;
    let with_scraper = is_large && plan.scraper;
    let (mut blocks, mut scraped) = (Vec::new(), Vec::new());
    for block in 1..=plan.blocks {
        eprintln!(
            "xtask: {} workers: block {block} of {} ...",
            thousands(session.workers.into()),
            plan.blocks
        );
        blocks.push(one_block(session, plan.rounds)?);
        if with_scraper {
            scraped.push(rounds_with_a_scraper(session, plan.rounds)?);
        }
    }
    let mut figures = of_rounds(session.workers, &blocks);
    if is_large {
        figures.extend(of_pages(session, &blocks)?);
    }
    if with_scraper {
        let without = of(&blocks, |block| block.round);
        let name = "round with a scraper every second";
        figures.push(Figure::ratio(
            name,
            session.workers,
            Some(1.05),
            median(scraped),
            without,
        ));
    }
    let idle = of(&blocks, |block| block.cpu) / INTERVAL.as_secs_f64();
    Ok((figures, idle))
}

fn one_block(session: &Session<'_>, rounds: u32) -> Result<Block> {
    session.wait_for(READING)?;
    let before = session.page.scrape()?;
    session.wait_for(BARE_LOOP)?;
    let cpu = session.cpu()?;
    let (bare_round, bare_cpu) = bare_loop(session, rounds)?;
    let cpu = session.cpu()?.since(&cpu).as_secs_f64() / f64::from(rounds);
    let (first_page, page_size) = session.page.fetch()?;
    let (next_page, _) = session.page.fetch()?;
    let after = session.page.scrape()?;
    let round = after
        .mean_round_since(&before)
        .context("the collector has made no round")?;
    if round.max(bare_round) > TURN {
        bail!(
            "the rounds overlap: the collector's take {}, the bare loop's {}",
            seconds(round),
            seconds(bare_round)
        );
    }
    Ok(Block {
        round,
        bare_round,
        cpu,
        bare_cpu,
        first_page: first_page.as_secs_f64(),
        next_page: next_page.as_secs_f64(),
        page_size,
        before,
        after,
    })
}

/// The bare loop's mean round and its CPU time for a round, without its first one.
fn bare_loop(session: &Session<'_>, rounds: u32) -> Result<(f64, f64)> {
    let interval = humantime::format_duration(INTERVAL).to_string();
    let (workers, with_first) = (session.workers.to_string(), (rounds + 1).to_string());
    let line = [
        "rounds",
        "--workers",
        &workers,
        "--rounds",
        &with_first,
        "--interval",
        &interval,
    ];
    let yardstick = session.stage.yardstick(&line)?;
    let limit = (rounds + 1) * INTERVAL + Duration::from_secs(20);
    let lines = session
        .stage
        .finish(yardstick, limit)
        .context("failed to run the bare loop")?;
    let numbers = |field: &str| -> Vec<f64> {
        let numbers = lines.iter().filter_map(|line| line[field].as_f64());
        numbers.collect()
    };
    let (times, cpu) = (numbers("seconds"), numbers("cpu_seconds"));
    let ([_, times @ ..], [first, .., last]) = (&times[..], &cpu[..]) else {
        bail!("failed to understand what the bare loop printed");
    };
    let count = f64::from(rounds);
    Ok((times.iter().sum::<f64>() / count, (last - first) / count))
}

/// The mean round while a page is fetched every second, each time a little later in the round.
fn rounds_with_a_scraper(session: &Session<'_>, rounds: u32) -> Result<f64> {
    session.wait_for(READING)?;
    let before = session.page.scrape()?;
    let scrapes = rounds * 2;
    // Over all scrapes the shift adds up to a second, so every part of the interval meets one.
    let pause = Duration::from_secs(1) + Duration::from_secs(1) / scrapes;
    let started = std::time::Instant::now();
    for scrape in 1..=scrapes {
        session.wait((scrape * pause).saturating_sub(started.elapsed()))?;
        session.page.fetch()?;
    }
    session.wait_for(READING)?;
    let after = session.page.scrape()?;
    after
        .mean_round_since(&before)
        .context("the collector has made no round with a scraper")
}

fn of_rounds(workers: u32, blocks: &[Block]) -> Vec<Figure> {
    let (round, bare_round) = (of(blocks, |b| b.round), of(blocks, |b| b.bare_round));
    let per_worker = |cpu: f64| cpu / f64::from(workers);
    let cpu = per_worker(of(blocks, |b| b.cpu));
    let bare_cpu = per_worker(of(blocks, |b| b.bare_cpu));
    let round_goal = (workers >= 1_000).then_some(1.3);
    let mut figures = vec![Figure::ratio(ROUND, workers, round_goal, round, bare_round)];
    let cpu_goal = (workers >= LARGE).then_some(2.0);
    figures.push(Figure::ratio(CPU, workers, cpu_goal, cpu, bare_cpu));
    if workers == 100 {
        let name = "CPU per worker and round, in all";
        figures.push(Figure::number(name, workers, Unit::Seconds, Some(15e-6), cpu, ""));
    }
    figures.push(faults(workers, blocks));
    figures
}

/// Rounds that did not end complete, replies that came late, and workers that were not fresh.
fn faults(workers: u32, blocks: &[Block]) -> Figure {
    let sum = |count: &dyn Fn(&Scrape) -> f64| -> f64 {
        let counted = blocks
            .iter()
            .map(|block| count(&block.after) - count(&block.before));
        counted.sum()
    };
    let rounds = sum(&Scrape::all_rounds);
    let complete = sum(&|page| page.rounds.get("complete").copied().unwrap_or_default());
    let late = sum(&|page| page.replies.get("late").copied().unwrap_or_default());
    let missing: f64 = blocks
        .iter()
        .map(|block| (f64::from(workers) - block.after.fresh).max(0.0))
        .sum();
    let detail = format!("{complete} of {rounds} rounds complete, {late} late, {missing} not fresh");
    let value = rounds - complete + late + missing;
    Figure::number("faults", workers, Unit::Count, Some(0.0), value, detail)
}

fn of_pages(session: &Session<'_>, blocks: &[Block]) -> Result<Vec<Figure>> {
    let workers = session.workers;
    let goal = |at_10_000: f64, at_100_000: f64| match workers {
        10_000 => Some(at_10_000),
        100_000 => Some(at_100_000),
        _ => None,
    };
    let size = blocks.last().map_or(0, |block| block.page_size);
    let size = format!("{} without compression", megabytes(size as f64));
    let (first, next) = (of(blocks, |b| b.first_page), of(blocks, |b| b.next_page));
    // A page is kept until the next snapshot.
    session.wait(PAGE_KEPT)?;
    let memory = session.memory()?;
    let peak = format!("peak {}", megabytes(memory.peak as f64));
    let resident = memory.resident as f64;
    Ok(vec![
        Figure::number("RSS", workers, Unit::Bytes, goal(50e6, 400e6), resident, peak),
        Figure::number(
            "first page of a snapshot",
            workers,
            Unit::Seconds,
            goal(0.03, 0.3),
            first,
            size,
        ),
        Figure::number("repeated page", workers, Unit::Seconds, None, next, ""),
    ])
}

fn of(blocks: &[Block], value: impl Fn(&Block) -> f64) -> f64 {
    median(blocks.iter().map(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(round: f64, complete: f64, late: f64) -> Block {
        let page = |complete: f64, late: f64| Scrape {
            fresh: 1_000.0,
            rounds: [("complete".to_owned(), complete), ("stall".to_owned(), 1.0)].into(),
            replies: [("late".to_owned(), late)].into(),
            ..Scrape::default()
        };
        Block {
            round,
            bare_round: 0.005,
            cpu: 0.01,
            bare_cpu: 0.002,
            first_page: 0.1,
            next_page: 0.1,
            page_size: 1,
            before: page(1.0, 7.0),
            after: page(1.0 + complete, 7.0 + late),
        }
    }

    #[test]
    fn ratios_are_of_the_medians_of_the_blocks() {
        let blocks = [
            block(0.006, 4.0, 0.0),
            block(0.9, 4.0, 0.0),
            block(0.007, 4.0, 0.0),
        ];
        let figures = of_rounds(1_000, &blocks);
        let details: Vec<_> = figures
            .iter()
            .map(|figure| figure.outcome.clone().unwrap().detail)
            .collect();
        assert_eq!(
            details,
            [
                "7.00 ms ÷ 5.00 ms",
                "10.0 µs ÷ 2.00 µs",
                "12 of 12 rounds complete, 0 late, 0 not fresh"
            ]
        );
    }

    #[test]
    fn what_happened_before_the_blocks_is_no_fault_and_what_happens_in_them_is() {
        let value = |blocks: &[Block]| faults(1_000, blocks).outcome.unwrap().value;
        assert_eq!(value(&[block(0.006, 4.0, 0.0)]), 0.0);
        assert_eq!(value(&[block(0.006, 4.0, 2.0), block(0.006, 4.0, 1.0)]), 3.0);
        let mut short = block(0.006, 4.0, 0.0);
        short.after.fresh = 998.0;
        assert_eq!(value(&[short]), 2.0);
    }
}
