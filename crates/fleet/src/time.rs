//! [`Now`]: the time at which an input is handled. The state machine has no clock; time is an argument.

use std::time::Duration;

/// One moment, on the two clocks that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// Since the program started; never runs backwards. Ages and deadlines are measured by it.
    pub mono: Duration,
    /// Unix time, for what is shown.
    pub unix: Duration,
}

impl Now {
    /// This moment, later by `time`.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self {
            mono: self.mono + time,
            unix: self.unix + time,
        }
    }
}
