//! What frontends report of requests, for the pools of their workers and for all frontends together.

use fleet::{Frontends, Histogram, Measure, PoolView, RequestBooks, Role};

use super::catalogue as c;
use super::family::{Buckets, Family};
use super::labels::{Pool, Process, Text, Texts};
use super::shown::ShownPool;
use super::writer::Writer;

/// A measure and its families: a pool's, and that of all frontends.
type Measured = (
    Measure,
    &'static Family<Pool, 0, Buckets>,
    &'static Family<Process, 0, Buckets>,
);

/// Every measure but the time to the first token.
const MEASURES: [Measured; 7] = [
    (Measure::Itl, &c::ITL, &c::FRONTEND_ITL),
    (Measure::Duration, &c::REQUEST_TIME, &c::FRONTEND_REQUEST_TIME),
    (Measure::PrefillWait, &c::PREFILL_WAIT, &c::FRONTEND_PREFILL_WAIT),
    (Measure::Prefill, &c::PREFILL_TIME, &c::FRONTEND_PREFILL_TIME),
    (Measure::KvTransfer, &c::KV_TRANSFER, &c::FRONTEND_KV_TRANSFER),
    (Measure::InputTokens, &c::INPUT_TOKENS, &c::FRONTEND_INPUT_TOKENS),
    (
        Measure::OutputTokens,
        &c::OUTPUT_TOKENS,
        &c::FRONTEND_OUTPUT_TOKENS,
    ),
];

/// Writes the requests of each pool, where frontends report any.
pub(super) fn write(writer: &mut Writer, pools: &[ShownPool<'_>], labels: &Texts<Pool>) {
    let known = || {
        let pools = labels.iter().zip(pools.iter().map(|pool| pool.view));
        pools.filter_map(|(labels, pool)| Some((labels, pool.requests.as_deref()?)))
    };
    let mut samples = writer.family(&c::TTFT);
    for (labels, books) in known() {
        for (role, ttft) in Role::ALL.into_iter().zip(&books.ttft) {
            if ttft.count() > 0 {
                samples.histogram(labels, [role.as_str()], ttft);
            }
        }
    }
    for (measure, family, _) in MEASURES {
        let mut samples = writer.family(family);
        for (labels, books) in known() {
            let measured = &books.measures[measure as usize];
            if measured.count() > 0 {
                samples.histogram(labels, [], measured);
            }
        }
    }
    let mut samples = writer.family(&c::CACHED_TOKENS);
    for (labels, books) in known() {
        samples.write(labels, [], books.cached_tokens);
    }
    let mut samples = writer.family(&c::QUEUE_DEPTH);
    for (labels, books) in known() {
        if let Some(depth) = books.queue_depth {
            samples.write(labels, [], depth);
        }
    }
}

/// Writes what all frontends report, if any does.
pub(super) fn write_frontends(writer: &mut Writer, frontends: Option<&Frontends>) {
    let Some(frontends) = frontends else { return };
    let mut samples = writer.family(&c::FRONTEND_REQUESTS);
    for (joined, count) in [("yes", frontends.joined), ("no", frontends.unjoined)] {
        samples.write(Text::NONE, [joined], count);
    }
    let records = &frontends.records;
    let mut samples = writer.family(&c::FRONTEND_RECORDS);
    for (result, count) in [
        ("ok", records.ok - records.out_of_range),
        ("out_of_range", records.out_of_range),
        ("malformed", records.malformed),
        ("ignored", records.ignored),
        ("over_limit", records.over_limit),
    ] {
        samples.write(Text::NONE, [result], count);
    }
    let books = &frontends.books;
    let ttft = &books.ttft[Role::Aggregated as usize];
    if ttft.count() > 0 {
        writer.family(&c::FRONTEND_TTFT).histogram(Text::NONE, [], ttft);
    }
    for (measure, _, family) in MEASURES {
        let measured = &books.measures[measure as usize];
        if measured.count() > 0 {
            writer.family(family).histogram(Text::NONE, [], measured);
        }
    }
    writer
        .family(&c::FRONTEND_CACHED_TOKENS)
        .write(Text::NONE, [], books.cached_tokens);
    if let Some(depth) = books.queue_depth {
        writer
            .family(&c::FRONTEND_QUEUE_DEPTH)
            .write(Text::NONE, [], depth);
    }
}

/// The series of a pool's requests.
pub(super) fn series(pool: &PoolView) -> u64 {
    pool.requests.as_deref().map_or(0, series_of)
}

/// The series of all frontends together.
pub(super) fn frontend_series(frontends: Option<&Frontends>) -> u64 {
    frontends.map_or(0, |frontends| 2 + 5 + series_of(&frontends.books))
}

fn series_of(books: &RequestBooks) -> u64 {
    let histograms = books.ttft.iter().chain(&books.measures).map(histogram_series);
    histograms.sum::<u64>() + 1 + u64::from(books.queue_depth.is_some())
}

/// The series of a histogram, which is on the page once something has been observed.
pub(super) fn histogram_series(histogram: &Histogram) -> u64 {
    match histogram.count() {
        0 => 0,
        _ => histogram.counts.len() as u64 + 2,
    }
}
