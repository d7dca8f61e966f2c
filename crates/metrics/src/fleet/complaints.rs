//! Which complaints about replies are due: each once a minute, so that a bad worker is named and does not fill the log.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

/// How often the same complaint is made.
const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// Complaints that are remembered; what comes beyond waits until some are forgotten.
const MAX_REMEMBERED: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Complaints(HashMap<String, SystemTime>);

impl Complaints {
    /// Whether a complaint about `whom` is to be made now.
    pub(super) fn are_due(&mut self, whom: String, now: SystemTime) -> bool {
        let is_recent = |at: &SystemTime| now.duration_since(*at).is_ok_and(|age| age < REPEAT_AFTER);
        if self.0.get(&whom).is_some_and(is_recent) {
            return false;
        }
        if self.0.len() >= MAX_REMEMBERED {
            self.0.retain(|_, at| is_recent(at));
        }
        let has_room = self.0.len() < MAX_REMEMBERED;
        if has_room {
            self.0.insert(whom, now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_due_once_a_minute_and_no_more_are_made_than_are_remembered() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut complaints = Complaints::default();
        let mut due = |whom: &str, seconds| complaints.are_due(whom.to_owned(), at(seconds));
        assert_eq!(
            [due("a", 0), due("a", 59), due("b", 59), due("a", 60)],
            [true, false, true, true]
        );
        let made = (0..1000).filter(|n| due(&n.to_string(), 61)).count();
        assert_eq!(made, MAX_REMEMBERED - 2);
        assert!(due("later", 200));
    }
}
