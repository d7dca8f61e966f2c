//! [`KvHitRate`]: what a prefix cache already had of a prompt.

use serde::Serialize;

use super::object::{id, object, optional, required};
use super::{EventError, fast};
use crate::WorkerId;
use crate::codec::{Opened, open};

/// The fields of an event that is an array.
const ORDER: &[&str] = &["worker_id", "dp_rank", "isl_blocks", "overlap_blocks"];

/// How many of a prompt's KV blocks a worker's prefix cache already had. At most as many are found as were looked
/// up, in events that are read as in those that are made here.
///
/// ```
/// use protocol::{KvHitRate, WorkerId};
/// let event = KvHitRate::decode(None, br#"{"worker_id": 7, "isl_blocks": 10, "overlap_blocks": 4}"#)?;
/// assert_eq!((event.worker_id(), event.isl_blocks(), event.overlap_blocks()), (WorkerId::new(7), 10, 4));
/// assert_eq!(event.hit_ratio(), Some(0.4));
/// # Ok::<(), protocol::EventError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KvHitRate {
    worker_id: WorkerId,
    dp_rank: u64,
    isl_blocks: u64,
    overlap_blocks: u64,
}

impl KvHitRate {
    /// An event of rank 0: of `isl_blocks` that were looked up, `overlap_blocks` were found.
    ///
    /// # Errors
    /// [`EventError::OverlapAboveLookup`] where more blocks are found than looked up.
    ///
    /// ```
    /// use protocol::{Encoding, KvHitRate, WorkerId};
    /// let event = KvHitRate::new(WorkerId::new(7), 10, 4)?;
    /// let payload = Encoding::Json.encode(&event)?;
    /// assert_eq!(payload, br#"{"worker_id":7,"dp_rank":0,"isl_blocks":10,"overlap_blocks":4}"#);
    /// assert!(KvHitRate::new(WorkerId::new(7), 4, 10).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(worker_id: WorkerId, isl_blocks: u64, overlap_blocks: u64) -> Result<Self, EventError> {
        if overlap_blocks > isl_blocks {
            return Err(EventError::OverlapAboveLookup {
                overlap_blocks,
                isl_blocks,
            });
        }
        Ok(Self {
            worker_id,
            dp_rank: 0,
            isl_blocks,
            overlap_blocks,
        })
    }

    /// Opens a message of any generation and reads its event. `content_type` is the message's header, if it has one.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn decode(content_type: Option<&str>, message: &[u8]) -> Result<Self, EventError> {
        Self::read(&open(content_type, message)?)
    }

    /// Reads an event of any generation.
    ///
    /// # Errors
    /// [`EventError`] names what is missing or wrong.
    pub fn read(opened: &Opened<'_>) -> Result<Self, EventError> {
        match fast::hit_rate(opened) {
            Some(event) => Ok(event),
            None => Self::read_any(opened),
        }
    }

    pub(super) fn read_any(opened: &Opened<'_>) -> Result<Self, EventError> {
        let fields = object(opened, ORDER, ORDER.len())?;
        let isl_blocks = required(&fields, "isl_blocks")?;
        let overlap_blocks = required(&fields, "overlap_blocks")?;
        let event = Self::new(id(&fields, "worker_id")?, isl_blocks, overlap_blocks)?;
        Ok(event.of_rank(optional(&fields, "dp_rank")?.unwrap_or(0)))
    }

    /// The same of another rank.
    pub(super) fn of_rank(self, dp_rank: u64) -> Self {
        Self { dp_rank, ..self }
    }

    /// Whose cache it was.
    pub fn worker_id(&self) -> WorkerId {
        self.worker_id
    }

    /// The rank within a data-parallel group; 0 without one, as in events up to 0.6.0.
    pub fn dp_rank(&self) -> u64 {
        self.dp_rank
    }

    /// Blocks of the prompt, all of which were looked up.
    pub fn isl_blocks(&self) -> u64 {
        self.isl_blocks
    }

    /// Blocks of these that the cache had; at most [`isl_blocks`](Self::isl_blocks).
    pub fn overlap_blocks(&self) -> u64 {
        self.overlap_blocks
    }

    /// Found blocks per looked-up block, 0..1, or `None` where none was looked up.
    pub fn hit_ratio(&self) -> Option<f64> {
        (self.isl_blocks > 0).then(|| self.overlap_blocks as f64 / self.isl_blocks as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_rate_event_that_cannot_be_is_refused_by_name() {
        fn check(payload: &str, expected: &str, out_of_range: bool) {
            let error = KvHitRate::decode(None, payload.as_bytes()).expect_err(payload);
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.is_out_of_range(), out_of_range, "{error}");
        }
        check(
            r#"{"worker_id": 1, "isl_blocks": 3, "overlap_blocks": 4}"#,
            "above isl_blocks 3",
            true,
        );
        check(
            r#"{"worker_id": 1, "isl_blocks": -3, "overlap_blocks": 0}"#,
            "isl_blocks is negative",
            true,
        );
        check(
            r#"{"isl_blocks": 3, "overlap_blocks": 0}"#,
            "worker_id is missing",
            false,
        );
        check(
            r#"{"worker_id": "x", "isl_blocks": 3, "overlap_blocks": 0}"#,
            "worker_id is missing or not",
            false,
        );
        check("[1, 2, 3]", "not an object", false);
        check("{", "not JSON", false);
    }

    #[test]
    fn an_event_that_looked_up_nothing_has_no_ratio() {
        let event = KvHitRate::new(WorkerId::new(1), 0, 0).expect("in range");
        assert_eq!(event.hit_ratio(), None);
    }
}
