//! A page held against what was published: counters and histograms exactly, gauges as of the last messages.
//!
//! A collector hears a worker's messages in the order of the truth, from the one at which it began to listen up to one
//! that was sent shortly before it looked. So there must be a stretch of them which explains all that the page shows.

mod histogram;
mod traces;
mod worker;

use std::collections::{BTreeMap, BTreeSet};

use protocol::codec::open;
use protocol::events::{ForwardPass, RequestTrace, Topic};
use protocol::{KvMetrics, LoadSource};

use super::report::{Difference, Kind, Report};
use super::shown::{Pool, Shown};
use crate::page::Page;
use crate::truth::Publication;
use histogram::Histogram;
use traces::Traces;
use worker::Worker;

/// How long before the page a message may have been sent that it does not know yet, in seconds.
const WINDOW: f64 = 2.0;

/// How much later than the page saw it a message may have been sent: clocks are read with some coarseness.
const SLACK: f64 = 0.001;

/// How much older than the page a worker's last message may be that the page still has to show, in seconds.
const RECENT: f64 = 3.0;

/// How far apart two sums may be that are the same: additions in another order.
const TOLERANCE: f64 = 1e-9;

/// What the truth has of messages.
pub(super) struct Messages<'a> {
    page: &'a Page,
    shown: &'a Shown<'a>,
    workers: BTreeMap<String, Worker>,
    traces: Traces,
    /// Workers that replied with a load: that is what the page shows then.
    replied: BTreeSet<String>,
    /// Lines that are no events as this program writes them.
    odd: Vec<(usize, String)>,
}

/// When and where something was published.
#[derive(Debug, Clone, Copy)]
struct Sent {
    line: usize,
    unix: f64,
}

impl<'a> Messages<'a> {
    pub(super) fn new(page: &'a Page, shown: &'a Shown<'a>) -> Self {
        Self {
            page,
            shown,
            workers: BTreeMap::new(),
            traces: Traces::default(),
            replied: BTreeSet::new(),
            odd: Vec::new(),
        }
    }

    /// Takes in that a worker replied with a load.
    pub(super) fn take_reply(&mut self, worker: &str) {
        if !self.replied.contains(worker) {
            self.replied.insert(worker.to_owned());
        }
    }

    /// Takes in a message.
    pub(super) fn take(&mut self, line: usize, published: &Publication) {
        let sent = Sent {
            line,
            unix: published.unix_seconds,
        };
        if let Err(why) = self.read(sent, published) {
            self.odd.push((line, why));
        }
    }

    fn read(&mut self, sent: Sent, published: &Publication) -> Result<(), String> {
        let event = published.event.to_string();
        let is_trace = published.topic == protocol::subject::REQUEST_TRACE;
        if is_trace {
            let trace = RequestTrace::read(event.as_bytes()).map_err(|error| error.to_string())?;
            if !published.lost {
                self.traces
                    .take(sent, trace.ok_or("it is not a request_end record")?);
            }
            return Ok(());
        }
        let opened = open(None, event.as_bytes()).map_err(|error| error.to_string())?;
        let worker = self.workers.entry(published.worker.clone()).or_default();
        match Topic::read(&published.topic) {
            Some(Topic::ForwardPass) => {
                let pass = ForwardPass::read(&opened).map_err(|error| error.to_string())?;
                worker.take_pass(sent, &pass, published.lost);
            }
            Some(Topic::KvMetrics) if !published.lost => {
                let load = KvMetrics::read(&opened).map_err(|error| error.to_string())?;
                match (load.source, load.active_prefill_tokens) {
                    (LoadSource::Router, Some(tokens)) => worker.take_estimate(sent, tokens),
                    _ => worker.take_load(sent, load.stats.kv_blocks_active()),
                }
            }
            Some(_) => {}
            None => return Err(format!("there is no topic {:?}", published.topic)),
        }
        Ok(())
    }

    /// Adds to the report what differs, and how much was compared.
    pub(super) fn finish(self, report: &mut Report) {
        for (line, why) in &self.odd {
            let event = "an event that can be read".to_owned();
            report.add(difference(
                Kind::Law,
                None,
                "event",
                event,
                why.clone(),
                Some(*line),
            ));
        }
        let looked = self.shown.newest();
        let mut pools: BTreeMap<Pool<'_>, Histogram> = BTreeMap::new();
        let mut unexplained = false;
        for (id, worker) in &self.workers {
            let shown = self.shown.workers.iter().filter(|shown| shown.id == id);
            let mut is_shown = false;
            for shown in shown {
                is_shown = true;
                let series = worker::Series::read(self.page, shown.pool, shown.id, looked);
                let has_replied = self.replied.contains(id);
                let comparison = worker.compare(&series, shown, has_replied, report);
                match comparison {
                    Some(histogram) => pools.entry(shown.pool).or_default().add(&histogram),
                    None => unexplained |= worker.has_passes(),
                }
            }
            if !is_shown {
                unexplained |= worker.has_passes();
                let seen = worker.last().filter(|_| worker.must_be_shown(looked));
                if let Some(last) = seen {
                    let id = Some(id.as_str());
                    let truth = "publishing".to_owned();
                    let absent = "absent".to_owned();
                    report.add(difference(
                        Kind::Page,
                        id,
                        "worker",
                        truth,
                        absent,
                        Some(last.line),
                    ));
                }
            }
        }
        if unexplained {
            let hint = "some workers that published forward passes are not explained by the page, so the histograms of \
                        their pools were left out";
            report.hints.push(hint.to_owned());
        } else {
            for (pool, histogram) in &pools {
                histogram.compare(self.page, *pool, "llm_forward_pass_seconds", report);
            }
        }
        self.traces.finish(self.page, self.shown, &self.workers, report);
    }

    /// Whether a worker published anything.
    pub(super) fn knows(&self, worker: &str) -> bool {
        self.workers.contains_key(worker)
    }
}

/// The labels of a pool.
fn labels_of<'a>([namespace, component, endpoint]: Pool<'a>) -> [(&'static str, &'a str); 3] {
    [
        ("dynamo_namespace", namespace),
        ("dynamo_component", component),
        ("dynamo_endpoint", endpoint),
    ]
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0)
}

fn difference(
    kind: Kind,
    worker: Option<&str>,
    field: &str,
    truth: String,
    page: String,
    line: Option<usize>,
) -> Difference {
    Difference {
        kind,
        worker: worker.map(str::to_owned),
        field: field.to_owned(),
        truth,
        page,
        line,
        file: None,
    }
}
