//! Events of the workers: hit rates as they happen, loads when they changed.

use std::time::Duration;

use async_nats::{HeaderMap, Subject};
use protocol::codec::CONTENT_TYPE;
use protocol::events::Topic;
use protocol::{Encoding, KvHitRate, KvMetrics, Namespace, WorkerId, subject};
use serde::Serialize;
use serde_json::json;
use sim::{HitEvent, Load};

use super::Out;
use crate::faults::{Fault, Kind};
use crate::ids;
use crate::reply::stats_of;

/// Writes events as workers of this namespace publish them.
#[derive(Debug)]
pub(super) struct Teller {
    encoding: Encoding,
    hit_rate: Subject,
    metrics: Subject,
    headers: HeaderMap,
    /// The last hit-rate event of each worker, where somebody replays them.
    last: Vec<Option<Out>>,
}

impl Teller {
    pub(super) fn new(namespace: &Namespace, encoding: Encoding, workers: usize) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, encoding.content_type());
        Self {
            encoding,
            hit_rate: subject::event(namespace, Topic::KvHitRate.as_str()).into(),
            metrics: subject::event(namespace, Topic::KvMetrics.as_str()).into(),
            headers,
            last: vec![None; workers],
        }
    }

    /// The messages of one look-up, as the worker's faults want them.
    pub(super) fn hit_rate(&mut self, event: HitEvent, id: WorkerId, faults: &[&Fault], out: &mut Vec<Out>) {
        let (lookups, hits) = (event.lookup_blocks, event.hit_blocks);
        let told = KvHitRate::new(id, lookups, hits).expect("law 5: hits are a part of lookups");
        let told = self.message(self.hit_rate.clone(), &told);
        out.push(told.clone());
        if faults.is_empty() {
            return;
        }
        let odd = |id: WorkerId, lookups: u64, hits: u64| json!({"worker_id": id.get(), "dp_rank": 0, "isl_blocks": lookups, "overlap_blocks": hits});
        for fault in faults {
            match fault.kind {
                Kind::UnknownWorker => {
                    let stranger = ids::again(id, u64::MAX);
                    out.push(self.message(self.hit_rate.clone(), &odd(stranger, lookups, hits)));
                }
                Kind::OverlapAboveIsl => {
                    out.push(self.message(self.hit_rate.clone(), &odd(id, lookups, lookups + 1)));
                }
                Kind::ZeroIsl => out.push(self.message(self.hit_rate.clone(), &odd(id, 0, 0))),
                Kind::Burst => out.extend((0..fault.copies()).map(|_| told.clone())),
                Kind::Replay => out.extend(self.last[event.worker].clone()),
                _ => {}
            }
        }
        self.last[event.worker] = Some(told);
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

/// Which loads are due: those that changed since they were told last, once an interval.
#[derive(Debug)]
pub(super) struct ChangedLoads {
    interval: Duration,
    next: Duration,
    told: Vec<Option<Load>>,
}

impl ChangedLoads {
    pub(super) fn new(interval: Duration, workers: usize) -> Self {
        Self {
            interval,
            next: Duration::ZERO,
            told: vec![None; workers],
        }
    }

    /// What is to be told at `now`, the time since the start; a worker without a load tells nothing.
    pub(super) fn due(&mut self, now: Duration, load: impl Fn(usize) -> Option<Load>) -> Vec<(usize, Load)> {
        if now < self.next {
            return Vec::new();
        }
        // Intervals that were slept through are not made up for.
        let missed = (now - self.next).as_nanos() / self.interval.as_nanos().max(1);
        self.next += self.interval * u32::try_from(missed + 1).unwrap_or(u32::MAX);
        let mut due = Vec::new();
        for (worker, told) in self.told.iter_mut().enumerate() {
            let load = load(worker);
            if *told != load {
                *told = load;
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
    fn a_load_is_told_once_an_interval_and_only_when_it_changed() {
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

    #[test]
    fn faults_add_odd_events_beside_the_true_one() {
        let namespace: Namespace = "dynamo".parse().expect("a name");
        let mut teller = Teller::new(&namespace, Encoding::Json, 1);
        let event = HitEvent {
            time_ns: 0,
            worker: 0,
            lookup_blocks: 10,
            hit_blocks: 4,
        };
        let mut check = |kind: Option<Kind>, expected: usize, odd: &str| {
            let fault = kind.map(Fault::new);
            let mut out = Vec::new();
            teller.hit_rate(event, WorkerId::new(7), fault.as_ref().as_slice(), &mut out);
            let texts: Vec<_> = out
                .iter()
                .map(|out| String::from_utf8_lossy(&out.payload).into_owned())
                .collect();
            assert_eq!(
                texts[0],
                r#"{"worker_id":7,"dp_rank":0,"isl_blocks":10,"overlap_blocks":4}"#
            );
            assert_eq!(texts.len(), expected, "{texts:?}");
            assert!(texts.last().expect("there is one").contains(odd), "{texts:?}");
        };
        check(None, 1, "10");
        check(Some(Kind::OverlapAboveIsl), 2, r#""overlap_blocks":11"#);
        check(Some(Kind::ZeroIsl), 2, r#""isl_blocks":0"#);
        check(Some(Kind::Burst), 11, r#""worker_id":7"#);
        check(Some(Kind::Replay), 2, r#""worker_id":7"#);
        check(Some(Kind::UnknownWorker), 2, r#""isl_blocks":10"#);
    }
}
