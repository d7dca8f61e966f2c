//! Replies are read a few ahead of their turn: the processor then fetches what is known of several instances from memory at
//! the same time, and waits once.

use std::hint::black_box;

use protocol::{LoadReply, ReplyError};
use smallvec::SmallVec;

use super::{Arrived, Core};
use crate::Now;
use crate::roster::{InstanceKey, Route};
use crate::worker::Worker;

/// Replies that are read before the first of them is taken in.
const AHEAD: usize = 16;

/// What is known of a reply before its turn.
#[derive(Debug, Default)]
pub(super) struct Ahead<'p> {
    /// The reply, if it has been read.
    pub(super) reply: Option<Result<LoadReply<'p>, ReplyError>>,
    /// The instance that sent it, if it was known then.
    pub(super) instance: Option<InstanceKey>,
}

impl Core {
    /// Takes in replies one after the other.
    pub(super) fn replies(&mut self, arrived: &[Arrived<'_>], now: Now) {
        for group in arrived.chunks(AHEAD) {
            let mut ahead: SmallVec<[Ahead<'_>; AHEAD]> = group.iter().map(|_| Ahead::default()).collect();
            let bytes = group.iter().map(|arrived| arrived.payload.len()).sum();
            if group.len() > 1 && self.budget.has_room(group.len(), bytes) {
                for (ahead, arrived) in ahead.iter_mut().zip(group) {
                    ahead.reply = Some(LoadReply::read(arrived.payload));
                }
                self.look_up(&mut ahead);
            }
            for (arrived, ahead) in group.iter().zip(&ahead) {
                self.reply(*arrived, ahead, now);
                self.end_complete_round(now);
            }
        }
    }

    /// Finds the instances, and touches what their replies are going to change. Each loop is short, so that the processor
    /// works on several of its turns at once.
    fn look_up(&self, ahead: &mut [Ahead<'_>]) {
        for ahead in &mut *ahead {
            if let Some(Ok(reply)) = &ahead.reply {
                ahead.instance = self.roster.find(&reply.service, &reply.id);
            }
        }
        let mut slots: SmallVec<[_; AHEAD]> = SmallVec::new();
        for ahead in &*ahead {
            let instance = ahead.instance.and_then(|key| self.roster.instance(key));
            slots.extend(instance.and_then(|instance| instance.slots.first().copied()));
        }
        let mut workers: SmallVec<[_; AHEAD]> = SmallVec::new();
        for slot in slots {
            let slot = self.roster.slot(slot);
            black_box(slot.and_then(|slot| slot.subject.as_bytes().first().copied()));
            if let Some(Route::Member { pool, worker, .. }) = slot.map(|slot| &slot.route) {
                workers.push((*pool, *worker));
            }
        }
        for (pool, worker) in workers {
            let worker = self.pools.get(pool).and_then(|pool| pool.workers.get(worker));
            black_box(worker.map(Worker::touch));
        }
    }
}
