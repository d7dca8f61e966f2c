//! [`Aggregate`]: a pool and its workers, as MessagePack, in one message or in several.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The number of this schema. It changes when a reader of this one would misread a message; a field that is added does not
/// change it.
pub const SCHEMA: u32 = 1;

/// A pool and its workers after a round.
///
/// A message is a MessagePack map whose keys are the names of the fields, in this order. What is not known is `nil`. Where a
/// pool is too large for one message there are `parts` of them, which differ in `part` and `workers`. A reader has all of a
/// pool when it has as many messages with the same `collector`, `sequence` and `taken_ms`. Several collectors may publish the
/// same pool.
///
/// ```
/// use protocol::aggregate::{Aggregate, Pool, SCHEMA};
/// let aggregate = Aggregate {
///     schema: SCHEMA,
///     collector: "host:9091".into(),
///     sequence: 7,
///     taken_ms: 1_700_000_000_000,
///     part: 1,
///     parts: 1,
///     namespace: "dynamo".into(),
///     component: "backend".into(),
///     endpoint: "generate".into(),
///     pool: Pool::default(),
///     workers: Vec::new(),
/// };
/// let split = aggregate.clone().split(1_000_000);
/// assert_eq!(Aggregate::read(&split.messages[0])?, aggregate);
/// # Ok::<(), protocol::aggregate::AggregateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aggregate<'a> {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Which collector publishes: its host's name and the port of its page.
    #[serde(borrow)]
    pub collector: Cow<'a, str>,
    /// The number of the collector's snapshot; it begins at 1 with each start of the collector.
    pub sequence: u64,
    /// When the snapshot was taken, in Unix time in milliseconds.
    pub taken_ms: u64,
    /// The number of this message, from 1 to `parts`.
    pub part: u32,
    /// How many messages the pool has.
    pub parts: u32,
    /// The pool's namespace.
    #[serde(borrow)]
    pub namespace: Cow<'a, str>,
    /// The pool's component.
    #[serde(borrow)]
    pub component: Cow<'a, str>,
    /// The pool's endpoint.
    #[serde(borrow)]
    pub endpoint: Cow<'a, str>,
    /// The figures of the whole pool, in each of its messages.
    pub pool: Pool,
    /// The workers of this message, by key.
    #[serde(borrow)]
    pub workers: Vec<Worker<'a>>,
}

/// Figures of a pool; its load is that of its fresh workers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Whether the last round got an answer, or a definite "no responders".
    pub up: bool,
    /// Workers that answer.
    pub fresh: u64,
    /// Workers that missed several rounds.
    pub stale: u64,
    /// Workers that answer after their rounds have ended.
    pub late: u64,
    /// Workers that were expected in the last round and did not answer it.
    pub missing: u64,
    /// Running requests.
    pub requests_running: Option<u64>,
    /// Requests that can run at once.
    pub requests_capacity: Option<u64>,
    /// Queued requests.
    pub requests_waiting: Option<u64>,
    /// KV-cache blocks held.
    pub kv_blocks_active: Option<u64>,
    /// KV-cache blocks in total.
    pub kv_blocks_capacity: Option<u64>,
    /// Running requests by capacity, over the workers that report both.
    pub requests_ratio: Option<f64>,
    /// Blocks held by blocks in total, over the workers that report both.
    pub kv_ratio: Option<f64>,
    /// Workers whose saturation is 1 or more.
    pub saturated: Option<u64>,
    /// The mean of the blocks that workers hold.
    pub load_avg: Option<f64>,
    /// Its population standard deviation.
    pub load_std: Option<f64>,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worker<'a> {
    /// Its id; `nil` for a worker without one.
    pub id: Option<u64>,
    /// The id in decimal, or `static-` and the service instance: the label `worker_id` of the metrics.
    #[serde(borrow)]
    pub worker_id: Cow<'a, str>,
    /// The service instance that answers for it.
    #[serde(borrow)]
    pub instance_id: Cow<'a, str>,
    /// The subject of its endpoint.
    #[serde(borrow)]
    pub subject: Cow<'a, str>,
    /// `fresh`, `stale` or `late`.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// Where its load comes from: `flat`, `nested`, `event` or `none`.
    #[serde(borrow)]
    pub schema: Cow<'a, str>,
    /// Its load; `nil` unless it is fresh and has reported any.
    pub load: Option<Load>,
    /// When it last gave valid statistics, in Unix seconds; `nil` where only its events are known.
    pub last_seen_seconds: Option<f64>,
    /// When the instance started, in Unix seconds.
    pub started_seconds: Option<f64>,
    /// Requests, over all restarts.
    pub requests: f64,
    /// Failed requests, over all restarts.
    pub errors: f64,
    /// Time spent on requests, over all restarts.
    pub processing_seconds: Option<f64>,
    /// How often it restarted.
    pub restarts: u64,
}

/// The load of a worker.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Running requests.
    pub requests_running: Option<u64>,
    /// Requests that can run at once.
    pub requests_capacity: Option<u64>,
    /// Queued requests.
    pub requests_waiting: Option<u64>,
    /// KV-cache blocks held.
    pub kv_blocks_active: Option<u64>,
    /// KV-cache blocks in total.
    pub kv_blocks_capacity: Option<u64>,
    /// KV-cache use as the worker reports it, 0..1.
    pub kv_usage_ratio: Option<f64>,
    /// Share of looked-up prefix blocks that its cache had, 0..1.
    pub prefix_cache_hit_ratio: Option<f64>,
    /// `max(waiting / queue target, KV use / KV target)`; 1 and above is saturated.
    pub saturation: Option<f64>,
}

/// A message is no aggregate that this schema can read.
#[derive(Debug, thiserror::Error)]
pub enum AggregateError {
    /// It is not MessagePack of this form.
    #[error("it is not an aggregate: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// It has another schema.
    #[error("it has schema {0}, and this reader knows {SCHEMA}")]
    Schema(u32),
}

/// A pool as messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// The messages; none where not even one without a worker is small enough.
    pub messages: Vec<Vec<u8>>,
    /// Workers that are in none of them, because one alone does not fit.
    pub left_out: u64,
}

impl<'a> Aggregate<'a> {
    /// Reads one message.
    ///
    /// # Errors
    /// [`AggregateError`] where it is something else, or of another schema.
    pub fn read(message: &'a [u8]) -> Result<Self, AggregateError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let Head { schema } = rmp_serde::from_slice(message)?;
        if schema != SCHEMA {
            return Err(AggregateError::Schema(schema));
        }
        Ok(rmp_serde::from_slice(message)?)
    }

    /// The pool in messages of at most `max_bytes` each, with `part` and `parts` as they come to.
    pub fn split(mut self, max_bytes: usize) -> Split {
        let workers = std::mem::take(&mut self.workers);
        (self.part, self.parts) = (u32::MAX, u32::MAX);
        let Some(room) = max_bytes.checked_sub(self.head(usize::MAX).len()) else {
            return Split::default();
        };
        let mut left_out = 0;
        let mut parts = vec![(0, Vec::new())];
        for worker in &workers {
            let bytes = packed(worker);
            if bytes.len() > room {
                left_out += 1;
                continue;
            }
            let is_full = |(_, part): &(usize, Vec<u8>)| part.len() + bytes.len() > room;
            if parts.last().is_none_or(is_full) {
                parts.push((0, Vec::new()));
            }
            if let Some((count, part)) = parts.last_mut() {
                *count += 1;
                part.extend_from_slice(&bytes);
            }
        }
        self.parts = parts.len() as u32;
        let message = |(number, (count, workers)): (u32, (usize, Vec<u8>))| {
            self.part = number;
            let mut message = self.head(count);
            message.extend_from_slice(&workers);
            message
        };
        Split {
            messages: (1..).zip(parts).map(message).collect(),
            left_out,
        }
    }

    /// The message up to the first of `count` workers.
    fn head(&self, count: usize) -> Vec<u8> {
        // The list of workers comes last, and an empty one is a single byte.
        let mut head = packed(self);
        head.pop();
        match u32::try_from(count) {
            Ok(count @ 0..=15) => head.push(0x90 | count as u8),
            Ok(count @ 16..=0xffff) => {
                head.push(0xdc);
                head.extend_from_slice(&(count as u16).to_be_bytes());
            }
            count => {
                head.push(0xdd);
                head.extend_from_slice(&count.unwrap_or(u32::MAX).to_be_bytes());
            }
        }
        head
    }
}

fn packed(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("numbers and texts are MessagePack, and a vector takes all")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(id: u64) -> Worker<'static> {
        Worker {
            id: Some(id),
            worker_id: id.to_string().into(),
            instance_id: "i".into(),
            subject: "a_b.c-1".into(),
            state: "fresh".into(),
            schema: "nested".into(),
            load: Some(Load {
                requests_running: Some(3),
                kv_usage_ratio: Some(0.5),
                ..Load::default()
            }),
            last_seen_seconds: None,
            started_seconds: None,
            requests: 2.0,
            errors: 0.0,
            processing_seconds: None,
            restarts: 0,
        }
    }

    fn aggregate(workers: u64) -> Aggregate<'static> {
        Aggregate {
            schema: SCHEMA,
            collector: "h:1".into(),
            sequence: 7,
            taken_ms: 1_700_000_000_000,
            part: 1,
            parts: 1,
            namespace: "n".into(),
            component: "c".into(),
            endpoint: "e".into(),
            pool: Pool {
                up: true,
                fresh: workers,
                load_avg: Some(1.5),
                ..Pool::default()
            },
            workers: (1..=workers).map(worker).collect(),
        }
    }

    #[test]
    fn a_message_has_the_bytes_that_it_has_always_had() {
        let split = aggregate(1).split(usize::MAX);
        let text = |name: &str| [&[0xa0 | name.len() as u8], name.as_bytes()].concat();
        let nil = |name: &str| [text(name), vec![0xc0]].concat();
        let whole = |name: &str, value: u8| [text(name), vec![value]].concat();
        let real = |name: &str, value: f64| {
            let name = match name.len() {
                0..=31 => text(name),
                _ => unreachable!("all names are short"),
            };
            [name, vec![0xcb], value.to_be_bytes().to_vec()].concat()
        };
        let named = |name: &str, value: &str| [text(name), text(value)].concat();
        let expected = [
            vec![0x8b],
            whole("schema", 1),
            named("collector", "h:1"),
            whole("sequence", 7),
            text("taken_ms"),
            vec![0xcf, 0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00],
            whole("part", 1),
            whole("parts", 1),
            named("namespace", "n"),
            named("component", "c"),
            named("endpoint", "e"),
            text("pool"),
            vec![0x8f],
            whole("up", 0xc3),
            whole("fresh", 1),
            whole("stale", 0),
            whole("late", 0),
            whole("missing", 0),
            nil("requests_running"),
            nil("requests_capacity"),
            nil("requests_waiting"),
            nil("kv_blocks_active"),
            nil("kv_blocks_capacity"),
            nil("requests_ratio"),
            nil("kv_ratio"),
            nil("saturated"),
            real("load_avg", 1.5),
            nil("load_std"),
            text("workers"),
            vec![0x91],
            vec![0x8d],
            whole("id", 1),
            named("worker_id", "1"),
            named("instance_id", "i"),
            named("subject", "a_b.c-1"),
            named("state", "fresh"),
            named("schema", "nested"),
            text("load"),
            vec![0x88],
            whole("requests_running", 3),
            nil("requests_capacity"),
            nil("requests_waiting"),
            nil("kv_blocks_active"),
            nil("kv_blocks_capacity"),
            real("kv_usage_ratio", 0.5),
            nil("prefix_cache_hit_ratio"),
            nil("saturation"),
            nil("last_seen_seconds"),
            nil("started_seconds"),
            real("requests", 2.0),
            real("errors", 0.0),
            nil("processing_seconds"),
            whole("restarts", 0),
        ];
        assert_eq!(split.messages, [expected.concat()]);
    }

    #[test]
    fn parts_are_small_enough_and_together_they_are_the_pool() {
        for (workers, limit) in [
            (0, 1000),
            (1, 1000),
            (15, 100_000),
            (16, 100_000),
            (100, 1500),
            (70_000, 1 << 25),
        ] {
            let whole = aggregate(workers);
            let split = whole.clone().split(limit);
            assert_eq!(split.left_out, 0);
            let mut found = Vec::new();
            for (number, message) in (1..).zip(&split.messages) {
                assert!(message.len() <= limit, "{} of {limit}", message.len());
                let part = Aggregate::read(message).expect("our own");
                assert_eq!((part.part, part.parts), (number, split.messages.len() as u32));
                assert_eq!((part.sequence, &part.pool), (7, &whole.pool));
                found.extend(part.workers);
            }
            assert_eq!(found.len(), whole.workers.len());
            assert!(found == whole.workers, "{workers} workers in {limit} bytes");
        }
        assert_eq!(aggregate(100).split(1 << 20).messages.len(), 1);
    }

    #[test]
    fn what_fits_into_no_message_is_left_out_and_counted() {
        let mut pool = aggregate(3);
        pool.workers[1].subject = "s".repeat(2000).into();
        let split = pool.split(1500);
        assert_eq!(split.left_out, 1);
        let part = Aggregate::read(&split.messages[0]).expect("our own");
        assert_eq!(part.workers, [worker(1), worker(3)]);
        assert_eq!(aggregate(3).split(100), Split::default());
    }

    #[test]
    fn a_later_schema_is_refused_and_further_fields_are_passed_over() {
        let later = Aggregate {
            schema: 2,
            ..aggregate(0)
        };
        let message = later.head(0);
        let error = Aggregate::read(&message).expect_err("a later schema");
        assert_eq!(error.to_string(), "it has schema 2, and this reader knows 1");
        let error = Aggregate::read(b"{}").expect_err("JSON").to_string();
        assert!(error.starts_with("it is not an aggregate"), "{error}");
    }
}
