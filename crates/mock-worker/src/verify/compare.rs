//! A page held against the truth: for each worker, the record that the page should show.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{self, COUNT, FIELDS, Values, show};
use super::published::Messages;
use super::report::{Difference, Kind, Report};
use super::shown::{LAST_SEEN, Shown, ShownWorker};
use crate::truth::{Publication, Record};

/// How much later than the time when the page saw a worker its record may be: clocks are read with some coarseness.
const SLACK: f64 = 0.001;
/// How much older than the newest a record may be that the page still has to show, in seconds.
const RECENT: f64 = 5.0;
/// How far behind the page the truth may end, in seconds.
const STALE: f64 = 1.0;

/// What the truth has said so far that matters for the page; of a long truth, only the latest records are kept.
pub(super) struct Comparison<'a> {
    shown: &'a Shown<'a>,
    /// The latest time of a record that the page can know, in seconds of Unix time.
    horizon: f64,
    /// Places of shown workers by the id that a record has for them.
    by_id: BTreeMap<&'a str, Vec<usize>>,
    /// For each shown worker, the latest reply of each worker that bore its id.
    replies: Vec<BTreeMap<String, Reply>>,
    /// What the truth last said of each worker that the page can know.
    latest: BTreeMap<String, Latest>,
    /// All ids that a reply bore.
    known: BTreeSet<String>,
    /// The newest record at all, in seconds of Unix time.
    newest: Option<f64>,
    /// The newest record that the page can know, and its virtual time.
    time: Option<(f64, u64)>,
    records: usize,
}

/// A reply that the page may show.
struct Reply {
    line: usize,
    unix: f64,
    is_faulty: bool,
    truth: Values,
    /// `None` where what was sent is not known.
    sent: Option<Values>,
}

/// The last that the truth said of a worker.
struct Latest {
    line: usize,
    unix: Option<f64>,
    /// Whether a load was sent, without a fault.
    is_good: bool,
    /// Whether the one before was good, too. The first good reply of a worker may come when its round has ended, and
    /// is on the page only a moment later.
    was_good: bool,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(shown: &'a Shown<'a>) -> Self {
        let mut by_id: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, worker) in shown.workers.iter().enumerate() {
            by_id.entry(id_in_truth(worker.id)).or_default().push(place);
        }
        Self {
            shown,
            horizon: shown.newest().map_or(f64::INFINITY, |seen| seen + SLACK),
            by_id,
            replies: shown.workers.iter().map(|_| BTreeMap::new()).collect(),
            latest: BTreeMap::new(),
            known: BTreeSet::new(),
            newest: None,
            time: None,
            records: 0,
        }
    }

    /// Takes in a record.
    pub(super) fn take(&mut self, line: usize, record: &Record) {
        self.records += 1;
        let id = record.claimed.as_deref().unwrap_or(&record.worker);
        if !self.known.contains(id) {
            self.known.insert(id.to_owned());
        }
        if record.unix_seconds.is_none_or(|unix| unix <= self.horizon) {
            let was_good = self
                .latest
                .get(&record.worker)
                .is_some_and(|before| before.is_good);
            self.latest.insert(
                record.worker.clone(),
                Latest {
                    line,
                    unix: record.unix_seconds,
                    is_good: record.faults.is_empty() && record.sent.is_some(),
                    was_good,
                },
            );
        }
        let Some(unix) = record.unix_seconds else { return };
        self.newest = Some(self.newest.map_or(unix, |newest| newest.max(unix)));
        if unix <= self.horizon && self.time.is_none_or(|(newest, _)| newest <= unix) {
            self.time = Some((unix, record.time_ns));
        }
        for place in self.by_id.get(id).into_iter().flatten() {
            let seen = self.shown.workers[*place].last_seen;
            let replies = &mut self.replies[*place];
            let is_in_time = unix <= seen.map_or(self.horizon, |seen| seen + SLACK);
            if is_in_time && replies.get(&record.worker).is_none_or(|reply| reply.unix <= unix) {
                replies.insert(record.worker.clone(), Reply::new(line, unix, record));
            }
        }
    }

    /// Takes in whose message was published, and when.
    pub(super) fn take_published(&mut self, published: &Publication) {
        self.records += 1;
        if !self.known.contains(&published.worker) {
            self.known.insert(published.worker.clone());
        }
        let (unix, time_ns) = (published.unix_seconds, published.time_ns);
        self.newest = Some(self.newest.map_or(unix, |newest| newest.max(unix)));
        if unix <= self.horizon && self.time.is_none_or(|(newest, _)| newest <= unix) {
            self.time = Some((unix, time_ns));
        }
    }

    /// Adds to the report what differs, and how much was compared.
    pub(super) fn finish(self, messages: &Messages<'_>, report: &mut Report) {
        report.records = Some(self.records);
        report.time_ns = self.time.map(|(_, time)| time);
        for (worker, replies) in self.shown.workers.iter().zip(&self.replies) {
            if !self.known.contains(id_in_truth(worker.id)) {
                report.add(unknown(worker));
            } else if worker.has_load() && !(replies.is_empty() && messages.knows(worker.id)) {
                compare_worker(worker, replies, report);
            }
        }
        self.missing(report);
        self.hints(report);
    }

    /// Workers that the page has to show and does not.
    fn missing(&self, report: &mut Report) {
        let Some(newest) = self.shown.newest().or(self.newest) else {
            return;
        };
        let loads: BTreeSet<&str> = self
            .shown
            .workers
            .iter()
            .filter(|worker| worker.has_load())
            .map(|worker| worker.id)
            .collect();
        for (id, latest) in &self.latest {
            let is_recent = latest.unix.is_some_and(|unix| unix >= newest - RECENT);
            if latest.is_good && latest.was_good && is_recent && !loads.contains(id.as_str()) {
                report.add(difference(id, "load", "present", "absent", Some(latest.line)));
            }
        }
    }

    fn hints(&self, report: &mut Report) {
        let Some(newest) = self.newest else {
            let none = "no record of the truth has unix_seconds, so no record can be matched with the page: was it made \
                        by a simulation offline?";
            report.hints.push(none.to_owned());
            return;
        };
        if let Some(seen) = self.shown.newest()
            && seen > newest + STALE
        {
            report.hints.push(format!(
                "the truth file ends {:.1} s before the page (a stale copy?)",
                seen - newest
            ));
        }
    }
}

impl Reply {
    fn new(line: usize, unix: f64, record: &Record) -> Self {
        Self {
            line,
            unix,
            is_faulty: !record.faults.is_empty(),
            truth: fields::of_load(record.stats.as_ref()),
            sent: record.sent.as_ref().map(fields::of_data),
        }
    }

    /// The fields that differ, with what the truth has for them.
    fn differing(&self, shown: &Values) -> Vec<(usize, String)> {
        let sent = self.sent.unwrap_or([None; COUNT]);
        let mut differing = Vec::new();
        for (place, field) in FIELDS.iter().enumerate() {
            let (value, truth, sent) = (shown[place], self.truth[place], sent[place]);
            let is_right = if self.is_faulty {
                value.is_none() || field.same(value, truth) || field.same(value, sent)
            } else {
                field.same(value, truth)
            };
            if !is_right {
                let reported = if self.is_faulty && !field.same(truth, sent) {
                    format!("{} or, as sent under a fault, {}", show(truth), show(sent))
                } else {
                    show(truth)
                };
                differing.push((place, reported));
            }
        }
        differing
    }

    fn compared(&self, shown: &Values) -> usize {
        if self.is_faulty {
            shown.iter().flatten().count()
        } else {
            COUNT
        }
    }
}

/// Holds a worker of the page against its reply. Several workers may bear one id under a fault of identity, and a collector shows one of them: then the page has to
/// agree with any of those that still speak, and is held against the one that spoke last where it does not.
fn compare_worker(worker: &ShownWorker<'_>, replies: &BTreeMap<String, Reply>, report: &mut Report) {
    let Some(last) = replies.values().max_by(|a, b| a.unix.total_cmp(&b.unix)) else {
        let seen = format!("there, {LAST_SEEN} {}", show(worker.last_seen));
        report.add(difference(
            worker.id,
            "load",
            "not sent by any worker until then",
            seen,
            None,
        ));
        return;
    };
    // A reply whose data is null is valid and has no load; the page then shows what came by events.
    if last.sent.is_none() {
        return;
    }
    let mut candidates = replies
        .values()
        .filter(|reply| reply.sent.is_some() && reply.unix >= last.unix - RECENT);
    report.workers += 1;
    let agreeing = candidates.find(|reply| reply.differing(&worker.values).is_empty());
    let reply = agreeing.unwrap_or(last);
    report.fields += reply.compared(&worker.values);
    for (place, truth) in reply.differing(&worker.values) {
        let page = show(worker.values[place]);
        report.add(difference(
            worker.id,
            FIELDS[place].wire,
            truth,
            page,
            Some(reply.line),
        ));
    }
}

/// A worker without an id is shown by its service instance, of which the truth knows nothing.
fn id_in_truth(shown: &str) -> &str {
    if shown.starts_with("static-") { "" } else { shown }
}

fn unknown(worker: &ShownWorker<'_>) -> Difference {
    difference(worker.id, "worker", "unknown", "there", None)
}

fn difference(
    worker: &str,
    field: &str,
    truth: impl Into<String>,
    page: impl Into<String>,
    line: Option<usize>,
) -> Difference {
    Difference {
        kind: Kind::Page,
        worker: Some(worker.to_owned()),
        field: field.to_owned(),
        truth: truth.into(),
        page: page.into(),
        line,
        file: None,
    }
}
