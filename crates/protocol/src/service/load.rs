//! [`LoadSource`]: the user's stats closure, called so that it can harm nothing.
//!
//! async-nats calls a stats handler synchronously, on the task that answers every discovery message, and under the
//! mutex that each answered request takes too. A closure that panics there ends discovery for good and poisons
//! the mutex, so the next request panics as well; one that blocks makes requests wait, and one that returns more
//! than the server's largest payload ends discovery too. So the closure runs on a thread for blocking work, its
//! panics are caught there, its data is measured there, and the handler waits for it only so long. Whatever goes
//! wrong, the reply says `null`: a worker that is there and whose load is not known now.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Handle;
use tracing::warn;

use super::seldom::Seldom;
use crate::StatsError;

/// The most bytes of JSON that a worker's `data` may have.
pub const MAX_DATA_BYTES: usize = 256 << 10;

/// How long the closure may take. It should read a few numbers, which takes microseconds.
const RUN_LIMIT: Duration = Duration::from_millis(5);

/// How long the closure may wait for a thread. This is another limit because it says nothing about the closure: on
/// a machine whose cores are all busy, a thread may well wait longer for its turn than the closure then runs.
const START_LIMIT: Duration = Duration::from_millis(50);

/// What a STATS reply has besides `data`: names, times and counters.
const REST_OF_REPLY_BYTES: usize = 4 << 10;

/// What the user's closure returned, as JSON.
pub(super) type Load = Result<Value, StatsError>;

/// Calls the user's closure and bounds what it can do.
pub(super) struct LoadSource {
    closure: Arc<dyn Fn() -> Load + Send + Sync>,
    runtime: Handle,
    start_limit: Duration,
    run_limit: Duration,
    running: Arc<AtomicBool>,
    warnings: Seldom,
}

/// Why there is no load this time.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
enum NoLoad {
    #[error("the stats closure panicked: {0}")]
    Panicked(String),
    #[error("the stats closure took longer than {} ms; let it read what another task keeps up to date", RUN_LIMIT.as_millis())]
    Slow,
    #[error("no thread was free for the stats closure within {} ms", START_LIMIT.as_millis())]
    NoThread,
    #[error("the stats closure is still busy with an earlier call")]
    StillRunning,
    #[error("the stats closure returned {bytes} bytes of JSON, above the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the stats closure returned stats that cannot be: {0}")]
    Impossible(#[from] StatsError),
}

enum Step {
    Started,
    Ended(Result<Value, NoLoad>),
}

impl LoadSource {
    pub(super) fn new(closure: Arc<dyn Fn() -> Load + Send + Sync>) -> Self {
        Self {
            closure,
            runtime: Handle::current(),
            start_limit: START_LIMIT,
            run_limit: RUN_LIMIT,
            running: Arc::default(),
            warnings: Seldom::default(),
        }
    }

    /// The load as of now, or `null` where the closure does not deliver. `worker` is for the log, `max_payload` is
    /// the server's limit.
    pub(super) fn read(&self, worker: &str, max_payload: usize) -> Value {
        // Outside the closure only tokio can panic, where the system refuses it a thread; that must not reach the
        // mutex either.
        let load = catch_unwind(AssertUnwindSafe(|| self.try_read(data_limit(max_payload))))
            .unwrap_or(Err(NoLoad::NoThread));
        load.unwrap_or_else(|reason| {
            if let Some(left_out) = self.warnings.admit(Instant::now()) {
                warn!(%worker, %reason, left_out, "load is left out of a STATS reply");
            }
            Value::Null
        })
    }

    fn try_read(&self, limit: usize) -> Result<Value, NoLoad> {
        // A closure that hangs takes one thread, not one for every round of every collector.
        if self.running.swap(true, Ordering::AcqRel) {
            return Err(NoLoad::StillRunning);
        }
        let running = Running(self.running.clone());
        let closure = self.closure.clone();
        let (tell, steps) = mpsc::sync_channel(2);
        self.runtime.spawn_blocking(move || {
            // A send fails where nobody waits any more: a late result is dropped, for it is no longer current.
            let _ = tell.send(Step::Started);
            let result = match catch_unwind(AssertUnwindSafe(|| measured(closure(), limit))) {
                Ok(result) => result,
                Err(panic) => Err(NoLoad::Panicked(message(&*panic))),
            };
            drop(running);
            let _ = tell.send(Step::Ended(result));
        });
        match steps.recv_timeout(self.start_limit) {
            Ok(Step::Started) => {}
            Ok(Step::Ended(result)) => return result,
            Err(_) => return Err(NoLoad::NoThread),
        }
        match steps.recv_timeout(self.run_limit) {
            Ok(Step::Ended(result)) => result,
            Ok(Step::Started) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(NoLoad::Slow)
            }
        }
    }
}

/// Marks the end of a call, also of one that never ran because the runtime shut down.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn measured(load: Load, limit: usize) -> Result<Value, NoLoad> {
    let load = load?;
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, &load).expect("a Value is JSON, and counting never fails");
    match counter.0 {
        bytes if bytes > limit => Err(NoLoad::TooLarge { bytes, limit }),
        _ => Ok(load),
    }
}

/// A server may allow less than the default of 1 MiB.
fn data_limit(max_payload: usize) -> usize {
    MAX_DATA_BYTES.min(max_payload.saturating_sub(REST_OF_REPLY_BYTES))
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The text of a panic, where it has one.
pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU64;

    use serde_json::json;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn source(closure: impl Fn() -> Load + Send + Sync + 'static) -> LoadSource {
        LoadSource {
            // A test looks at what happens, not at how fast this machine is today.
            start_limit: PATIENCE,
            run_limit: PATIENCE,
            ..LoadSource::new(Arc::new(closure))
        }
    }

    #[tokio::test]
    async fn what_the_closure_returns_is_the_load() {
        let source = source(|| Ok(json!({"kv_active_blocks": 5})));
        assert_eq!(source.read("w", 1 << 20), json!({"kv_active_blocks": 5}));
    }

    #[tokio::test]
    async fn a_panic_costs_one_reply_and_is_named() {
        let calls = AtomicU64::new(0);
        let source = source(move || match calls.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("division by {}", "zero"),
            n => Ok(json!(n)),
        });
        assert_eq!(
            source.try_read(100),
            Err(NoLoad::Panicked("division by zero".to_owned()))
        );
        assert_eq!(source.try_read(100), Ok(json!(1)));
    }

    #[tokio::test]
    async fn a_closure_that_hangs_is_called_once_and_its_late_value_is_never_shown() {
        let calls = Arc::new(AtomicU64::new(0));
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let counted = calls.clone();
        let mut source = source(move || {
            let call = counted.fetch_add(1, Ordering::Relaxed);
            if call == 0 {
                // Without the guard this value would be the answer, after a long while.
                let _ = released
                    .lock()
                    .expect("one call at a time")
                    .recv_timeout(PATIENCE);
            }
            Ok(json!({ "call": call }))
        });
        source.run_limit = RUN_LIMIT;
        assert_eq!(source.try_read(100), Err(NoLoad::Slow));
        assert_eq!(source.try_read(100), Err(NoLoad::StillRunning));
        assert_eq!(calls.load(Ordering::Relaxed), 1);

        release.send(()).expect("the closure waits");
        let deadline = Instant::now() + PATIENCE;
        while source.running.load(Ordering::Acquire) {
            assert!(Instant::now() < deadline, "the closure should have ended");
            tokio::task::yield_now().await;
        }
        source.run_limit = PATIENCE;
        assert_eq!(source.try_read(100), Ok(json!({"call": 1})));
    }

    #[tokio::test]
    async fn data_that_would_not_fit_a_reply_is_left_out() {
        let source = source(|| Ok(json!("x".repeat(98))));
        assert_eq!(source.try_read(100), Ok(json!("x".repeat(98))));
        assert_eq!(
            source.try_read(99),
            Err(NoLoad::TooLarge {
                bytes: 100,
                limit: 99
            })
        );
        assert_eq!(data_limit(1 << 20), MAX_DATA_BYTES);
        assert_eq!(data_limit(64 << 10), 60 << 10, "a server with a smaller limit");
        assert_eq!(data_limit(0), 0);
    }

    #[tokio::test]
    async fn stats_that_cannot_be_are_left_out_and_named() {
        let source = source(|| {
            let stats = crate::WorkerStats::builder().kv_blocks(2, 1).build()?;
            Ok(stats.to_data(crate::StatsShape::Nested))
        });
        let error = source.try_read(1000).expect_err("above its capacity");
        assert!(error.to_string().contains("above its capacity of 1"), "{error}");
        assert_eq!(source.read("w", 1 << 20), Value::Null);
    }
}
