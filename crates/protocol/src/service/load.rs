//! [`LoadSource`]: the load that a worker reports, pushed or read from the user's closure, so that neither harms anything.
//!
//! Load that was pushed is read from memory. A closure runs on a thread for blocking work; its panics are caught there and its data
//! is measured there, and the task that answers waits for it asynchronously, only so long. Whatever goes wrong, the reply
//! says `null`: a worker that is there and whose load is not known now.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

use super::counters::Counters;
use super::seldom::Seldom;
use crate::{StatsError, StatsShape, WorkerStats};

/// The most bytes of JSON that a worker's `data` may have.
pub const MAX_DATA_BYTES: usize = 256 << 10;

/// How long a call of the closure may take, with its wait for a thread. It should read a few numbers, which takes
/// microseconds, but on a machine whose cores are all busy a thread waits for its turn. Nothing else waits meanwhile, and a
/// collector waits longer.
const LIMIT: Duration = Duration::from_millis(200);

/// The load that a worker's author sets. Clones are the same load.
#[derive(Debug, Clone, Default)]
pub(super) struct Pushed(Arc<Mutex<Option<WorkerStats>>>);

/// What the user's closure returns.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Load {
    Stats(WorkerStats),
    /// Data of a schema of the user's own.
    Raw(Value),
}

/// The user's closure.
pub(super) type Closure = Arc<dyn Fn() -> Result<Load, StatsError> + Send + Sync>;

/// How requests that the SDK counts appear in the load.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) counters: Arc<Counters>,
    pub(super) concurrency: u64,
}

/// Reads the load, whose source cannot harm what reads it.
pub(super) struct LoadSource {
    pub(super) pushed: Pushed,
    pub(super) closure: Option<Closure>,
    pub(super) counted: Option<Counted>,
    pub(super) shape: StatsShape,
    limit: Duration,
    running: Arc<AtomicBool>,
    warnings: Arc<Seldom>,
}

/// Why there is no load this time.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
enum NoLoad {
    #[error("the stats closure panicked: {0}")]
    Panicked(String),
    #[error(
        "the stats closure took longer than {} ms; let it read what another task keeps up to date, or push the load with `set_load`",
        LIMIT.as_millis()
    )]
    Slow,
    #[error("the stats closure is still busy with an earlier call")]
    StillRunning,
    #[error("the stats closure returned {bytes} bytes of JSON, above the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the stats closure returned impossible stats: {0}")]
    Impossible(#[from] StatsError),
}

impl Pushed {
    /// Replaces the load. The lock is held for as long as a copy takes.
    pub(super) fn set(&self, stats: WorkerStats) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stats);
    }

    fn get(&self) -> Option<WorkerStats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl LoadSource {
    pub(super) fn new(closure: Option<Closure>, counted: Option<Counted>, shape: StatsShape) -> Self {
        Self {
            pushed: Pushed::default(),
            closure,
            counted,
            shape,
            limit: LIMIT,
            running: Arc::default(),
            warnings: Arc::default(),
        }
    }

    /// The load as of now, or `null` where there is none. It is ready at once unless a closure has to be called. `worker`
    /// is for the log, `limit` is for the size of the data.
    pub(super) fn read(&self, worker: &Arc<str>, limit: usize) -> BoxFuture<'static, Value> {
        if let Some(stats) = self.pushed.get() {
            let data = data_of(Load::Stats(stats), self.counted.as_ref(), self.shape);
            return std::future::ready(data).boxed();
        }
        if self.closure.is_none() {
            let data = match &self.counted {
                None => Value::Null,
                counted => data_of(Load::Stats(WorkerStats::default()), counted.as_ref(), self.shape),
            };
            return std::future::ready(data).boxed();
        }
        let (call, worker, warnings) = (self.call(limit), worker.clone(), self.warnings.clone());
        async move {
            call.await.unwrap_or_else(|reason| {
                if let Some(left_out) = warnings.admit(Instant::now()) {
                    warn!(%worker, %reason, left_out, "load is left out of a STATS reply");
                }
                Value::Null
            })
        }
        .boxed()
    }

    /// Calls the closure on another thread.
    fn call(&self, limit: usize) -> BoxFuture<'static, Result<Value, NoLoad>> {
        let Some(closure) = self.closure.clone() else {
            return std::future::ready(Ok(Value::Null)).boxed();
        };
        // A closure that hangs takes one thread, not one for every round of every collector.
        if self.running.swap(true, Ordering::AcqRel) {
            return std::future::ready(Err(NoLoad::StillRunning)).boxed();
        }
        let running = Running(self.running.clone());
        let (counted, shape) = (self.counted.clone(), self.shape);
        let (result, read) = oneshot::channel();
        let limit = limit.min(MAX_DATA_BYTES);
        tokio::task::spawn_blocking(move || {
            let called = catch_unwind(AssertUnwindSafe(|| {
                measured(data_of(closure()?, counted.as_ref(), shape), limit)
            }));
            let called = called.unwrap_or_else(|panic| Err(NoLoad::Panicked(message(&*panic))));
            drop(running);
            // It fails where nothing waits any more: a late result is no longer current.
            let _ = result.send(called);
        });
        let read = timeout(self.limit, read);
        async move { read.await.ok().and_then(Result::ok).unwrap_or(Err(NoLoad::Slow)) }.boxed()
    }
}

/// What the load is on the wire.
fn data_of(load: Load, counted: Option<&Counted>, shape: StatsShape) -> Value {
    let stats = match load {
        Load::Stats(stats) => stats,
        Load::Raw(data) => return data,
    };
    match counted {
        Some(counted) => counted.merge(stats).to_data(shape),
        None => stats.to_data(shape),
    }
}

impl Counted {
    /// This load with the requests that are here. Where the engine can run fewer at once than are handed to it, the others wait
    /// in the engine.
    fn merge(&self, stats: WorkerStats) -> WorkerStats {
        let (handled, queued) = (self.counters.running(), self.counters.waiting());
        let capacity = stats.request_slots_capacity().unwrap_or(self.concurrency);
        let running = handled.min(capacity);
        let stats = stats.with_requests(running, queued + (handled - running));
        stats.with_capacities(Some(capacity), None)
    }
}

/// Marks the end of a call, also of one that never ran because the runtime shut down.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn measured(data: Value, limit: usize) -> Result<Value, NoLoad> {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, &data).expect("a Value is JSON, and counting never fails");
    match counter.0 {
        bytes if bytes > limit => Err(NoLoad::TooLarge { bytes, limit }),
        _ => Ok(data),
    }
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
    use std::sync::atomic::AtomicU64;
    use std::sync::mpsc;

    use serde_json::json;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn source(closure: impl Fn() -> Result<Load, StatsError> + Send + Sync + 'static) -> LoadSource {
        LoadSource {
            // A test looks at what happens, not at how fast this machine is today.
            limit: PATIENCE,
            ..LoadSource::new(Some(Arc::new(closure)), None, StatsShape::Flat)
        }
    }

    fn raw(data: impl Into<Value>) -> Result<Load, StatsError> {
        Ok(Load::Raw(data.into()))
    }

    #[tokio::test]
    async fn a_panic_costs_one_reply_and_is_named() {
        let calls = AtomicU64::new(0);
        let source = source(move || match calls.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("division by {}", "zero"),
            n => raw(n),
        });
        let panicked = Err(NoLoad::Panicked("division by zero".to_owned()));
        assert_eq!(source.call(100).await, panicked);
        assert_eq!(source.call(100).await, Ok(json!(1)));
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
            raw(call)
        });
        source.limit = Duration::from_millis(5);
        assert_eq!(source.call(100).await, Err(NoLoad::Slow));
        assert_eq!(source.call(100).await, Err(NoLoad::StillRunning));
        assert_eq!(calls.load(Ordering::Relaxed), 1);

        release.send(()).expect("the closure waits");
        let deadline = Instant::now() + PATIENCE;
        while source.running.load(Ordering::Acquire) {
            assert!(Instant::now() < deadline, "the closure should have ended");
            tokio::task::yield_now().await;
        }
        source.limit = PATIENCE;
        assert_eq!(source.call(100).await, Ok(json!(1)));
    }

    #[tokio::test]
    async fn data_above_the_limit_is_left_out() {
        let source = source(|| raw("x".repeat(98)));
        assert_eq!(source.call(100).await, Ok(json!("x".repeat(98))));
        let too_large = NoLoad::TooLarge {
            bytes: 100,
            limit: 99,
        };
        assert_eq!(source.call(99).await, Err(too_large));
    }

    #[tokio::test]
    async fn stats_that_cannot_be_are_left_out_and_named() {
        let source = source(|| {
            let stats = WorkerStats::builder().kv_blocks_active(2).kv_blocks_capacity(1);
            Ok(Load::Stats(stats.build()?))
        });
        let error = source.call(1000).await.expect_err("above its capacity");
        assert!(error.to_string().contains("above its capacity of 1"), "{error}");
        assert_eq!(source.read(&"w".into(), 1 << 20).await, Value::Null);
    }

    #[test]
    fn pushed_load_is_at_hand_and_replaces_the_closure() {
        let source = source(|| raw("of the closure"));
        let stats = WorkerStats::builder()
            .kv_blocks_active(2)
            .build()
            .expect("in range");
        source.pushed.set(stats);
        let data = source.read(&"w".into(), 1000).now_or_never();
        assert_eq!(data, Some(json!({"kv_active_blocks": 2})));
    }

    #[test]
    fn counted_requests_beyond_the_slots_of_the_engine_wait() {
        let counters = Arc::new(Counters::default());
        let _running: Vec<_> = (0..5).map(|_| counters.run()).collect();
        counters.set_waiting(7);
        let counted = Counted {
            counters: counters.clone(),
            concurrency: 5,
        };
        let check = |stats: WorkerStats, expected: (u64, u64, u64)| {
            let merged = counted.merge(stats);
            let found = (
                merged.request_slots_active(),
                merged.request_slots_capacity(),
                merged.requests_waiting(),
            );
            assert_eq!(found, (Some(expected.0), Some(expected.1), Some(expected.2)));
        };
        check(WorkerStats::default(), (5, 5, 7));
        let engine = WorkerStats::builder()
            .slots_capacity(3)
            .build()
            .expect("in range");
        check(engine, (3, 3, 9));
    }
}
