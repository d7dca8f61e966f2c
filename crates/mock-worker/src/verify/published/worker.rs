//! [`Worker`]: what one worker published, and whether a page shows it.

use protocol::events::{ForwardPass, Topic};

use super::super::fields::{FIELDS, show};
use super::super::shown::{LAST_EVENT, Pool, ShownWorker};
use super::{Histogram, Kind, RECENT, Report, SLACK, Sent, WINDOW, difference, labels_of, same};
use crate::page::Page;

/// Places in [`FIELDS`] of what a pass and a load say.
const RUNNING: usize = 0;
const WAITING: usize = 2;
const BLOCKS: usize = 3;

/// What one worker published, in its order.
#[derive(Debug, Default)]
pub(super) struct Worker {
    passes: Vec<Pass>,
    loads: Vec<(Sent, Option<u64>)>,
    estimates: Vec<(Sent, u64)>,
}

/// A pass or heartbeat that was sent, and all up to it.
#[derive(Debug)]
struct Pass {
    sent: Sent,
    pass: ForwardPass,
    /// The place of the last pass that was no heartbeat.
    frame: Option<usize>,
    total: Total,
}

/// Sums over passes.
#[derive(Debug, Clone, Copy, Default)]
struct Total {
    passes: u64,
    seconds: f64,
    prompt_tokens: u64,
    decode_steps: u64,
    /// Messages that were lost before one that was sent.
    lost: u64,
}

/// What a page shows of one worker's messages.
pub(super) struct Series<'a> {
    page: &'a Page,
    pool: Pool<'a>,
    id: &'a str,
    looked: Option<f64>,
}

/// The gauges of a pass: metric, phase, value.
type Gauge = (&'static str, Option<&'static str>, fn(&ForwardPass) -> f64);

const GAUGES: [Gauge; 8] = [
    ("llm_worker_requests_running", Some("prefill"), |pass| {
        pass.scheduled.prefill_requests as f64
    }),
    ("llm_worker_requests_running", Some("decode"), |pass| {
        pass.scheduled.decode_requests as f64
    }),
    ("llm_worker_requests_queued", Some("prefill"), |pass| {
        pass.queued.prefill_requests as f64
    }),
    ("llm_worker_requests_queued", Some("decode"), |pass| {
        pass.queued.decode_requests as f64
    }),
    ("llm_worker_queued_tokens", Some("prefill"), |pass| {
        pass.queued.prefill_tokens as f64
    }),
    ("llm_worker_queued_tokens", Some("decode"), |pass| {
        pass.queued.decode_kv_tokens as f64
    }),
    ("llm_worker_decode_context_tokens", None, |pass| {
        pass.scheduled.decode_kv_tokens as f64
    }),
    ("llm_worker_decode_context_stddev_tokens", None, |pass| {
        pass.scheduled.decode_kv_variance.sqrt()
    }),
];

/// A field that a pass says too: its place in [`FIELDS`], and its value.
type Sum = (usize, fn(&ForwardPass) -> f64);

const SUMS: [Sum; 2] = [
    (RUNNING, |pass| {
        (pass.scheduled.prefill_requests + pass.scheduled.decode_requests) as f64
    }),
    (WAITING, |pass| {
        (pass.queued.prefill_requests + pass.queued.decode_requests) as f64
    }),
];

/// A counter of passes: metric and value.
type Counter = (&'static str, fn(&Total) -> f64);

const COUNTERS: [Counter; 4] = [
    ("llm_worker_forward_passes_total", |total| total.passes as f64),
    ("llm_worker_forward_pass_seconds_total", |total| total.seconds),
    ("llm_worker_prefill_tokens_total", |total| {
        total.prompt_tokens as f64
    }),
    ("llm_worker_decode_steps_total", |total| total.decode_steps as f64),
];

/// A value of the page that is not what it should be.
struct Odd {
    field: String,
    truth: String,
    page: Option<f64>,
}

impl Worker {
    pub(super) fn take_pass(&mut self, sent: Sent, pass: &ForwardPass, is_lost: bool) {
        let before = self.passes.last();
        let mut total = before.map_or_else(Total::default, |before| before.total);
        if is_lost {
            return;
        }
        let at = self.passes.len();
        // A counter that falls is that of a new process.
        let expected = before.map_or(pass.counter_id, |before| before.pass.counter_id + 1);
        total.lost += pass.counter_id.saturating_sub(expected);
        let mut frame = before.and_then(|before| before.frame);
        if !pass.is_heartbeat() {
            frame = Some(at);
            total.passes += 1;
            total.seconds += pass.wall_time;
            total.prompt_tokens += pass.scheduled.prefill_tokens;
            total.decode_steps += pass.scheduled.decode_requests;
        }
        self.passes.push(Pass {
            sent,
            pass: *pass,
            frame,
            total,
        });
    }

    pub(super) fn take_load(&mut self, sent: Sent, blocks: Option<u64>) {
        self.loads.push((sent, blocks));
    }

    pub(super) fn take_estimate(&mut self, sent: Sent, tokens: u64) {
        self.estimates.push((sent, tokens));
    }

    pub(super) fn has_passes(&self) -> bool {
        !self.passes.is_empty()
    }

    /// Its last message.
    pub(super) fn last(&self) -> Option<Sent> {
        let passes = self.passes.last().map(|pass| pass.sent);
        let loads = self.loads.last().map(|(sent, _)| *sent);
        passes
            .into_iter()
            .chain(loads)
            .max_by(|a, b| a.unix.total_cmp(&b.unix))
    }

    /// Whether a page of this time must show it: it has published for a while, and still did shortly before.
    pub(super) fn must_be_shown(&self, looked: Option<f64>) -> bool {
        let Some(looked) = looked else { return false };
        let recent = |sent: &Sent| (looked - RECENT..looked - WINDOW).contains(&sent.unix);
        let passes = self.passes.iter().map(|pass| &pass.sent);
        passes.chain(self.loads.iter().map(|(sent, _)| sent)).any(recent)
    }

    /// Holds the page against it. Returns the lengths of the passes that the page has counted, where they explain it.
    pub(super) fn compare(
        &self,
        series: &Series<'_>,
        shown: &ShownWorker<'_>,
        has_replied: bool,
        report: &mut Report,
    ) -> Option<Histogram> {
        // One whose replies have a load is compared with these, and counted there.
        if !has_replied {
            report.workers += 1;
            self.compare_blocks(series, shown, report);
        }
        self.compare_estimate(series, report);
        if self.passes.is_empty() {
            return None;
        }
        let (times, seen) = (|pass: &Pass| pass.sent, series.seen(Topic::ForwardPass));
        let ends = candidates(&self.passes, times, seen);
        let mut best: Option<(usize, usize, Vec<Odd>)> = None;
        for end in ends.rev() {
            let (begin, odd) = self.explain(end, series, shown);
            let is_better = best.as_ref().is_none_or(|(_, _, best)| odd.len() < best.len());
            if is_better {
                best = Some((begin, end, odd));
            }
            if best.as_ref().is_some_and(|(_, _, odd)| odd.is_empty()) {
                break;
            }
        }
        report.fields += GAUGES.len() + SUMS.len() + COUNTERS.len() + 1;
        let Some((begin, end, odd)) = best else {
            let seen = "heard before it was sent".to_owned();
            let id = Some(series.id);
            let truth = "no forward pass until then".to_owned();
            report.add(difference(Kind::Page, id, "forward passes", truth, seen, None));
            return None;
        };
        let is_explained = odd.is_empty();
        let line = Some(self.passes[end].sent.line);
        for odd in odd {
            let Odd { field, truth, page } = odd;
            report.add(difference(
                Kind::Page,
                Some(series.id),
                &field,
                truth,
                show(page),
                line,
            ));
        }
        let counted = self.passes[begin..=end]
            .iter()
            .filter(|pass| !pass.pass.is_heartbeat());
        is_explained.then(|| Histogram::of(counted.map(|pass| pass.pass.wall_time)))
    }

    /// What of the page the messages up to `end` do not explain, and with which one the collector began.
    fn explain(&self, end: usize, series: &Series<'_>, shown: &ShownWorker<'_>) -> (usize, Vec<Odd>) {
        let last = &self.passes[end];
        let mut odd = self.odd_gauges(end, series, shown);
        let counted = series.value(COUNTERS[0].0, None);
        let before = counted.map(|counted| last.total.passes as f64 - counted);
        // It began behind the pass up to which there were so many that it did not count.
        let begin = self
            .passes
            .iter()
            .position(|pass| before.is_none_or(|before| pass.total.passes as f64 > before));
        let begin = begin.unwrap_or(end);
        let uncounted = match begin {
            0 => Total::default(),
            begin => self.passes[begin - 1].total,
        };
        for (metric, value) in COUNTERS {
            let expected = value(&last.total) - value(&uncounted);
            let page = series.value(metric, None);
            if !page.map_or(last.total.passes == 0, |page| same(page, expected)) {
                odd.push(Odd {
                    field: metric.to_owned(),
                    truth: expected.to_string(),
                    page,
                });
            }
        }
        let first_lost = self.passes[begin].total.lost;
        let lost = (last.total.lost - first_lost) as f64;
        let most = last.total.lost as f64;
        let metric = "llm_worker_messages_lost_total";
        let page = series.value(metric, Some(("topic", Topic::ForwardPass.as_str())));
        // Heartbeats before the first pass that was counted may have been heard too.
        if !(lost..=most).contains(&page.unwrap_or(0.0)) {
            odd.push(Odd {
                field: metric.to_owned(),
                truth: lost.to_string(),
                page,
            });
        }
        (begin, odd)
    }

    /// Gauges are those of the last pass, or zero where only heartbeats have come since; a worker that is stale has none.
    fn odd_gauges(&self, end: usize, series: &Series<'_>, shown: &ShownWorker<'_>) -> Vec<Odd> {
        let last = &self.passes[end];
        let frame = last.frame.map(|frame| self.passes[frame].pass);
        let of_pass = |pass: Option<&ForwardPass>| {
            let mut odd = Vec::new();
            let mut check = |field: String, expected: Option<f64>, page: Option<f64>| {
                let is_right = match (expected, page) {
                    (Some(expected), Some(page)) => same(expected, page),
                    (expected, page) => expected == page,
                };
                if !is_right {
                    odd.push(Odd {
                        field,
                        truth: show(expected),
                        page,
                    });
                }
            };
            for (metric, phase, value) in GAUGES {
                let field = phase.map_or_else(|| metric.to_owned(), |phase| format!("{metric} of {phase}"));
                let page = series.value(metric, phase.map(|phase| ("phase", phase)));
                check(field, pass.map(value), page);
            }
            for (place, value) in SUMS {
                check(
                    FIELDS[place].metric.to_owned(),
                    pass.map(value),
                    shown.values[place],
                );
            }
            odd
        };
        let idle = ForwardPass {
            scheduled: Default::default(),
            queued: Default::default(),
            ..last.pass
        };
        // Before its first pass, a worker may show zeros or nothing.
        let mut possible = vec![of_pass(frame.as_ref())];
        if last.pass.is_heartbeat() {
            possible.push(of_pass(Some(&idle)));
        }
        let is_stale = series
            .looked
            .is_none_or(|looked| last.sent.unix < looked - RECENT);
        if is_stale {
            possible.push(of_pass(None));
        }
        possible.into_iter().min_by_key(Vec::len).unwrap_or_default()
    }

    fn compare_blocks(&self, series: &Series<'_>, shown: &ShownWorker<'_>, report: &mut Report) {
        let seen = series.seen(Topic::KvMetrics);
        let ends = candidates(&self.loads, |(sent, _)| *sent, seen);
        let Some(latest) = ends.clone().next_back() else {
            return;
        };
        report.fields += 1;
        let page = shown.values[BLOCKS];
        let value = |at: usize| self.loads[at].1.map(|blocks| blocks as f64);
        // A load is published when it changes, and has an age after which it is not shown.
        let is_old = series
            .looked
            .is_some_and(|looked| self.loads[latest].0.unix < looked - RECENT);
        let is_right = ends.clone().any(|at| value(at) == page) || page.is_none() && is_old;
        if !is_right {
            let truth = show(value(latest));
            let line = Some(self.loads[latest].0.line);
            let metric = FIELDS[BLOCKS].metric;
            report.add(difference(
                Kind::Page,
                Some(series.id),
                metric,
                truth,
                show(page),
                line,
            ));
        }
    }

    fn compare_estimate(&self, series: &Series<'_>, report: &mut Report) {
        let metric = "llm_worker_prefill_load_tokens";
        let ends = candidates(&self.estimates, |(sent, _)| *sent, series.looked);
        let Some(latest) = ends.clone().next_back() else {
            return;
        };
        report.fields += 1;
        let page = series.value(metric, None);
        let value = |at: usize| Some(self.estimates[at].1 as f64);
        // An estimate has an age, after which it is not shown.
        if page.is_some() && !ends.clone().any(|at| value(at) == page) {
            let (truth, line) = (show(value(latest)), Some(self.estimates[latest].0.line));
            report.add(difference(
                Kind::Page,
                Some(series.id),
                metric,
                truth,
                show(page),
                line,
            ));
        }
    }
}

impl<'a> Series<'a> {
    pub(super) fn read(page: &'a Page, pool: Pool<'a>, id: &'a str, looked: Option<f64>) -> Self {
        Self {
            page,
            pool,
            id,
            looked,
        }
    }

    /// The sample of a metric with a further label, if any.
    fn value(&self, metric: &str, further: Option<(&str, &str)>) -> Option<f64> {
        let mut labels = labels_of(self.pool).to_vec();
        labels.push(("worker_id", self.id));
        labels.extend(further);
        self.page
            .samples(metric, &labels)
            .next()
            .map(|sample| sample.value)
    }

    /// When the last message of a topic was heard, or else when the page was made.
    fn seen(&self, topic: Topic) -> Option<f64> {
        self.value(LAST_EVENT, Some(("topic", topic.as_str())))
            .or(self.looked)
    }
}

/// The messages of which each may be the last that was heard at a time: those that were sent shortly before, and of older
/// ones the last.
pub(super) fn candidates<T>(
    messages: &[T],
    sent: impl Fn(&T) -> Sent,
    seen: Option<f64>,
) -> std::ops::Range<usize> {
    let seen = seen.unwrap_or(f64::INFINITY);
    let end = messages.partition_point(|message| sent(message).unix <= seen + SLACK);
    let begin = messages.partition_point(|message| sent(message).unix < seen - WINDOW);
    begin.min(end.saturating_sub(1))..end
}
