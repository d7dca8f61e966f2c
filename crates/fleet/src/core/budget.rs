//! What one round may cost, so that a flood of replies leaves room for everything else.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::roster::InstanceKey;

/// Replies and bytes that are looked at in one round, at least. What comes on top is counted and not read.
const MIN_REPLIES: u64 = 500_000;
const MAX_BYTES: u64 = 1 << 30;

/// What one round may cost.
#[derive(Debug, Default)]
pub(super) struct Budget {
    replies: u64,
    bytes: u64,
    /// The instance that repeats itself, and how often; several that do cost no more than one look-up each.
    pub(super) repeats: hashbrown::HashMap<InstanceKey, u32>,
    pub(super) has_asked_alone: bool,
    /// Instances that were asked alone, and those of them that answered more than once.
    pub(super) asked_alone: HashSet<InstanceKey>,
    pub(super) answered_again: HashSet<InstanceKey>,
    /// What comes of asking all services repeatedly.
    pub(super) repetition: Option<Repetition>,
}

/// All services are asked again a moment after each reply.
#[derive(Debug, Default)]
pub(super) struct Repetition {
    /// Requests to all services in this round.
    pub(super) asked: u32,
    /// When the next one is due.
    pub(super) next_at: Option<Duration>,
    /// How often each instance answered.
    pub(super) answers: HashMap<InstanceKey, u32>,
    /// Whether what came of it has been looked at.
    pub(super) is_judged: bool,
}

impl Budget {
    pub(super) fn begin_round(&mut self, instances: usize) {
        let spare = (instances as u64) * 2;
        *self = Self {
            replies: MIN_REPLIES.max(spare),
            bytes: MAX_BYTES,
            ..Self::default()
        };
    }

    /// Whether so many replies with so many bytes would all be looked at.
    pub(super) fn has_room(&self, replies: usize, bytes: usize) -> bool {
        self.replies >= replies as u64 && self.bytes >= bytes as u64
    }

    /// Whether a reply of this size is looked at.
    pub(super) fn takes(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        if self.replies == 0 || self.bytes < bytes {
            return false;
        }
        self.replies -= 1;
        self.bytes -= bytes;
        true
    }
}
