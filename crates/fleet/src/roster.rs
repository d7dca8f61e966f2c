//! [`Roster`]: every service instance that answers, and a slot for each of its endpoints. Matching is remembered here, so
//! that a reply of a known instance costs one look-up.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{DefaultHashBuilder, HashTable};
use protocol::Description;
use slotmap::{SlotMap, new_key_type};
use smallvec::SmallVec;
use time::OffsetDateTime;

use crate::held::{HeldReplies, Place};
use crate::matching::NearMiss;
use crate::outcome::ReplyCounts;
use crate::snapshot::WorkerKey;
use crate::{Now, Profile, Unread};

new_key_type! {
    /// One service instance.
    pub(crate) struct InstanceKey;
    /// One endpoint of one service instance.
    pub(crate) struct SlotKey;
    /// One pool.
    pub(crate) struct PoolKey;
    /// One worker, in its pool.
    pub(crate) struct WorkerIdx;
}

/// Instances and endpoints that are remembered at most: three times the largest fleet, and a bound on what a hostile service
/// costs.
const MAX_ENTRIES: usize = 600_000;

/// Of these, those of instances without a description. A service that invents ids leaves room for instances that describe
/// themselves.
const MAX_UNDESCRIBED: usize = 400_000;

/// Endpoints of one instance; a reply has no more.
const MAX_SLOTS: usize = 1024;

/// Replies of one instance that are held.
const MAX_HELD: usize = 8;

/// One service instance.
#[derive(Debug)]
pub(crate) struct Instance {
    /// The service's name.
    pub(crate) service: Arc<str>,
    /// The instance's id; any service may claim any id.
    pub(crate) id: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) started: Option<OffsetDateTime>,
    pub(crate) answer: Answer,
    /// What it says of itself, where that is shown.
    pub(crate) profile: Option<Arc<Profile>>,
    /// It is to be asked for its description once more, because other metadata is shown now.
    pub(crate) lacks_profile: bool,
    /// Its endpoints, in the order of its replies.
    pub(crate) slots: SmallVec<[SlotKey; 1]>,
    /// The newest round that it has answered.
    pub(crate) answered_in: u64,
    /// The round in which something was last heard of it.
    pub(crate) heard_in: u64,
    /// Another instance speaks for a worker of which this one has reported, or did so last.
    pub(crate) is_double: bool,
    /// Replies that wait for the description, or for another instance's reply.
    pub(crate) held: Vec<Held<Place>>,
    /// What is wrong with endpoints that cannot be read.
    pub(crate) refused: Vec<String>,
    /// Its replies that could not be used as they came, if there were any.
    pub(crate) faults: Option<Box<ReplyCounts>>,
}

/// What an instance says about itself when it is asked for INFO.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// It has not answered, and its replies wait until this time.
    Awaited { until: Duration },
    /// It has not answered, and is judged by its subjects until it does.
    Silent,
    /// It is a Dynamo worker's, and this is whose.
    Described(Arc<Description>),
    /// It does not describe itself in Dynamo's form, or cannot be asked.
    Nondescript,
    /// It has not been asked, because its description decides nothing.
    Unasked,
}

/// A reply that waits for a description, or for another instance's reply.
#[derive(Debug)]
pub(crate) struct Held<P> {
    pub(crate) round: u64,
    /// When it came, and whether that was too late for its round.
    pub(crate) at: Now,
    pub(crate) is_late: bool,
    /// Whether it is its instance's first reply to the round.
    pub(crate) is_first: bool,
    pub(crate) payload: P,
}

impl<P> Held<P> {
    fn with<Q>(self, payload: impl FnOnce(P) -> Q) -> Held<Q> {
        Held {
            round: self.round,
            at: self.at,
            is_late: self.is_late,
            is_first: self.is_first,
            payload: payload(self.payload),
        }
    }
}

/// One endpoint of one instance.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) subject: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) route: Route,
    /// The newest round that it has answered.
    pub(crate) answered_in: u64,
    /// What is wrong with what it reports, in words.
    pub(crate) complaint: Option<Box<str>>,
    /// What mappings cannot read in its data.
    pub(crate) unread: Box<[Unread]>,
    /// The shape of its load.
    pub(crate) shape: &'static str,
}

/// Where a slot's replies go.
#[derive(Debug)]
pub(crate) enum Route {
    /// To a worker of a pool.
    Member {
        pool: PoolKey,
        key: WorkerKey,
        layout: Arc<str>,
        /// The worker, once a reply with usable load has been taken in.
        worker: WorkerIdx,
    },
    /// To no worker, although the subject has a watched pool's service name.
    Rejected(Box<[(PoolKey, NearMiss)]>),
    /// To no pool.
    Foreign,
}

/// All instances and their endpoints.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    instances: SlotMap<InstanceKey, Instance>,
    slots: SlotMap<SlotKey, Slot>,
    by_name: HashTable<InstanceKey>,
    hasher: DefaultHashBuilder,
    undescribed: usize,
    held: HeldReplies,
}

impl Instance {
    /// The description, if it has one.
    pub(crate) fn description(&self) -> Option<&Description> {
        match &self.answer {
            Answer::Described(description) => Some(description),
            _ => None,
        }
    }
}

impl Answer {
    /// Whether the instance says whose worker it is.
    fn is_described(&self) -> bool {
        matches!(self, Self::Described(_))
    }

    /// Whether the instance has not answered yet.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Awaited { .. } | Self::Silent)
    }
}

impl Roster {
    /// The instance of this service with this id.
    pub(crate) fn find(&self, service: &str, id: &str) -> Option<InstanceKey> {
        let is_it = |key: &InstanceKey| {
            let instance = &self.instances[*key];
            *instance.id == *id && *instance.service == *service
        };
        self.by_name.find(self.hash(service, id), is_it).copied()
    }

    /// Remembers an instance; `None` where there are too many.
    pub(crate) fn add(&mut self, service: Arc<str>, id: Arc<str>, answer: Answer) -> Option<InstanceKey> {
        let is_described = answer.is_described();
        if !self.has_room(is_described) {
            return None;
        }
        self.undescribed += usize::from(!is_described);
        let hash = self.hash(&service, &id);
        let key = self.instances.insert(Instance {
            service,
            id,
            version: Arc::from(""),
            started: None,
            answer,
            profile: None,
            lacks_profile: false,
            slots: SmallVec::new(),
            answered_in: 0,
            heard_in: 0,
            is_double: false,
            held: Vec::new(),
            refused: Vec::new(),
            faults: None,
        });
        let (instances, hasher) = (&self.instances, &self.hasher);
        self.by_name.insert_unique(hash, key, |key| {
            let instance = &instances[*key];
            hasher.hash_one((&*instance.service, &*instance.id))
        });
        Some(key)
    }

    /// Notes what the instance says about itself.
    pub(crate) fn set_answer(&mut self, key: InstanceKey, answer: Answer) {
        let instance = &mut self.instances[key];
        let entries = 1 + instance.slots.len();
        if !instance.answer.is_described() {
            self.undescribed -= entries;
        }
        if !answer.is_described() {
            self.undescribed += entries;
        }
        instance.answer = answer;
    }

    fn has_room(&self, is_described: bool) -> bool {
        let entries = self.instances.len() + self.slots.len();
        entries < MAX_ENTRIES && (is_described || self.undescribed < MAX_UNDESCRIBED)
    }

    /// Remembers an endpoint of an instance; `None` where there are too many.
    pub(crate) fn add_slot(&mut self, key: InstanceKey, slot: Slot) -> Option<SlotKey> {
        let instance = &self.instances[key];
        let is_described = instance.answer.is_described();
        if instance.slots.len() >= 2 * MAX_SLOTS || !self.has_room(is_described) {
            return None;
        }
        self.undescribed += usize::from(!is_described);
        let slot = self.slots.insert(slot);
        self.instances[key].slots.push(slot);
        Some(slot)
    }

    /// The slot of the instance for this subject. Replies have their endpoints in the same order, so it is looked for at
    /// `place` first.
    pub(crate) fn slot_of(&self, key: InstanceKey, subject: &str, place: usize) -> Option<SlotKey> {
        let slots = &self.instances[key].slots;
        let is_it = |slot: &&SlotKey| *self.slots[**slot].subject == *subject;
        slots
            .get(place)
            .filter(is_it)
            .or_else(|| slots.iter().find(is_it))
            .copied()
    }

    /// Keeps a reply until it can be judged; `false` where there is no room.
    pub(crate) fn hold(&mut self, key: InstanceKey, reply: Held<&[u8]>) -> bool {
        let held = &mut self.instances[key].held;
        if held.len() >= MAX_HELD {
            return false;
        }
        let Some(place) = self.held.hold(reply.payload) else {
            return false;
        };
        held.push(reply.with(|_| place));
        true
    }

    /// Takes the replies that were kept for an instance.
    pub(crate) fn take_held(&mut self, key: InstanceKey) -> Vec<Held<Vec<u8>>> {
        let held = self
            .instances
            .get_mut(key)
            .map_or_else(Vec::new, |instance| std::mem::take(&mut instance.held));
        let store = &mut self.held;
        let taken = held
            .into_iter()
            .map(|reply| reply.with(|place| store.take(place)));
        taken.collect()
    }

    /// Forgets endpoints that the instance did not have in its reply to this round, once it has had very many.
    pub(crate) fn forget_old_slots(&mut self, key: InstanceKey, round: u64) {
        let instance = &self.instances[key];
        if instance.slots.len() <= MAX_SLOTS {
            return;
        }
        self.retain_slots(key, |slot| slot.answered_in >= round);
    }

    /// Forgets the endpoints of an instance for which `is_kept` does not hold.
    pub(crate) fn retain_slots(&mut self, key: InstanceKey, is_kept: impl Fn(&Slot) -> bool) {
        let instance = &mut self.instances[key];
        let before = instance.slots.len();
        let slots = &mut self.slots;
        instance.slots.retain(|slot| {
            let is_kept = is_kept(&slots[*slot]);
            if !is_kept {
                slots.remove(*slot);
            }
            is_kept
        });
        if !instance.answer.is_described() {
            self.undescribed -= before - instance.slots.len();
        }
    }

    /// Forgets an instance and its endpoints.
    pub(crate) fn remove(&mut self, key: InstanceKey) {
        self.take_held(key);
        let Some(instance) = self.instances.remove(key) else {
            return;
        };
        if !instance.answer.is_described() {
            self.undescribed -= 1 + instance.slots.len();
        }
        for slot in &instance.slots {
            self.slots.remove(*slot);
        }
        let hash = self.hash(&instance.service, &instance.id);
        if let Ok(entry) = self.by_name.find_entry(hash, |found| *found == key) {
            entry.remove();
        }
    }

    pub(crate) fn instance(&self, key: InstanceKey) -> Option<&Instance> {
        self.instances.get(key)
    }

    pub(crate) fn instance_mut(&mut self, key: InstanceKey) -> &mut Instance {
        &mut self.instances[key]
    }

    /// Marks an instance as one that reports a worker for which another one speaks.
    pub(crate) fn mark_double(&mut self, key: InstanceKey) {
        if let Some(instance) = self.instances.get_mut(key) {
            instance.is_double = true;
        }
    }

    pub(crate) fn slot(&self, key: SlotKey) -> Option<&Slot> {
        self.slots.get(key)
    }

    pub(crate) fn slot_mut(&mut self, key: SlotKey) -> &mut Slot {
        &mut self.slots[key]
    }

    pub(crate) fn instances(&self) -> impl Iterator<Item = (InstanceKey, &Instance)> {
        self.instances.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.instances.len()
    }

    fn hash(&self, service: &str, id: &str) -> u64 {
        self.hasher.hash_one((service, id))
    }
}

#[cfg(test)]
impl Roster {
    /// Panics where the tables or the counts disagree.
    pub(crate) fn assert_consistent(&self) {
        assert_eq!(self.by_name.len(), self.instances.len());
        let (mut slots, mut undescribed, mut held) = (0, 0, 0);
        for (key, instance) in &self.instances {
            assert_eq!(self.find(&instance.service, &instance.id), Some(key));
            assert!(instance.slots.iter().all(|slot| self.slots.contains_key(*slot)));
            slots += instance.slots.len();
            held += instance.held.iter().map(|held| held.payload.len()).sum::<usize>();
            if !instance.answer.is_described() {
                undescribed += 1 + instance.slots.len();
            }
        }
        let counted = (self.slots.len(), self.undescribed, self.held.bytes());
        assert_eq!(counted, (slots, undescribed, held));
    }
}
