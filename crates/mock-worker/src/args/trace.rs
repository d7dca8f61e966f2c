//! `trace`: what a trace is like, as text and as JSON.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use protocol::text::causes;
use sim::trace::{Quantiles, Reading, Summary};

use super::fleet::TraceArgs;
use crate::scenario::read_file;

/// Describes a trace before it is played: rows, rates, lengths, and what a prefix cache would find.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mock-worker trace conversation_trace.jsonl
  mock-worker trace qwen_traceA_blksz_16.jsonl.gz --json | jq .cache
  mock-worker trace converted.jsonl --trace-block-size 64")]
pub(super) struct DescribeArgs {
    /// The trace; it may be compressed by gzip
    file: PathBuf,

    #[command(flatten)]
    read_as: TraceArgs,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl DescribeArgs {
    pub(super) fn describe(&self) -> Result<String, String> {
        let trace = read_file(&self.file, &self.read_as.options()).map_err(|error| causes(error.as_ref()))?;
        let summary = Summary::of(&trace);
        match self.json {
            true => serde_json::to_string_pretty(&summary)
                .map(|json| json + "\n")
                .map_err(|error| format!("failed to write the summary: {error}")),
            false => Ok(text(&self.file.display().to_string(), &summary)),
        }
    }
}

/// How a trace is understood, and what is played otherwise than it is written.
pub(super) fn lines(reading: &Reading) -> Vec<String> {
    let mut lines = vec![reading.assumed()];
    lines.extend(reading.remarks());
    lines
}

fn text(name: &str, summary: &Summary) -> String {
    let mut text = format!("{name}\n");
    let mut line = |title: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {title:<9} {value}");
    };
    line("read as", summary.reading.assumed());
    for remark in summary.reading.remarks() {
        line("", remark);
    }
    let turns = match summary.reading.turns {
        0 => String::new(),
        turns => format!(", {turns} of them after the end of another one"),
    };
    line("requests", format!("{}{turns}", summary.requests));
    line("span", span(summary.span_seconds));
    let peak = summary.requests_over_time.iter().max().copied().unwrap_or(0);
    let rate = match summary.mean_rate {
        None => "all requests at once".to_owned(),
        Some(mean) => format!(
            "{mean:.2} a second on average, {:.2} in the busiest {}",
            peak as f64 / summary.piece_seconds,
            span(summary.piece_seconds),
        ),
    };
    line("rate", rate);
    line("", sparkline(&summary.requests_over_time));
    line("input", quantiles(&summary.input_tokens));
    line("output", quantiles(&summary.output_tokens));
    if summary.cache.is_empty() {
        line("sharing", "none is known, because no row has hash_ids".to_owned());
        return text;
    }
    line(
        "sharing",
        format!(
            "{:.1} % of prompts begin as an earlier one; {} blocks, {} of them distinct",
            100.0 * summary.sharing_requests as f64 / summary.requests as f64,
            summary.blocks,
            summary.distinct_blocks,
        ),
    );
    let _ = writeln!(text, "\n  LRU cache of blocks         tokens  hit rate");
    for size in &summary.cache {
        let or_all =
            |number: Option<u64>| number.map_or_else(|| "unlimited".to_owned(), |number| number.to_string());
        let hit = 100.0 * size.hit_ratio;
        let _ = writeln!(
            text,
            "  {:>19} {:>14} {hit:>7.1} %",
            or_all(size.blocks),
            or_all(size.tokens)
        );
    }
    text
}

fn span(seconds: f64) -> String {
    let rounded = match seconds {
        seconds if seconds >= 10.0 => seconds.round(),
        seconds => (seconds * 1000.0).round() / 1000.0,
    };
    sim::nanos::Nanos::from_seconds(rounded).to_string()
}

fn quantiles(lengths: &Quantiles) -> String {
    let Quantiles {
        min,
        p50,
        p90,
        p99,
        max,
        mean,
    } = lengths;
    format!("{mean:.0} tokens on average; least {min}, median {p50}, p90 {p90}, p99 {p99}, most {max}")
}

/// Numbers as bars; a piece without requests is a space.
fn sparkline(numbers: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = numbers.iter().max().copied().unwrap_or(0).max(1);
    let bar = |number: &u64| match *number {
        0 => ' ',
        number => BARS[((number * 8).div_ceil(most) - 1) as usize],
    };
    numbers.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::trace::{Trace, TraceOptions};

    fn described(rows: &str) -> String {
        let trace = Trace::parse(&TraceOptions::default(), rows).expect("it can be read");
        text("x.jsonl", &Summary::of(&trace))
    }

    #[test]
    fn a_trace_is_described_with_what_a_cache_would_find() {
        let row = |time: u64, first: u64| {
            format!(
                "{{\"timestamp\": {time}, \"input_length\": 1024, \"output_length\": 0, \"hash_ids\": [{first}, {}]}}\n",
                1000 + time
            )
        };
        let rows: String = (0..120).map(|n| row(n * 1000, n % 2)).collect();
        let expected = "\
x.jsonl
  read as   mooncake (detected), times in milliseconds (the format's), blocks of 512 tokens (the format's)
            120 rows with an answer of 0 tokens: played with 1, which the end of a prompt makes
  requests  120
  span      1m 59s
  rate      1.01 a second on average, 1.01 in the busiest 1s 983ms
            ████████████████████████████████████████████████████████████
  input     1024 tokens on average; least 1024, median 1024, p90 1024, p99 1024, most 1024
  output    1 tokens on average; least 1, median 1, p90 1, p99 1, most 1
  sharing   98.3 % of prompts begin as an earlier one; 240 blocks, 122 of them distinct

  LRU cache of blocks         tokens  hit rate
                  100          51200    49.2 %
            unlimited      unlimited    49.2 %
";
        assert_eq!(described(&rows), expected);
    }

    #[test]
    fn a_trace_without_blocks_and_of_one_moment_is_described_too() {
        let text = described("{\"timestamp\": 7, \"input_length\": 5, \"output_length\": 1}\n");
        for part in ["all requests at once", "no row has hash_ids", "span      0s"] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }

    #[test]
    fn bars_are_as_high_as_their_numbers() {
        assert_eq!(sparkline(&[0, 1, 4, 8]), " ▁▄█");
        assert_eq!(sparkline(&[0, 0]), "  ");
    }
}
