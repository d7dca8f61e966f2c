//! The CPU time of this process, in nanoseconds: a short round takes less than a clock tick of `/proc/self/stat`.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What this process has used so far, in all its threads.
pub(crate) fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
