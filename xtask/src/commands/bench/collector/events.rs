//! A flood of hit-rate events, next to a subscriber that only counts them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Plan;
use super::figure::{Figure, Unit, thousands};
use super::session::Session;

pub(super) const NAME: &str = "CPU with 50,000 events a second";
const RATE: u64 = 50_000;
const READY: Duration = Duration::from_secs(10);
/// How long the collector may take to count what it has received.
const SETTLE: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// `idle` is the collector's CPU time in a second without events.
pub(super) fn measure(session: &Session<'_>, idle: f64, plan: &Plan) -> Result<Vec<Figure>> {
    let stage = session.stage;
    let messages = RATE * plan.event_seconds;
    eprintln!("xtask: {} events ...", thousands(messages));
    let (count, workers, rate) = (
        messages.to_string(),
        session.workers.to_string(),
        RATE.to_string(),
    );
    let limit = Duration::from_secs(plan.event_seconds) * 3 + READY;

    let counted_before = counted(session)?;
    let mut subscriber = stage.yardstick(&["subscriber", "--of", "hit-rates", "--messages", &count])?;
    stage.ready(&mut subscriber, READY)?;
    let (started, cpu) = (Instant::now(), session.cpu()?);
    let line = [
        "events",
        "--messages",
        &count,
        "--rate",
        &rate,
        "--workers",
        &workers,
    ];
    let source = stage.finish(stage.yardstick(&line)?, limit);
    let source = source.context("failed to publish the events")?;
    let subscriber = stage.finish(subscriber, limit);
    let subscriber = subscriber.context("failed to run the bare subscriber")?;

    let mut shown = 0.0;
    let mut used = 0.0;
    let settled = Instant::now();
    while settled.elapsed() < SETTLE {
        session.wait(LOOK)?;
        // Before the page is read, because that takes CPU time too.
        used = session.cpu()?.since(&cpu).as_secs_f64() - idle * started.elapsed().as_secs_f64();
        shown = counted(session)? - counted_before;
        if shown >= messages as f64 {
            break;
        }
    }
    let number =
        |lines: &[serde_json::Value], field: &str| lines.last().and_then(|line| line[field].as_f64());
    let (Some(took), Some(bare)) = (number(&source, "seconds"), number(&subscriber, "cpu_seconds")) else {
        bail!("failed to understand what the yardsticks printed");
    };
    let lost = messages as f64 - shown;
    let detail = format!("of {} in {took:.1} s", thousands(messages));
    Ok(vec![
        Figure::ratio(NAME, session.workers, Some(2.5), used, bare),
        Figure::number(
            "events lost",
            session.workers,
            Unit::Count,
            Some(0.0),
            lost.max(0.0),
            detail,
        ),
    ])
}

fn counted(session: &Session<'_>) -> Result<f64> {
    let page = session.page.scrape()?;
    Ok(page.events.get("ok").copied().unwrap_or_default())
}
