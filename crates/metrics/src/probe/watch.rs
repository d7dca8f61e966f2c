//! `metrics list --watch`: the list again and again, as the fleet changes.

use std::io::stdout;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use program::output::offer_text;
use program::terminal;

use super::Looking;
use super::list::Report;
use crate::args::LookArgs;

/// Moves a terminal's cursor to its first place and clears what follows.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Prints every pool, and again after each interval: until it is interrupted, or stdout is no longer read. On a terminal
/// the new list replaces the one before; as JSON, each is one line.
///
/// # Errors
/// Where NATS cannot be reached or asked at first, or refuses this user later.
pub async fn watch(looking: &Looking, args: &LookArgs, interval: Duration) -> anyhow::Result<()> {
    let mut engine = looking.engine(&[], looking.rhythm(interval))?;
    engine.look(args.listen_for.min(interval)).await?;
    engine.has_asked()?;
    loop {
        let link = engine.link().clone();
        let (denials, grants) = (link.denials(), link.grants());
        let report = Report::new(&engine.inspect(None), (&denials, grants));
        let text = match args.json {
            true => serde_json::to_string(&report).context("failed to write JSON")? + "\n",
            false => block(&report, engine.link().is_connected()),
        };
        if !offer_text(&text)? {
            return Ok(());
        }
        engine.go_on(interval).await?;
    }
}

fn block(report: &Report, is_connected: bool) -> String {
    let time = humantime::format_rfc3339_seconds(SystemTime::now());
    let link = if is_connected {
        ""
    } else {
        "; the connection to NATS is lost"
    };
    let (before, after) = if terminal::has_cursor(&stdout()) {
        (CLEAR, "")
    } else {
        ("", "\n")
    };
    format!("{before}{time}  {}{link}\n{report}{after}", report.round())
}
