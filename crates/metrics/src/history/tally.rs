//! [`Tally`]: by how much a counter grew in the last minutes.

use std::collections::VecDeque;
use std::time::Duration;

/// What a counter was at the end of each of the last minutes.
#[derive(Debug)]
pub(super) struct Tally {
    minutes: usize,
    /// The number of each minute, and what was counted when it ended.
    ends: VecDeque<(u64, u64)>,
    now: u64,
}

impl Tally {
    /// A tally of so many minutes.
    pub(super) fn of(minutes: usize) -> Self {
        Self {
            minutes,
            ends: VecDeque::new(),
            now: 0,
        }
    }

    /// Forgets what was counted; the next count is where it begins.
    fn start_again(&mut self) {
        self.ends.clear();
    }

    /// Takes in a count.
    pub(super) fn take_in(&mut self, now: Duration, count: u64) {
        let minute = now.as_secs() / 60;
        if count < self.now {
            self.start_again();
        }
        self.now = count;
        let is_first = self.ends.len() == 1;
        match self.ends.back_mut() {
            // The first end is where the tally begins.
            Some((last, end)) if *last == minute => {
                if !is_first {
                    *end = count;
                }
            }
            _ => self.ends.push_back((minute, count)),
        }
        let first_kept = (minute + 1).saturating_sub(self.minutes as u64);
        while self.ends.len() > 1 && self.ends[0].0 < first_kept {
            self.ends.pop_front();
        }
    }

    /// By how much it grew.
    pub(super) fn grown(&self) -> u64 {
        let first = self.ends.front().map_or(self.now, |(_, end)| *end);
        self.now.saturating_sub(first)
    }
}
