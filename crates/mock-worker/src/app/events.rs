//! Events of this project's workers: hit rates as they happen, loads when they changed.

use std::time::Duration;

use async_nats::{HeaderMap, Subject};
use protocol::codec::CONTENT_TYPE;
use protocol::events::Topic;
use protocol::{Encoding, KvMetrics, Namespace, WorkerId, subject};
use serde::Serialize;
use sim::{HitEvent, Load};

use super::Out;
use crate::faults::Fault;
use crate::publish::Hits;
use crate::reply::stats_of;

/// Writes events as workers of this namespace publish them.
#[derive(Debug)]
pub(super) struct EventWriter {
    encoding: Encoding,
    hit_rate: Subject,
    metrics: Subject,
    headers: HeaderMap,
    hits: Hits,
}

impl EventWriter {
    pub(super) fn new(namespace: &Namespace, encoding: Encoding, workers: usize) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, encoding.content_type());
        Self {
            encoding,
            hit_rate: subject::event(namespace, Topic::KvHitRate.as_str()).into(),
            metrics: subject::event(namespace, Topic::KvMetrics.as_str()).into(),
            headers,
            hits: Hits::new(workers),
        }
    }

    /// The messages of one look-up, as the worker's faults want them.
    pub(super) fn hit_rate(&mut self, event: HitEvent, id: WorkerId, faults: &[&Fault], out: &mut Vec<Out>) {
        for event in self.hits.events(event, id, faults, true) {
            out.push(self.message(self.hit_rate.clone(), &event));
        }
    }

    /// The message of a load.
    pub(super) fn load(&self, id: WorkerId, load: &Load) -> Out {
        self.message(self.metrics.clone(), &KvMetrics::new(id, stats_of(load)))
    }

    fn message(&self, subject: Subject, event: &impl Serialize) -> Out {
        let payload = self
            .encoding
            .encode(event)
            .expect("events have numbers and names alone");
        Out {
            subject,
            reply: None,
            headers: Some(self.headers.clone()),
            payload: payload.into(),
        }
    }
}

/// Which loads are due: those that changed since they were last reported, once an interval.
#[derive(Debug)]
pub(super) struct ChangedLoads {
    interval: Duration,
    next: Duration,
    reported: Vec<Option<Load>>,
}

impl ChangedLoads {
    pub(super) fn new(interval: Duration, workers: usize) -> Self {
        Self {
            interval,
            next: Duration::ZERO,
            reported: vec![None; workers],
        }
    }

    /// What is due at `now`, the time since the start; a worker without a load reports nothing.
    pub(super) fn due(&mut self, now: Duration, load: impl Fn(usize) -> Option<Load>) -> Vec<(usize, Load)> {
        if now < self.next {
            return Vec::new();
        }
        // Intervals that were slept through are not made up for.
        let missed = (now - self.next).as_nanos() / self.interval.as_nanos().max(1);
        self.next += self.interval * u32::try_from(missed + 1).unwrap_or(u32::MAX);
        let mut due = Vec::new();
        for (worker, reported) in self.reported.iter_mut().enumerate() {
            let load = load(worker);
            if *reported != load {
                *reported = load;
                due.extend(load.map(|load| (worker, load)));
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_reported_once_an_interval_and_only_when_it_changed() {
        let mut loads = ChangedLoads::new(Duration::from_secs(1), 2);
        let load = |active| {
            Some(Load {
                kv_active_blocks: active,
                kv_total_blocks: 100,
                ..Load::default()
            })
        };
        let mut check = |milliseconds, [first, second]: [u64; 2], expected: &[usize]| {
            let due = loads.due(Duration::from_millis(milliseconds), |worker| {
                load(if worker == 0 { first } else { second })
            });
            let workers: Vec<usize> = due.iter().map(|(worker, _)| *worker).collect();
            assert_eq!(workers, expected, "at {milliseconds} ms");
        };
        check(0, [1, 1], &[0, 1]);
        check(900, [2, 1], &[]);
        check(1_000, [2, 1], &[0]);
        check(2_000, [2, 1], &[]);
        check(7_300, [3, 3], &[0, 1]);
        check(7_400, [4, 4], &[]);
        check(8_000, [4, 3], &[0]);
    }
}
