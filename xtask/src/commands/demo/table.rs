//! A line for each worker and the queue of the pool over time, drawn in place on a terminal and printed now and then elsewhere.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::page::{Load, View};
use super::sparkline::Sparkline;
use super::total::Total;

/// More lines than this do not fit on a screen.
const MOST: usize = 20;

#[derive(Debug)]
pub(crate) struct Table {
    terminal: bool,
    /// How many lines stand on the terminal already.
    drawn: usize,
    shown: Option<Instant>,
    /// How many requests waited at each look.
    queue: Sparkline,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            terminal: stdout().is_terminal(),
            drawn: 0,
            shown: None,
            queue: Sparkline::default(),
        }
    }

    /// Whether it is time to show the table again.
    pub(crate) fn is_due(&self) -> bool {
        let pause = if self.terminal {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(5)
        };
        self.shown.is_none_or(|shown| shown.elapsed() >= pause)
    }

    pub(crate) fn show(&mut self, view: &View) -> Result<()> {
        self.shown = Some(Instant::now());
        let total = Total::of(view);
        self.queue.push(total.waiting);
        let table = render(view, &total, &self.queue);
        let mut out = stdout().lock();
        if self.terminal && self.drawn > 0 {
            // Up to the first line of the old table, and clear from there.
            write!(out, "\x1b[{}A\x1b[J", self.drawn).context("failed to write the table")?;
        }
        let end = if self.terminal { "" } else { "\n" };
        write!(out, "{table}{end}")
            .and_then(|()| out.flush())
            .context("failed to write the table")?;
        self.drawn = table.lines().count();
        Ok(())
    }

    /// What was seen of the queue, in a line; `None` when nothing was.
    pub(crate) fn summary(&self) -> Option<String> {
        let (largest, last) = self.queue.largest().zip(self.queue.last())?;
        Some(format!("waiting: {largest} at most, {last} at the last look"))
    }
}

fn render(view: &View, total: &Total, queue: &Sparkline) -> String {
    let mut table = format!(
        "{:<20} {:>9} {:>8} {:>13}\n",
        "worker", "slots", "waiting", "KV blocks"
    );
    for (id, load) in view.workers.iter().take(MOST) {
        let Load {
            slots_active,
            slots_capacity,
            waiting,
            blocks_active,
            blocks_capacity,
        } = load;
        let slots = of(*slots_active, *slots_capacity);
        let blocks = of(*blocks_active, *blocks_capacity);
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{id:<20} {slots:>9} {:>8} {blocks:>13}", number(*waiting));
    }
    let more = view.workers.len().saturating_sub(MOST);
    let _ = match more {
        0 => writeln!(table, "{} fresh", view.fresh),
        more => writeln!(table, "{} fresh, of which {more} are not shown", view.fresh),
    };
    let _ = writeln!(
        table,
        "pool: {} running, {} waiting ({} at most), KV use {}",
        number(total.running),
        number(total.waiting),
        number(queue.largest()),
        percent(total.kv_use)
    );
    let _ = writeln!(table, "waiting {queue}");
    table
}

fn of(active: Option<f64>, capacity: Option<f64>) -> String {
    format!("{}/{}", number(active), number(capacity))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(active: f64) -> Load {
        Load {
            slots_active: Some(active),
            slots_capacity: Some(64.0),
            waiting: Some(0.0),
            blocks_active: Some(1034.0),
            blocks_capacity: None,
        }
    }

    fn drawn(view: &View, queue: &[f64]) -> String {
        let mut sparkline = Sparkline::default();
        queue.iter().for_each(|waiting| sparkline.push(Some(*waiting)));
        render(view, &Total::of(view), &sparkline)
    }

    #[test]
    fn every_worker_has_a_line_and_what_is_unknown_is_a_dash() {
        let view = View {
            fresh: 1.0,
            workers: [(8_041_234_567_890_123_456, load(12.0))].into(),
            ..View::default()
        };
        let expected = "\
worker                   slots  waiting     KV blocks
8041234567890123456      12/64        0        1034/-
1 fresh
pool: 12 running, 0 waiting (0 at most), KV use -
waiting ▁
";
        assert_eq!(drawn(&view, &[0.0]), expected);
    }

    #[test]
    fn a_large_fleet_stays_on_the_screen() {
        let workers = (0..50).map(|id| (id, load(1.0))).collect();
        let view = View {
            fresh: 50.0,
            workers,
            ..View::default()
        };
        let table = drawn(&view, &[]);
        assert_eq!(table.lines().count(), MOST + 4);
        assert!(table.contains("50 fresh, of which 30 are not shown\n"), "{table}");
    }

    #[test]
    fn the_queue_is_seen_to_rise_and_fall() {
        let table = drawn(&View::default(), &[0.0, 4.0, 14.0, 7.0, 0.0]);
        assert!(table.contains("(14 at most)"), "{table}");
        assert!(table.ends_with("waiting ▁▃█▅▁\n"), "{table}");
    }

    #[test]
    fn the_summary_tells_the_largest_and_the_last_queue() {
        let mut table = Table::new();
        assert_eq!(table.summary(), None);
        for waiting in [0.0, 37.0, 2.0] {
            table.queue.push(Some(waiting));
        }
        let expected = "waiting: 37 at most, 2 at the last look";
        assert_eq!(table.summary().as_deref(), Some(expected));
    }

    #[test]
    fn the_use_of_the_cache_is_in_percent() {
        assert_eq!(percent(Some(0.05859)), "5.9 %");
        assert_eq!(percent(None), "-");
    }
}
