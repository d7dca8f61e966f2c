//! [`Publishers`]: the last number of each publisher's messages, by which lost ones are counted.

use std::time::Duration;

use hashbrown::HashMap;
use protocol::events::Topic;

use crate::passes::loss;

/// Silence after which a publisher is forgotten. A process that restarts has new publishers.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// Publishers that are remembered.
const MAX_PUBLISHERS: usize = 200_000;

/// How often they are looked through where there are too many.
const SWEEP_AFTER: Duration = Duration::from_secs(10);

/// Numbers by which a message may come too late. Real publishers take their numbers and send in two steps, which two
/// threads may do in another order.
const OVERTAKEN: u64 = 16;

/// The publishers that were heard.
#[derive(Debug, Default)]
pub(super) struct Publishers {
    last: HashMap<(u64, Topic), Last>,
    /// Publishers with missing messages that may still come in this batch.
    open: Vec<(u64, Topic)>,
    swept: Duration,
}

#[derive(Debug)]
struct Last {
    sequence: u64,
    at: Duration,
    missing: u64,
}

impl Publishers {
    /// Notes the number of a message.
    pub(super) fn note(&mut self, id: u64, topic: Topic, sequence: u64, now: Duration) {
        if let Some(last) = self.last.get_mut(&(id, topic)) {
            last.at = now;
            if sequence < last.sequence && last.sequence - sequence <= OVERTAKEN {
                last.missing = last.missing.saturating_sub(1);
                return;
            }
            let lost = loss(last.sequence, sequence);
            if lost > 0 {
                if last.missing == 0 {
                    self.open.push((id, topic));
                }
                last.missing = last.missing.saturating_add(lost);
            }
            last.sequence = sequence;
            return;
        }
        let is_full = self.last.len() >= MAX_PUBLISHERS;
        let since = now.saturating_sub(self.swept);
        if since >= FORGET_AFTER || (is_full && since >= SWEEP_AFTER) {
            self.swept = now;
            self.last
                .retain(|_, last| now.saturating_sub(last.at) < FORGET_AFTER);
        }
        if self.last.len() < MAX_PUBLISHERS {
            let last = Last {
                sequence,
                at: now,
                missing: 0,
            };
            self.last.insert((id, topic), last);
        }
    }

    /// The messages that are missing, by topic.
    pub(super) fn take_lost(&mut self) -> [u64; Topic::ALL.len()] {
        let mut lost = [0_u64; Topic::ALL.len()];
        for key in self.open.drain(..) {
            if let Some(last) = self.last.get_mut(&key) {
                let sum = &mut lost[key.1 as usize];
                *sum = sum.saturating_add(std::mem::take(&mut last.missing));
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The losses of a topic after these numbers of one publisher.
    fn lost(sequences: &[u64]) -> u64 {
        let mut publishers = Publishers::default();
        for sequence in sequences {
            publishers.note(1, Topic::ForwardPass, *sequence, SECOND);
        }
        publishers.take_lost()[Topic::ForwardPass as usize]
    }

    #[test]
    fn a_gap_is_a_loss_and_a_restart_or_another_order_is_none() {
        assert_eq!(lost(&[40, 41, 42]), 0, "we may have come late");
        assert_eq!(lost(&[0, 1, 4]), 2);
        assert_eq!(lost(&[0, 1, 4, 5, 7]), 3);
        assert_eq!(lost(&[900, 901, 0, 1]), 0, "a restart");
        assert_eq!(lost(&[1, 0, 2, 3]), 0, "as Dynamo 1.0.2 was heard once");
        assert_eq!(lost(&[0, 3, 1, 2, 4]), 0);
        assert_eq!(lost(&[0, 3, 1, 4]), 1);
        assert_eq!(lost(&[0, 1, 2, 0, 1, 2, 3]), 0, "a restart after a few");
        assert_eq!(lost(&[u64::MAX, 0, 1]), 0);
    }

    #[test]
    fn each_publisher_counts_for_itself_and_each_loss_once() {
        let mut publishers = Publishers::default();
        for (id, topic, sequence) in [
            (1, Topic::ForwardPass, 40),
            (2, Topic::ForwardPass, 0),
            (1, Topic::KvMetrics, 7),
            (1, Topic::ForwardPass, 41),
            (2, Topic::ForwardPass, 3),
            (1, Topic::KvMetrics, 9),
        ] {
            publishers.note(id, topic, sequence, SECOND);
        }
        let lost = publishers.take_lost();
        assert_eq!(
            (lost[Topic::ForwardPass as usize], lost[Topic::KvMetrics as usize]),
            (2, 1)
        );
        assert_eq!(publishers.take_lost(), [0; Topic::ALL.len()]);
    }

    #[test]
    fn a_publisher_that_is_silent_is_forgotten() {
        let mut publishers = Publishers::default();
        publishers.note(1, Topic::KvMetrics, 0, SECOND);
        publishers.note(2, Topic::KvMetrics, 0, 2 * FORGET_AFTER);
        assert_eq!(publishers.last.len(), 1);
        publishers.note(1, Topic::KvMetrics, 9, 2 * FORGET_AFTER);
        assert_eq!(publishers.take_lost(), [0; Topic::ALL.len()]);
    }
}
