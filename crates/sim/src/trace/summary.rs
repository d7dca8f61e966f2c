//! [`Summary`]: what a trace is like, before it is played.

use serde::Serialize;

use super::{HitCurve, Reading, Trace};

/// Pieces of time over which the rate is shown.
const PIECES: u64 = 60;

/// What a trace is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How it was read.
    pub reading: Reading,
    /// Requests that are played, turns that follow others included.
    pub requests: u64,
    /// From the first request to the last one that has a time.
    pub span_seconds: f64,
    /// Requests a second over that span; `None` where all come at once.
    pub mean_rate: Option<f64>,
    /// Requests in each piece of the span, all of one length.
    pub requests_over_time: Vec<u64>,
    /// How long such a piece is.
    pub piece_seconds: f64,
    /// Tokens of prompts.
    pub input_tokens: Quantiles,
    /// Tokens of answers.
    pub output_tokens: Quantiles,
    /// Prompts whose first block an earlier prompt has, too.
    pub sharing_requests: u64,
    /// Blocks of all prompts.
    pub blocks: u64,
    /// Of these, those that differ.
    pub distinct_blocks: u64,
    /// The hit ratio of a cache that drops what was used longest ago, by its size; empty without blocks.
    pub cache: Vec<CacheSize>,
}

/// A cache and what it would have had.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CacheSize {
    /// How many blocks it holds; `None` without a limit.
    pub blocks: Option<u64>,
    /// The same in tokens.
    pub tokens: Option<u64>,
    /// Blocks that it had by blocks that were looked up, 0 to 1.
    pub hit_ratio: f64,
}

/// How some lengths are spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Quantiles {
    pub min: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
    pub mean: f64,
}

impl Summary {
    /// Describes a trace.
    pub fn of(trace: &Trace) -> Self {
        let timed = trace.requests();
        let span = timed.last().map_or(0, |request| request.at_ns);
        let span_seconds = span as f64 / 1e9;
        let mut requests_over_time = vec![0; PIECES as usize];
        for request in timed {
            let piece = u128::from(request.at_ns) * u128::from(PIECES) / u128::from(span.max(1));
            requests_over_time[(piece as usize).min(PIECES as usize - 1)] += 1;
        }
        let all = trace.all();
        let mut seen = std::collections::HashSet::new();
        let sharing = all
            .iter()
            .filter_map(|request| request.hash_ids.first())
            .filter(|id| !seen.insert(**id));
        let sharing_requests = sharing.count() as u64;
        let curve = HitCurve::of(trace);
        Self {
            reading: trace.reading().clone(),
            requests: all.len() as u64,
            span_seconds,
            mean_rate: (span > 0).then(|| timed.len() as f64 / span_seconds),
            requests_over_time,
            piece_seconds: span_seconds / PIECES as f64,
            input_tokens: Quantiles::of(all.iter().map(|request| request.input_tokens)),
            output_tokens: Quantiles::of(all.iter().map(|request| request.output_tokens)),
            sharing_requests,
            blocks: curve.lookups(),
            distinct_blocks: curve.distinct(),
            cache: sizes(&curve, trace.block_tokens()),
        }
    }
}

/// Caches of 100, 300, 1000, … blocks, as long as that is less than all, and one without a limit.
fn sizes(curve: &HitCurve, block_tokens: Option<u64>) -> Vec<CacheSize> {
    let steps = (2..18).flat_map(|power| [10_u64.pow(power), 3 * 10_u64.pow(power)]);
    let bounded = steps.take_while(|blocks| *blocks < curve.distinct()).map(Some);
    let size = |blocks: Option<u64>| {
        let hit_ratio = curve.hit_ratio(blocks.unwrap_or(u64::MAX))?;
        Some(CacheSize {
            blocks,
            tokens: blocks
                .zip(block_tokens)
                .map(|(blocks, tokens)| blocks.saturating_mul(tokens)),
            hit_ratio,
        })
    };
    bounded.chain([None]).filter_map(size).collect()
}

impl Quantiles {
    /// Of at least one length.
    fn of(lengths: impl Iterator<Item = u64>) -> Self {
        let mut lengths: Vec<u64> = lengths.collect();
        lengths.sort_unstable();
        let rank = |share: f64| {
            let place = libm::ceil(share * lengths.len() as f64) as usize;
            lengths[place.clamp(1, lengths.len()) - 1]
        };
        Self {
            min: lengths[0],
            p50: rank(0.5),
            p90: rank(0.9),
            p99: rank(0.99),
            max: lengths[lengths.len() - 1],
            mean: lengths.iter().map(|length| *length as f64).sum::<f64>() / lengths.len() as f64,
        }
    }
}
