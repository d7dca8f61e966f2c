//! What can be seen of an engine from outside.

use serde::{Deserialize, Serialize};

use super::{Engine, Mode};

/// The load of a worker, under the names it has on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Requests that run.
    pub request_active_slots: u64,
    /// The most that can run.
    pub request_total_slots: u64,
    /// Requests that wait.
    pub num_requests_waiting: u64,
    /// KV blocks that requests hold.
    pub kv_active_blocks: u64,
    /// KV blocks in total.
    pub kv_total_blocks: u64,
    /// `kv_active_blocks / kv_total_blocks`, 0 to 1.
    pub gpu_cache_usage_perc: f64,
    /// Blocks found in the cache by blocks looked up, 0 to 1, since the worker started; `None` before the first.
    pub gpu_prefix_cache_hit_rate: Option<f64>,
}

/// What has happened to a worker's requests since the simulation began. Restarts do not set it back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Requests that came.
    pub arrivals: u64,
    /// Of these, those that a full queue or a closed door turned away,
    pub rejected: u64,
    /// those that are too large for the worker,
    pub unservable: u64,
    /// those that wait now,
    pub waiting: u64,
    /// those that run now,
    pub running: u64,
    /// those that got their whole answer,
    pub finished: u64,
    /// and those whose caller or worker went away,
    pub cancelled: u64,
    /// which of them were running at that time.
    pub cancelled_running: u64,
    /// Times that a request began to run; one that was set back begins again.
    pub starts: u64,
    /// Times that a running request was set back for want of blocks.
    pub preemptions: u64,
    /// Blocks of prompts looked up in the cache.
    pub lookup_blocks: u64,
    /// Blocks found there.
    pub hit_blocks: u64,
    /// Tokens of prompts that were computed.
    pub input_tokens: u64,
    /// Tokens of answers that were made.
    pub output_tokens: u64,
    /// Times that the worker came back after it was down.
    pub restarts: u64,
    /// Sum of the times from a request's arrival to its end, in nanoseconds.
    pub response_ns: u64,
    /// Sum of the times from a request's arrival to its first start, in nanoseconds.
    pub queue_ns: u64,
    /// Sum of the times from the arrival to the first token, in nanoseconds, over finished requests.
    pub first_token_ns: u64,
}

/// A worker at a moment, as it would report itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Its load; `None` while it is down.
    pub load: Option<Load>,
    /// What has happened so far.
    pub counters: Counters,
    /// Requests that have ended since the worker came up, well or not.
    pub requests: u64,
    /// Of these, those that did not get their whole answer.
    pub errors: u64,
    /// Sum of the times from their arrival to their end, in nanoseconds.
    pub processing_ns: u64,
}

/// How far a request from outside has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It waits, is computing its prompt, or has made so many tokens of its answer.
    Underway {
        /// How many.
        tokens: u64,
    },
    /// It is not here: it has ended.
    Gone,
}

/// What was true at the end of the last step. What counts events goes on between steps.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shown {
    running: u64,
    blocks: u64,
    starts: u64,
    preemptions: u64,
}

impl Engine {
    /// Keeps what is true now for those who look before the next step ends.
    pub(super) fn show(&mut self) {
        self.shown = self.current();
    }

    fn current(&self) -> Shown {
        Shown {
            running: self.running.len() as u64,
            blocks: self.pool.active(),
            starts: self.counters.starts,
            preemptions: self.counters.preemptions,
        }
    }

    /// The worker at `now`, at or after the last event and before the next.
    pub(crate) fn view(&self, now: u64) -> View {
        let done = self.steps_done(now);
        let (mut shown, mut tokens) = (self.shown, 0);
        if let (1.., Some(step)) = (done, &self.step) {
            // Within a jump, steps have ended without an event; what the first of them began with can be seen now.
            shown = self.current();
            shown.blocks += self.growth(done);
            tokens = done * step.sequences;
        }
        let ended = |counters: &Counters| {
            let failed = counters.rejected + counters.unservable + counters.cancelled;
            (counters.finished + failed, failed)
        };
        let counters = Counters {
            // Who was admitted or set back since then still counts as waiting or running.
            waiting: self.counters.arrivals - ended(&self.counters).0 - shown.running,
            running: shown.running,
            starts: shown.starts,
            preemptions: shown.preemptions,
            output_tokens: self.counters.output_tokens + tokens,
            ..self.counters
        };
        let load = (self.mode != Mode::Down).then(|| {
            let total = self.capacity.total_blocks;
            let lookups = counters.lookup_blocks - self.before.lookup_blocks;
            let hits = counters.hit_blocks - self.before.hit_blocks;
            Load {
                request_active_slots: shown.running,
                request_total_slots: self.capacity.slots,
                num_requests_waiting: counters.waiting,
                kv_active_blocks: shown.blocks,
                kv_total_blocks: total,
                gpu_cache_usage_perc: shown.blocks as f64 / total as f64,
                gpu_prefix_cache_hit_rate: (lookups > 0).then(|| hits as f64 / lookups as f64),
            }
        });
        let (requests, errors) = ended(&counters);
        let (requests_before, errors_before) = ended(&self.before);
        View {
            load,
            counters,
            requests: requests - requests_before,
            errors: errors - errors_before,
            processing_ns: counters.response_ns - self.before.response_ns,
        }
    }

    /// How far the request with this ticket is at `now`.
    pub(crate) fn progress(&self, ticket: u64, now: u64) -> Progress {
        if let Some(running) = self
            .running
            .iter()
            .find(|running| running.request.ticket == Some(ticket))
        {
            let steps = match running.prefill_left {
                0 => self.steps_done(now),
                _ => 0,
            };
            return Progress::Underway {
                tokens: running.generated + steps,
            };
        }
        match self
            .waiting
            .iter()
            .find(|queued| queued.request.ticket == Some(ticket))
        {
            Some(queued) => Progress::Underway {
                tokens: queued.generated(),
            },
            None => Progress::Gone,
        }
    }
}
