//! [`OptIn`]: events of the topics that are listened to where they are asked for, added up.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use protocol::events::{KvEvent, SequenceChange, SequenceEvent};
use protocol::{EventError, WorkerId};

use super::Subject;
use crate::caches::CacheSum;
use crate::sequences::{Change, OTHER_LORAS, RequestKey, Step};

/// Steps of requests in one batch.
const MAX_STEPS: usize = 200_000;

/// Names of LoRA adapters in one batch.
const MAX_LORAS: usize = 10_000;

/// What caches stored and removed, and what happened to requests.
#[derive(Debug, Default)]
pub(crate) struct OptIn {
    pub(crate) caches: HashMap<(Subject, WorkerId, u64), CacheSum>,
    pub(crate) sequences: HashMap<(Subject, WorkerId), SequenceSteps>,
    steps: usize,
    loras: HashSet<Arc<str>>,
}

/// What happened to requests of one worker, in the order in which it came.
#[derive(Debug, Default)]
pub(crate) struct SequenceSteps {
    pub(crate) steps: Vec<Step>,
    /// Whether the worker published one of them itself.
    pub(crate) is_own: bool,
}

impl OptIn {
    /// How many different workers and ranks it has.
    pub(super) fn senders(&self) -> usize {
        self.caches.len() + self.sequences.len()
    }

    /// Whether there is no room for another step of a request.
    pub(super) fn is_full(&self) -> bool {
        self.steps >= MAX_STEPS
    }

    /// Adds up what caches did. A message counts once, for the worker of its first event.
    ///
    /// # Errors
    /// A message without an event is refused.
    pub(super) fn cache(&mut self, subject: Subject, events: &[KvEvent]) -> Result<(), EventError> {
        if events.is_empty() {
            return Err(EventError::NotAnObject);
        }
        for (place, event) in events.iter().enumerate() {
            let key = (subject, event.worker_id, event.dp_rank);
            let sum = self
                .caches
                .entry(key)
                .or_insert_with(|| CacheSum::new(event.event_id));
            sum.messages += u64::from(place == 0);
            sum.add(event);
        }
        Ok(())
    }

    /// Notes what happened to a request.
    pub(super) fn sequence(&mut self, subject: Subject, event: &SequenceEvent<'_>) {
        let change = match event.change {
            SequenceChange::Added { .. } => Change::Assigned(self.lora(event)),
            SequenceChange::PrefillCompleted => Change::FirstToken,
            SequenceChange::Freed => Change::Done,
        };
        self.steps += 1;
        let known = self.sequences.entry((subject, event.worker_id)).or_default();
        known.is_own |= event.router_id == event.worker_id.get();
        known.steps.push(Step {
            request: RequestKey::of(&event.request_id),
            change,
        });
    }

    /// One copy of the name of a request's LoRA adapter.
    fn lora(&mut self, event: &SequenceEvent<'_>) -> Option<Arc<str>> {
        let name = event.lora.as_deref().filter(|name| !name.is_empty())?;
        let name = match self.loras.contains(name) || self.loras.len() < MAX_LORAS {
            true => name,
            false => OTHER_LORAS,
        };
        Some(self.loras.get_or_insert_with(name, |name| name.into()).clone())
    }
}
