//! The one patience policy: look again until the condition holds, or fail saying what was seen last.

use std::time::Duration;

use tokio::time::{Instant, interval, timeout_at};

/// Far above what anything under test takes, so that reaching it means a fault and never a slow machine: what takes three
/// seconds was seen to take 40 where other builds shared the processors.
const DEADLINE: Duration = Duration::from_secs(120);

/// How often is looked; short, for most conditions hold within milliseconds.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `look` gives `Ok`, and returns what it found.
///
/// # Panics
/// When the deadline passes, with the promise and the last `Err`, which says what was seen instead.
pub async fn eventually<T>(promise: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + DEADLINE;
    let mut tick = interval(PAUSE);
    let mut seen = "nothing".to_owned();
    loop {
        tick.tick().await;
        match timeout_at(deadline, look()).await {
            Ok(Ok(found)) => return found,
            Ok(Err(other)) => seen = other,
            Err(_) => panic!("in {DEADLINE:?} it never came true that {promise}; seen last: {seen}"),
        }
        if Instant::now() >= deadline {
            panic!("in {DEADLINE:?} it never came true that {promise}; seen last: {seen}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "never came true that pigs fly; seen last: pig 5999 walks")]
    async fn impatience_says_what_was_seen_last() {
        let mut pigs = 0;
        eventually("pigs fly", async || -> Result<(), String> {
            pigs += 1;
            Err(format!("pig {} walks", pigs.min(5999)))
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "seen last: nothing")]
    async fn a_look_that_hangs_is_not_waited_for() {
        eventually("an answer comes", async || {
            std::future::pending::<Result<(), String>>().await
        })
        .await;
    }
}
