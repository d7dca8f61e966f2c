//! [`Journal`]: what happened in a fleet, for those who report it.

/// What happened, in lists that are each in the order of time, then of workers. Passes and requests are listed where
/// the fleet's [`Steps`](crate::Steps) are reported.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journal {
    /// Prompts that were looked up.
    pub hits: Vec<HitEvent>,
    /// Steps that engines have taken.
    pub passes: Vec<Pass>,
    /// What became of requests.
    pub requests: Vec<RequestEvent>,
}

/// A prompt was looked up in a worker's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HitEvent {
    /// When, since the start.
    pub time_ns: u64,
    /// The place of the worker in the fleet.
    pub worker: usize,
    /// Blocks of the prompt.
    pub lookup_blocks: u64,
    /// Of these, those that the cache had.
    pub hit_blocks: u64,
}

/// A step that an engine has taken: a forward pass of its model.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pass {
    /// When it ended, since the start.
    pub time_ns: u64,
    /// The place of the worker in the fleet.
    pub worker: usize,
    /// How long it took.
    pub wall_ns: u64,
    /// KV blocks that requests hold at its end.
    pub kv_active_blocks: u64,
    /// Requests of whose prompts it computed something; their tokens are those that it computed, and the variance is
    /// that of whole prompts.
    pub prefill: Group,
    /// Tokens of these prompts that were in the KV-cache before.
    pub prefill_kv_tokens: u64,
    /// Requests of which it made a token; their tokens are their contexts.
    pub decode: Group,
    /// Requests that waited for their first step while it ran; their tokens are their prompts.
    pub waiting: Group,
    /// Requests that waited after they were set back; their tokens are their contexts.
    pub set_back: Group,
}

/// Some requests of a [`Pass`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Group {
    /// How many.
    pub requests: u64,
    /// Their tokens, summed.
    pub tokens: u64,
    /// The variance of their lengths, over all of them.
    pub variance: f64,
}

/// Something became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestEvent {
    /// When, since the start.
    pub time_ns: u64,
    /// The place of the worker in the fleet.
    pub worker: usize,
    /// The request's number, distinct among those of this worker.
    pub request: u64,
    /// What.
    pub change: RequestChange,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestChange {
    /// It came to the worker.
    Arrived {
        /// Tokens of its prompt.
        input: u64,
        /// Of these, those that the worker's cache had at that time.
        cached: u64,
        /// Requests that waited there before it.
        ahead: u64,
    },
    /// It began to run, for the first time.
    Started {
        /// Tokens of its prompt that need not be computed.
        cached: u64,
    },
    /// The first token of its answer was made.
    FirstToken,
    /// It ended.
    Ended {
        /// Tokens of its answer, if all of them were made.
        output: Option<u64>,
    },
}

impl Group {
    /// The group of these lengths, which count as its tokens too.
    pub(crate) fn of(lengths: impl Iterator<Item = u64> + Clone) -> Self {
        let (requests, tokens) = lengths
            .clone()
            .fold((0, 0), |(count, sum), length| (count + 1, sum + length));
        if requests == 0 {
            return Self::default();
        }
        let mean = tokens as f64 / requests as f64;
        let squares: f64 = lengths.map(|length| (length as f64 - mean).powi(2)).sum();
        Self {
            requests,
            tokens,
            variance: squares / requests as f64,
        }
    }
}

impl Journal {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.hits.is_empty() && self.passes.is_empty() && self.requests.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.hits.clear();
        self.passes.clear();
        self.requests.clear();
    }

    /// How long its lists are.
    pub(crate) fn lengths(&self) -> [usize; 3] {
        [self.hits.len(), self.passes.len(), self.requests.len()]
    }

    /// Adds what happened elsewhere.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.hits.append(&mut other.hits);
        self.passes.append(&mut other.passes);
        self.requests.append(&mut other.requests);
    }

    /// Puts in order what came after the lists had these lengths. A worker's events of one moment keep their order: the
    /// sort is stable.
    pub(crate) fn sort_from(&mut self, [hits, passes, requests]: [usize; 3]) {
        self.hits[hits..].sort_by_key(|event| (event.time_ns, event.worker));
        self.passes[passes..].sort_by_key(|pass| (pass.time_ns, pass.worker));
        self.requests[requests..].sort_by_key(|event| (event.time_ns, event.worker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_variance_of_its_whole_population() {
        let group = |lengths: &[u64]| Group::of(lengths.iter().copied());
        assert_eq!(group(&[]), Group::default());
        assert_eq!(group(&[7]).variance, 0.0);
        let expected = Group {
            requests: 4,
            tokens: 20,
            variance: 5.0,
        };
        assert_eq!(group(&[2, 4, 6, 8]), expected);
    }
}
