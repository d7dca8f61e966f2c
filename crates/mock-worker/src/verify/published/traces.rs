//! [`Traces`]: the ends of requests, and whether the histograms of a pool have them.

use std::collections::BTreeMap;

use protocol::events::RequestTrace;

use super::super::fields::show;
use super::super::shown::{Pool, Shown};
use super::worker::{Worker, candidates};
use super::{Histogram, Kind, Report, Sent, difference, labels_of, same};
use crate::page::Page;

/// A histogram of requests, and its value of one.
type Family = (&'static str, fn(&RequestTrace) -> Option<f64>);

/// The first is one that every record has.
const FAMILIES: [Family; 8] = [
    ("llm_request_output_tokens", |trace| {
        trace.output_tokens.map(|tokens| tokens as f64)
    }),
    ("llm_request_input_tokens", |trace| {
        trace.input_tokens.map(|tokens| tokens as f64)
    }),
    ("llm_request_ttft_seconds", |trace| trace.ttft),
    ("llm_request_itl_seconds", |trace| trace.avg_itl),
    ("llm_request_duration_seconds", |trace| trace.total),
    ("llm_request_prefill_wait_seconds", |trace| trace.prefill_wait),
    ("llm_request_prefill_seconds", |trace| trace.prefill),
    ("llm_request_kv_transfer_seconds", |trace| trace.kv_transfer),
];

const CACHED: &str = "llm_request_cached_tokens_total";
const QUEUE: &str = "llm_router_queue_depth";

/// The ends of requests, in their order.
#[derive(Debug, Default)]
pub(super) struct Traces {
    all: Vec<(Sent, RequestTrace)>,
}

/// A series that is not what it should be.
type Odd = (String, f64, Option<f64>);

impl Traces {
    pub(super) fn take(&mut self, sent: Sent, trace: RequestTrace) {
        // Without a worker, no collector knows whose it is.
        if trace.decode_worker.is_some() {
            self.all.push((sent, trace));
        }
    }

    pub(super) fn finish(
        &self,
        page: &Page,
        shown: &Shown<'_>,
        workers: &BTreeMap<String, Worker>,
        report: &mut Report,
    ) {
        if self.all.is_empty() {
            return;
        }
        let mut pools: Vec<Pool<'_>> = Vec::new();
        for worker in &shown.workers {
            if workers.contains_key(worker.id) && !pools.contains(&worker.pool) {
                pools.push(worker.pool);
            }
        }
        for pool in pools {
            let ends = candidates(&self.all, |(sent, _)| *sent, shown.newest());
            let mut best: Option<(usize, Vec<Odd>)> = None;
            // One more than the last: nothing may have been heard yet.
            for end in (ends.start..=ends.end).rev() {
                let odd = self.explain(end, page, pool);
                if best.as_ref().is_none_or(|(_, best)| odd.len() < best.len()) {
                    best = Some((end, odd));
                }
                if best.as_ref().is_some_and(|(_, odd)| odd.is_empty()) {
                    break;
                }
            }
            report.fields += FAMILIES.len() + 2;
            let (end, odd) = best.unwrap_or_default();
            let line = end.checked_sub(1).map(|last| self.all[last].0.line);
            for (series, truth, value) in odd {
                let field = format!("{series} of {}", pool.join("/"));
                let (truth, value) = (truth.to_string(), show(value));
                report.add(difference(Kind::Page, None, &field, truth, value, line));
            }
        }
    }

    /// What of a pool's histograms the records before `end` do not explain.
    fn explain(&self, end: usize, page: &Page, pool: Pool<'_>) -> Vec<Odd> {
        let labels = labels_of(pool);
        let value = |metric: &str| page.samples(metric, &labels).next().map(|sample| sample.value);
        let counted = value(&format!("{}_count", FAMILIES[0].0)).unwrap_or(0.0) as usize;
        let begin = end.saturating_sub(counted);
        let heard = || self.all[begin..end].iter().map(|(_, trace)| trace);
        let mut odd: Vec<Odd> = Vec::new();
        for (metric, of_trace) in FAMILIES {
            let histogram = Histogram::of(heard().filter_map(of_trace));
            odd.extend(histogram.differing(page, pool, metric));
        }
        let cached: u64 = heard().filter_map(|trace| trace.cached_tokens).sum();
        let page_cached = value(CACHED);
        if !page_cached.map_or(cached == 0, |page| same(page, cached as f64)) {
            odd.push((CACHED.to_owned(), cached as f64, page_cached));
        }
        let depth = heard().filter_map(|trace| trace.queue_depth).next_back();
        if let (Some(depth), Some(page)) = (depth, value(QUEUE))
            && !same(page, depth as f64)
        {
            odd.push((QUEUE.to_owned(), depth as f64, Some(page)));
        }
        odd
    }
}
