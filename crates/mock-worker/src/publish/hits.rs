//! [`Hits`]: hit-rate events, as the worker's faults want them.

use protocol::WorkerId;
use sim::HitEvent;

use super::wire::HitRate;
use crate::faults::{Fault, Kind};
use crate::ids;

/// Makes the events of look-ups.
#[derive(Debug)]
pub(crate) struct Hits {
    /// The last event of each worker, where a fault may replay it.
    last: Vec<Option<HitRate>>,
}

impl Hits {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            last: vec![None; workers],
        }
    }

    /// The events of one look-up: the true one first, then those that faults add.
    pub(crate) fn events(
        &mut self,
        hit: HitEvent,
        id: WorkerId,
        faults: &[&Fault],
        has_rank: bool,
    ) -> Vec<HitRate> {
        let event = HitRate {
            worker_id: id,
            dp_rank: has_rank.then_some(0),
            isl_blocks: hit.lookup_blocks,
            overlap_blocks: hit.hit_blocks,
        };
        let mut events = vec![event];
        if faults.is_empty() {
            return events;
        }
        let odd = |isl_blocks, overlap_blocks| HitRate {
            isl_blocks,
            overlap_blocks,
            ..event
        };
        for fault in faults {
            match fault.kind {
                Kind::UnknownWorker => events.push(HitRate {
                    worker_id: ids::again(id, u64::MAX),
                    ..event
                }),
                Kind::OverlapAboveIsl => events.push(odd(hit.lookup_blocks, hit.lookup_blocks + 1)),
                Kind::ZeroIsl => events.push(odd(0, 0)),
                Kind::Burst => events.extend((0..fault.copies()).map(|_| event)),
                Kind::Replay => events.extend(self.last[hit.worker]),
                _ => {}
            }
        }
        self.last[hit.worker] = Some(event);
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_add_odd_events_next_to_the_true_one() {
        let mut hits = Hits::new(1);
        let hit = HitEvent {
            time_ns: 0,
            worker: 0,
            lookup_blocks: 10,
            hit_blocks: 4,
        };
        let mut check = |kind: Option<Kind>, expected: usize, odd: &str| {
            let fault = kind.map(Fault::new);
            let faults: Vec<&Fault> = fault.iter().collect();
            let events = hits.events(hit, WorkerId::new(7), &faults, true);
            let texts: Vec<String> = events
                .iter()
                .map(|event| serde_json::to_string(event).expect("it is JSON"))
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
