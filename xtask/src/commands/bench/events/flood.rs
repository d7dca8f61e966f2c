//! Events of one kind at a fixed rate: what the collector uses for them, next to a subscriber that only counts them, and
//! what its page shows of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::super::figure::{Figure, Unit, median, thousands};
use super::super::page::Series;
use super::listener::{Listener, source};
use super::{Plan, WORKERS};

const READY: Duration = Duration::from_secs(10);
/// How long the collector may take to count what it has received.
const SETTLE: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What the page is compared in.
const SUMS: usize = 7;

/// Events of one kind.
#[derive(Debug)]
pub(super) struct Flood {
    /// The names of the figures.
    pub(super) cpu: &'static str,
    lost: &'static str,
    wrong: &'static str,
    goal: f64,
    rate: u64,
    /// The command of the yardstick that publishes them, which is also what the subscriber calls them.
    kind: &'static str,
    /// What the page sums up, and the field of the yardstick's output that it should be; 0 where there is none. The
    /// first is the number of messages.
    sums: [(Series, Option<&'static str>); SUMS],
}

pub(super) const FORWARD_PASSES: Flood = Flood {
    cpu: "CPU with 50,000 forward passes a second",
    lost: "forward passes lost",
    wrong: "wrong sums of forward passes",
    goal: 2.5,
    rate: 50_000,
    kind: "passes",
    sums: [
        (
            with("llm_collector_events_total", "result", "ok"),
            Some("messages"),
        ),
        (all("llm_worker_forward_passes_total"), Some("passes")),
        (all("llm_forward_pass_seconds_count"), Some("passes")),
        (all("llm_worker_prefill_tokens_total"), Some("prefill_tokens")),
        (all("llm_worker_decode_steps_total"), Some("decode_steps")),
        (all("llm_collector_event_gaps_total"), None),
        (all("llm_worker_messages_lost_total"), None),
    ],
};

pub(super) const REQUESTS: Flood = Flood {
    cpu: "CPU with 10,000 requests a second",
    lost: "requests lost",
    wrong: "wrong sums of requests",
    goal: 3.0,
    rate: 10_000,
    kind: "requests",
    sums: [
        (
            with("llm_frontend_records_total", "result", "ok"),
            Some("messages"),
        ),
        (
            with("llm_frontend_requests_total", "joined", "yes"),
            Some("messages"),
        ),
        (
            with("llm_request_ttft_seconds_count", "role", "aggregated"),
            Some("messages"),
        ),
        (all("llm_request_input_tokens_sum"), Some("input_tokens")),
        (all("llm_request_output_tokens_sum"), Some("output_tokens")),
        (all("llm_request_cached_tokens_total"), Some("cached_tokens")),
        (with("llm_frontend_requests_total", "joined", "no"), None),
    ],
};

const fn all(name: &'static str) -> Series {
    Series { name, label: None }
}

const fn with(name: &'static str, label: &'static str, value: &'static str) -> Series {
    Series {
        name,
        label: Some((label, value)),
    }
}

/// What one run of a flood gave; CPU times are in seconds.
#[derive(Debug)]
struct Turn {
    used: f64,
    bare: f64,
    took: f64,
    lost: f64,
    /// The sums that differ, with what they should be.
    wrong: Vec<String>,
}

impl Flood {
    pub(super) fn measure(&self, listener: &Listener<'_>, plan: Plan) -> Result<Vec<Figure>> {
        let messages = self.rate * plan.seconds;
        let mut turns = Vec::new();
        for turn in 1..=plan.turns {
            let of = plan.turns;
            eprintln!(
                "xtask: {} {}: turn {turn} of {of} ...",
                thousands(messages),
                self.kind
            );
            turns.push(self.turn(listener, messages, plan)?);
        }
        Ok(self.figures(&turns, messages))
    }

    fn turn(&self, listener: &Listener<'_>, messages: u64, plan: Plan) -> Result<Turn> {
        let stage = listener.stage;
        let limit = Duration::from_secs(plan.seconds) * 3 + READY;
        let series = self.sums.map(|(series, _)| series);
        let before = listener.page.sums(&series)?;
        let count = messages.to_string();
        let mut subscriber = stage.yardstick(&["subscriber", "--of", self.kind, "--messages", &count])?;
        stage.ready(&mut subscriber, READY)?;
        let cpu = listener.cpu()?;
        let published = stage.finish(source(stage, self.kind, messages)?, limit);
        let published = published.context("failed to publish the events")?;
        let counted = stage.finish(subscriber, limit);
        let counted = counted.context("failed to run the bare subscriber")?;

        let settled = Instant::now();
        let (used, shown) = loop {
            listener.wait(LOOK)?;
            // Before the page is read, because that takes CPU time too.
            let used = listener.cpu()?.since(&cpu).as_secs_f64();
            let after = listener.page.sums(&series)?;
            let shown: [f64; SUMS] = std::array::from_fn(|at| after[at] - before[at]);
            if shown[0] >= messages as f64 || settled.elapsed() >= SETTLE {
                break (used, shown);
            }
        };
        let (Some(published), Some(bare)) = (published.last(), number(&counted, "cpu_seconds")) else {
            bail!("failed to understand what the yardsticks printed");
        };
        let lost = messages as f64 - number(&counted, "messages").unwrap_or_default();
        if lost > 0.0 {
            bail!("the bare subscriber has lost {lost} messages");
        }
        Ok(Turn {
            used,
            bare,
            took: published["seconds"].as_f64().unwrap_or_default(),
            lost: (messages as f64 - shown[0]).max(0.0),
            wrong: self.wrong(published, &shown),
        })
    }

    /// The sums of the page that differ from what was published.
    fn wrong(&self, published: &Value, shown: &[f64; SUMS]) -> Vec<String> {
        let sums = self.sums.iter().zip(shown);
        let wrong = sums.filter_map(|((series, field), shown)| {
            let expected = field.map_or(Some(0.0), |field| published[field].as_f64());
            (expected != Some(*shown)).then(|| {
                let expected = expected.map_or("an unknown number".to_owned(), |number| number.to_string());
                format!("{} is {shown} and not {expected}", series.name)
            })
        });
        wrong.collect()
    }

    fn figures(&self, turns: &[Turn], messages: u64) -> Vec<Figure> {
        let of = |value: fn(&Turn) -> f64| median(turns.iter().map(value));
        let in_all = messages * turns.len() as u64;
        let lost = turns.iter().map(|turn| turn.lost).sum();
        let detail = format!("of {} in {:.1} s each", thousands(messages), of(|turn| turn.took));
        let wrong: Vec<&String> = turns.iter().flat_map(|turn| &turn.wrong).collect();
        let first = match wrong.first() {
            Some(first) => (*first).clone(),
            None => format!("{SUMS} sums of the page, after {} messages", thousands(in_all)),
        };
        let goal = Some(self.goal);
        let (used, bare) = (of(|turn| turn.used), of(|turn| turn.bare));
        let count = |name, unit, value, detail| Figure::number(name, WORKERS, unit, Some(0.0), value, detail);
        vec![
            Figure::ratio(self.cpu, WORKERS, goal, used, bare),
            count(self.lost, Unit::Count, lost, detail),
            count(self.wrong, Unit::Mistakes, wrong.len() as f64, first),
        ]
    }
}

fn number(lines: &[Value], field: &str) -> Option<f64> {
    lines.last()?[field].as_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHOWN: [f64; SUMS] = [1_000.0, 500.0, 500.0, 77.0, 900.0, 0.0, 0.0];

    fn turn(used: f64, lost: f64, wrong: &[&str]) -> Turn {
        Turn {
            used,
            bare: 2.0,
            took: 20.0,
            lost,
            wrong: wrong.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn a_sum_that_differs_is_named_with_what_it_should_be() {
        let published = json!({"messages": 1000, "passes": 500, "prefill_tokens": 77, "decode_steps": 900});
        assert_eq!(FORWARD_PASSES.wrong(&published, &SHOWN), [""; 0]);
        let mut shown = SHOWN;
        (shown[3], shown[5]) = (78.0, 1.0);
        let expected = [
            "llm_worker_prefill_tokens_total is 78 and not 77",
            "llm_collector_event_gaps_total is 1 and not 0",
        ];
        assert_eq!(FORWARD_PASSES.wrong(&published, &shown), expected);
        let wrong = FORWARD_PASSES.wrong(&json!({}), &SHOWN);
        assert_eq!(
            wrong.len(),
            5,
            "what was not reported is not taken for right: {wrong:?}"
        );
    }

    #[test]
    fn ratios_are_of_medians_and_mistakes_of_any_turn_count() {
        let turns = [
            turn(4.0, 0.0, &[]),
            turn(90.0, 3.0, &["a is 1 and not 2", "b"]),
            turn(5.0, 0.0, &[]),
        ];
        let figures = FORWARD_PASSES.figures(&turns, 1_000_000);
        let cells: Vec<[String; 4]> = figures
            .iter()
            .map(|figure| {
                let [_, _, measured, _, result, from] = figure.cells();
                [figure.name.to_owned(), measured, result, from]
            })
            .collect();
        let expected = [
            [FORWARD_PASSES.cpu, "2.50", "ok", "5.00 s ÷ 2.00 s"],
            [FORWARD_PASSES.lost, "3", "missed", "of 1,000,000 in 20.0 s each"],
            [FORWARD_PASSES.wrong, "2", "missed", "a is 1 and not 2"],
        ];
        assert_eq!(cells, expected.map(|row| row.map(str::to_owned)));
    }
}
