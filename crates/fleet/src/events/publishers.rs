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

/// The publishers that were heard.
#[derive(Debug, Default)]
pub(super) struct Publishers {
    last: HashMap<(u64, Topic), (u64, Duration)>,
    swept: Duration,
}

impl Publishers {
    /// How many messages of the publisher are missing before this one.
    pub(super) fn lost(&mut self, id: u64, topic: Topic, sequence: u64, now: Duration) -> u64 {
        if let Some((last, at)) = self.last.get_mut(&(id, topic)) {
            let lost = loss(*last, sequence);
            (*last, *at) = (sequence, now);
            return lost;
        }
        let is_full = self.last.len() >= MAX_PUBLISHERS;
        let since = now.saturating_sub(self.swept);
        if since >= FORGET_AFTER || (is_full && since >= SWEEP_AFTER) {
            self.swept = now;
            self.last
                .retain(|_, (_, at)| now.saturating_sub(*at) < FORGET_AFTER);
        }
        if self.last.len() < MAX_PUBLISHERS {
            self.last.insert((id, topic), (sequence, now));
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_publisher_counts_for_itself() {
        let mut publishers = Publishers::default();
        let mut lost = |id, topic, sequence| publishers.lost(id, topic, sequence, SECOND);
        assert_eq!(lost(1, Topic::ForwardPass, 40), 0, "we may have come late");
        assert_eq!(lost(2, Topic::ForwardPass, 0), 0);
        assert_eq!(lost(1, Topic::KvMetrics, 7), 0);
        assert_eq!(lost(1, Topic::ForwardPass, 41), 0);
        assert_eq!(lost(2, Topic::ForwardPass, 3), 2);
        assert_eq!(lost(1, Topic::KvMetrics, 9), 1);
        assert_eq!(lost(1, Topic::ForwardPass, 0), 0, "a restart");
        assert_eq!(lost(1, Topic::ForwardPass, 1), 0);
    }

    #[test]
    fn a_publisher_that_is_silent_is_forgotten() {
        let mut publishers = Publishers::default();
        publishers.lost(1, Topic::KvMetrics, 0, SECOND);
        publishers.lost(2, Topic::KvMetrics, 0, 2 * FORGET_AFTER);
        assert_eq!(publishers.last.len(), 1);
        assert_eq!(publishers.lost(1, Topic::KvMetrics, 9, 2 * FORGET_AFTER), 0);
    }
}
