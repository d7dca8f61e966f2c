//! [`Request`]: what comes to a worker, and what is left of it at its end.

use std::sync::Arc;

use super::kv_pool::Link;
use crate::trace::Trace;

/// A request on its way. Times are nanoseconds since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Distinct among the requests of one cell.
    pub(crate) id: u64,
    pub(crate) arrived: u64,
    /// Tokens of the prompt, at least 1.
    pub(crate) input: u64,
    /// Tokens of the answer, at least 1.
    pub(crate) output: u64,
    /// The leading blocks of the prompt that others may share.
    pub(crate) chain: Vec<Link>,
    /// The conversation it belongs to, or the user who sent it.
    pub(crate) session: u64,
    /// How many turns the conversation still has after this one.
    pub(crate) turns_left: u32,
    /// For a request from outside: under which number its caller is known.
    pub(crate) ticket: Option<u64>,
    /// The turn of a trace that follows its end.
    pub(crate) next: Option<(Arc<Trace>, usize)>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All of its answer was made.
    Finished,
    /// The queue was full, or the worker takes none.
    Rejected,
    /// No worker of this size could ever run it.
    Unservable,
    /// Its caller went away, or its worker did.
    Cancelled,
}

/// A request that has ended, and what is left of it in its worker's cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) request: Request,
    pub(crate) ending: Ending,
    pub(crate) at: u64,
    /// What the next turn of its conversation finds behind its chain.
    pub(crate) kept: Option<Link>,
    /// Tokens that `chain` and `kept` cover.
    pub(crate) covered: u64,
}
