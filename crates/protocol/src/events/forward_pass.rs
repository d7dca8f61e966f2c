//! [`ForwardPass`]: what an engine computed in one pass, and what waits.

mod fast;
#[cfg(test)]
mod tests;
mod write;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny};

use super::EventError;
use crate::WorkerId;
use crate::codec::Opened;
use crate::record::{Fields, Id, Real, Section, Shape, Whole, read_fields};

/// The topic `forward-pass-metrics`: what one rank of an engine computed in one pass, and what waits. Dynamo 1.1 and
/// later publishes one after each pass, and a heartbeat when no pass has ended for 1 s.
///
/// ```
/// use protocol::{codec, events::ForwardPass, WorkerId};
/// let payload = br#"{"version": 1, "worker_id": "7", "dp_rank": 0, "counter_id": 12, "wall_time": 0.025,
///     "scheduled_requests": {"num_decode_requests": 8, "sum_decode_kv_tokens": 567},
///     "queued_requests": {"num_prefill_requests": 4, "sum_prefill_tokens": 211}}"#;
/// let pass = ForwardPass::read(&codec::open(None, payload)?)?;
/// assert_eq!((pass.worker_id, pass.wall_time), (WorkerId::new(7), 0.025));
/// assert_eq!((pass.scheduled.decode_requests, pass.queued.prefill_requests), (8, 4));
/// assert!(!pass.is_heartbeat());
/// # Ok::<(), protocol::EventError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForwardPass {
    /// Whose engine it is.
    pub worker_id: WorkerId,
    /// The rank within a data-parallel group; 0 without one.
    pub dp_rank: u64,
    /// Counts the messages of this worker and rank, heartbeats too, from 0 or 1: a gap is a loss.
    pub counter_id: u64,
    /// How long the pass took, in seconds; at most [`MAX_WALL_TIME`](Self::MAX_WALL_TIME), and 0 in a heartbeat.
    pub wall_time: f64,
    /// What the pass computed.
    pub scheduled: Scheduled,
    /// What waits.
    pub queued: Queued,
}

/// What a pass computed. Variances are those of the whole population; finite and not negative.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scheduled {
    /// Requests of whose prompts something was computed.
    pub prefill_requests: u64,
    /// Prompt tokens that were computed: the chunk of this pass, without cached ones.
    pub prefill_tokens: u64,
    /// Variance of the prompts' lengths, in tokens squared.
    pub prefill_length_variance: f64,
    /// KV tokens that these prompts read: hits of the prefix cache, and earlier chunks.
    pub prefill_kv_tokens: u64,
    /// Requests of which a token was decoded.
    pub decode_requests: u64,
    /// The length of their contexts, in tokens, summed.
    pub decode_kv_tokens: u64,
    /// Variance of the contexts' lengths, in tokens squared.
    pub decode_kv_variance: f64,
}

/// What waits for a pass. Variances as in [`Scheduled`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Queued {
    /// Requests that wait for their first pass.
    pub prefill_requests: u64,
    /// Their prompt tokens.
    pub prefill_tokens: u64,
    /// Variance of the prompts' lengths, in tokens squared.
    pub prefill_length_variance: f64,
    /// Requests that were preempted, or that wait for KV blocks of a remote prefill.
    pub decode_requests: u64,
    /// The length of their contexts, in tokens, summed.
    pub decode_kv_tokens: u64,
    /// Variance of the contexts' lengths, in tokens squared.
    pub decode_kv_variance: f64,
}

impl Scheduled {
    /// The same work, as what waits.
    fn as_queue(&self) -> Queued {
        Queued {
            prefill_requests: self.prefill_requests,
            prefill_tokens: self.prefill_tokens,
            prefill_length_variance: self.prefill_length_variance,
            decode_requests: self.decode_requests,
            decode_kv_tokens: self.decode_kv_tokens,
            decode_kv_variance: self.decode_kv_variance,
        }
    }
}

impl ForwardPass {
    /// The longest pass that is taken, in seconds: one day. A sum of passes stays finite by it.
    pub const MAX_WALL_TIME: f64 = 86_400.0;

    /// Reads an event. `version` is ignored, and a count that is missing in one of the two sections is 0, as the engines
    /// that write it have it.
    ///
    /// # Errors
    /// [`EventError`] names what is missing or wrong.
    pub fn read(opened: &Opened<'_>) -> Result<Self, EventError> {
        match fast::read(opened) {
            Some(pass) => Ok(pass),
            None => Self::read_any(opened),
        }
    }

    /// Whether it is a heartbeat: no pass, no work and no queue. It is a sign of life. It is no proof of an idle engine,
    /// because it also comes in the middle of a pass that takes more than 1 s.
    pub fn is_heartbeat(&self) -> bool {
        self.wall_time == 0.0 && self.scheduled == Scheduled::default() && self.queued == Queued::default()
    }

    fn read_any(opened: &Opened<'_>) -> Result<Self, EventError> {
        let mut fields = Pass::default();
        if read_fields(opened, &mut fields)? != Shape::Fields {
            return Err(EventError::NotAnObject);
        }
        for (shape, name) in [
            (fields.has_scheduled, "scheduled_requests"),
            (fields.has_queued, "queued_requests"),
        ] {
            if shape != Shape::Fields {
                return Err(EventError::Section(name));
            }
        }
        let (scheduled, queued) = (fields.scheduled.read()?, fields.queued.read()?);
        Ok(Self {
            worker_id: fields.worker_id.worker("worker_id")?,
            dp_rank: fields.dp_rank.optional("dp_rank")?.unwrap_or(0),
            counter_id: fields.counter_id.required("counter_id")?,
            wall_time: wall_time(fields.wall_time)?,
            queued: queued.as_queue(),
            scheduled,
        })
    }
}

fn wall_time(field: Real) -> Result<f64, EventError> {
    let limit = ForwardPass::MAX_WALL_TIME;
    match field.optional("wall_time")? {
        None => Err(EventError::Number("wall_time")),
        Some(seconds) if seconds > limit => Err(EventError::AboveLimit("wall_time", limit)),
        Some(seconds) => Ok(seconds),
    }
}

#[derive(Default)]
struct Pass {
    worker_id: Id,
    dp_rank: Whole,
    counter_id: Whole,
    wall_time: Real,
    scheduled: Work<false>,
    has_scheduled: Shape,
    queued: Work<true>,
    has_queued: Shape,
}

/// One of the two sections; the queue has no `sum_prefill_kv_tokens`.
#[derive(Default)]
struct Work<const IS_QUEUE: bool> {
    prefill_requests: Whole,
    prefill_tokens: Whole,
    prefill_length_variance: Real,
    prefill_kv_tokens: Whole,
    decode_requests: Whole,
    decode_kv_tokens: Whole,
    decode_kv_variance: Real,
}

impl<const IS_QUEUE: bool> Work<IS_QUEUE> {
    fn read(&self) -> Result<Scheduled, EventError> {
        let count = |field: Whole, name| Ok::<_, EventError>(field.optional(name)?.unwrap_or(0));
        let variance = |field: Real, name| Ok::<_, EventError>(field.optional(name)?.unwrap_or(0.0));
        Ok(Scheduled {
            prefill_requests: count(self.prefill_requests, "num_prefill_requests")?,
            prefill_tokens: count(self.prefill_tokens, "sum_prefill_tokens")?,
            prefill_length_variance: variance(self.prefill_length_variance, "var_prefill_length")?,
            prefill_kv_tokens: count(self.prefill_kv_tokens, "sum_prefill_kv_tokens")?,
            decode_requests: count(self.decode_requests, "num_decode_requests")?,
            decode_kv_tokens: count(self.decode_kv_tokens, "sum_decode_kv_tokens")?,
            decode_kv_variance: variance(self.decode_kv_variance, "var_decode_kv_tokens")?,
        })
    }
}

impl<'de> Fields<'de> for Pass {
    const ORDER: &'static [&'static str] = &[
        "version",
        "worker_id",
        "dp_rank",
        "counter_id",
        "wall_time",
        "scheduled_requests",
        "queued_requests",
    ];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "worker_id" => self.worker_id = Id::deserialize(value)?,
            "dp_rank" => self.dp_rank = Whole::deserialize(value)?,
            "counter_id" => self.counter_id = Whole::deserialize(value)?,
            "wall_time" => self.wall_time = Real::deserialize(value)?,
            "scheduled_requests" => self.has_scheduled = Section(&mut self.scheduled).deserialize(value)?,
            "queued_requests" => self.has_queued = Section(&mut self.queued).deserialize(value)?,
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}

impl<'de, const IS_QUEUE: bool> Fields<'de> for Work<IS_QUEUE> {
    const ORDER: &'static [&'static str] = if IS_QUEUE {
        &[
            "num_prefill_requests",
            "sum_prefill_tokens",
            "var_prefill_length",
            "num_decode_requests",
            "sum_decode_kv_tokens",
            "var_decode_kv_tokens",
        ]
    } else {
        &[
            "num_prefill_requests",
            "sum_prefill_tokens",
            "var_prefill_length",
            "sum_prefill_kv_tokens",
            "num_decode_requests",
            "sum_decode_kv_tokens",
            "var_decode_kv_tokens",
        ]
    };

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "num_prefill_requests" => self.prefill_requests = Whole::deserialize(value)?,
            "sum_prefill_tokens" => self.prefill_tokens = Whole::deserialize(value)?,
            "var_prefill_length" => self.prefill_length_variance = Real::deserialize(value)?,
            "sum_prefill_kv_tokens" if !IS_QUEUE => self.prefill_kv_tokens = Whole::deserialize(value)?,
            "num_decode_requests" => self.decode_requests = Whole::deserialize(value)?,
            "sum_decode_kv_tokens" => self.decode_kv_tokens = Whole::deserialize(value)?,
            "var_decode_kv_tokens" => self.decode_kv_variance = Real::deserialize(value)?,
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}
