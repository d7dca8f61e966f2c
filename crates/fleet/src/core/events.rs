//! Events: to whom they belong, workers that are known by them alone, and those that come before their worker is known.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use protocol::events::Topic;
use protocol::subject::SubjectParts;
use protocol::{KvMetrics, LoadSource, WorkerId};

use super::Core;
use super::places::Place;
use crate::Now;
use crate::changes::Detail;
use crate::events::EventBatch;
use crate::nameless::PartialPath;
use crate::notice::{About, Level, Notice};
use crate::outcome::{EventCounts, EventResult};
use crate::pool::MAX_WORKERS;
use crate::roster::{PoolKey, WorkerIdx};
use crate::snapshot::{EventScope, Identity, PoolName, WorkerKey};
use crate::worker::{Holder, Worker};

/// Load events of workers not yet found that are kept, and for how many rounds.
const MAX_EARLY: usize = 4096;
const EARLY_ROUNDS: u32 = 2;

/// Workers that are known by their events alone, and pools, above which such workers make no more of either: any publisher
/// can make up names.
pub(crate) const MAX_SENDERS: usize = 200_000;
pub(crate) const MAX_POOLS: usize = 10_000;

/// How often workers that are known by their events alone are looked at.
const SENDERS_CHECK: Duration = Duration::from_millis(500);

/// Load that was reported by workers that no round has found yet: they report it when they start, and then not again
/// until it changes.
#[derive(Debug, Default)]
pub(super) struct Early(HashMap<(PoolKey, WorkerId), Vec<EarlyLoad>>);

#[derive(Debug)]
struct EarlyLoad {
    event: KvMetrics,
    at: Now,
    rounds: u32,
    /// Rounds since the first event of this rank and source, which later ones replace.
    known_rounds: u32,
    /// The worker published it itself, and only this pool can be its.
    is_member: bool,
}

/// How an event of one worker is to be taken in.
pub(super) struct Sender<'a> {
    pub(super) place: &'a Place,
    pub(super) topic: Topic,
    pub(super) worker: WorkerId,
    /// Whether the worker published it itself.
    pub(super) is_own: bool,
}

impl Sender<'_> {
    /// What the event says of the worker's path, if the worker published it.
    fn own(&self) -> Option<EventScope> {
        self.place.scope.filter(|_| self.is_own)
    }
}

impl Early {
    fn keep(&mut self, pool: PoolKey, event: &KvMetrics, is_member: bool, now: Now) {
        let key = (pool, event.worker_id);
        let is_same =
            |known: &EarlyLoad| known.event.dp_rank == event.dp_rank && known.event.source == event.source;
        if self.0.len() >= MAX_EARLY && !self.0.contains_key(&key) {
            return;
        }
        let events = self.0.entry(key).or_default();
        let known_rounds = events
            .iter()
            .find(|known| is_same(known))
            .map_or(0, |known| known.known_rounds);
        events.retain(|known| !is_same(known));
        if events.len() < 64 {
            events.push(EarlyLoad {
                event: event.clone(),
                at: now,
                rounds: 0,
                known_rounds,
                is_member,
            });
        }
    }

    pub(super) fn forget(&mut self, pool: PoolKey) {
        self.0.retain(|(known, _), _| *known != pool);
    }
}

impl Core {
    /// Takes in events. An event about a worker of one pool is no unknown worker's for another.
    pub(super) fn events(&mut self, batch: EventBatch, now: Now) {
        self.hearing.add(&batch.hearing);
        let places: Vec<Arc<Place>> = batch
            .subjects
            .iter()
            .map(|(subject, _)| self.place(subject))
            .collect();
        let place = |subject: &u32| &*places[*subject as usize];
        let topic = |subject: &u32| batch.subjects[*subject as usize].1;

        let mut passes: Vec<_> = batch.passes.iter().collect();
        // What comes first may decide which pools there are, and sums of fractions depend on their order.
        passes.sort_unstable_by_key(|(key, _)| **key);
        for ((subject, worker, rank), sum) in passes {
            let sender = Sender {
                place: place(subject),
                topic: topic(subject),
                worker: *worker,
                is_own: true,
            };
            let Some((pool, worker)) = self.sender(&sender, &taken(sum.events), now) else {
                continue;
            };
            let (aging, settings) = (self.aging, self.settings());
            let pool = &mut self.pools[pool];
            let worker = &mut pool.workers[worker];
            let begins_anew = worker.heard().passes(*rank, sum, now, &aging, &settings);
            // The replies of a worker that answers show its restarts.
            if begins_anew && !worker.seen.has_answered() {
                worker.restarted();
            }
            pool.books.pass_seconds.merge(&sum.seconds);
        }
        self.cache_events(&batch.opt_in, place, now);
        let mut hits: Vec<_> = batch.hits.iter().collect();
        hits.sort_unstable_by_key(|(key, _)| **key);
        for ((subject, worker), hits) in hits {
            let sender = Sender {
                place: place(subject),
                topic: topic(subject),
                worker: *worker,
                is_own: false,
            };
            if let Some((pool, worker)) = self.sender(&sender, &taken(hits.events), now) {
                let pool = &mut self.pools[pool];
                pool.workers[worker].count_hits(hits.lookup_blocks, hits.hit_blocks);
                pool.books.hit_ratios.merge(&hits.ratios);
            }
        }
        let mut loads: Vec<_> = batch.loads.iter().collect();
        // Of one worker's rank, the most trustworthy source comes last.
        loads.sort_unstable_by_key(|(key, _)| **key);
        for ((subject, worker, _, _), load) in loads {
            let sender = Sender {
                place: place(subject),
                topic: topic(subject),
                worker: *worker,
                is_own: load.is_own,
            };
            self.load_event(&sender, &load.event, &load.results, now);
        }
        self.sequence_events(&batch.opt_in, place, now);
        let mut refused: Vec<_> = batch.refused.iter().collect();
        refused.sort_unstable_by_key(|(subject, _)| **subject);
        for (subject, results) in refused {
            self.count_events(place(subject), results);
        }
        for (key, count) in self.shared_places.take_foreign() {
            if let Some(pool) = self.pools.get_mut(key) {
                pool.books.events[EventResult::Foreign] += count;
                pool.books_changed();
            }
        }
        self.frontends.records.add(&batch.records);
        self.traces(batch.traces, now);
        self.dirty(now);
    }

    /// The worker that an event is about, which is counted. One that publishes events itself where only workers of one
    /// path can is a member of that path's pool.
    pub(super) fn sender(
        &mut self,
        sender: &Sender<'_>,
        results: &EventCounts,
        now: Now,
    ) -> Option<(PoolKey, WorkerIdx)> {
        let found = self
            .worker_of(sender.place, sender.worker)
            .or_else(|| self.newcomer(sender, now));
        let Some((key, worker)) = found else {
            if sender.is_own
                && let Some(place) = &sender.place.nameless
            {
                self.nameless.note(place, sender.worker);
                self.say_nameless(place, now);
            }
            let mut unknown = EventCounts::default();
            unknown[EventResult::UnknownWorker] = results.total();
            self.count_events(sender.place, &unknown);
            return None;
        };
        let epoch = self.aging.link_epoch;
        let pool = &mut self.pools[key];
        pool.workers[worker]
            .heard()
            .note(sender.topic, sender.own(), now, epoch);
        pool.books.count_events(results);
        pool.changed();
        self.shared_places.note(sender.place, key, results.total());
        Some((key, worker))
    }

    fn say_nameless(&mut self, place: &PartialPath, now: Now) {
        let Some(component) = &place.component else {
            return;
        };
        self.say_seldom(About::Collector, &format!("nameless {place}"), now, || {
            let text = format!(
                "workers of {place} publish events that name no endpoint, as Dynamo 1.1 to 1.3 does; watch them by --target {}/{component}/ENDPOINT",
                place.namespace
            );
            Notice::new(Level::Warn, text)
        });
    }

    fn newcomer(&mut self, sender: &Sender<'_>, now: Now) -> Option<(PoolKey, WorkerIdx)> {
        let path = sender.place.path.as_ref()?;
        if !sender.is_own || sender.place.scope < Some(EventScope::Component) {
            return None;
        }
        let name = PoolName::Workers(path.clone());
        let has_room = self.pools.len() < MAX_POOLS || self.pool_of.contains_key(&name);
        if !has_room || self.senders >= MAX_SENDERS {
            self.hearing.unassigned.over_limit += 1;
            let text =
                "workers seen only through events are left out: the limit on workers or pools is reached";
            self.warn("too many senders", now, text);
            return None;
        }
        let pool = self.pool(name);
        // The pool may be new since the place was found.
        let known = self.pools[pool]
            .by_key
            .get(&WorkerKey::Id(sender.worker))
            .copied();
        let worker = known.or_else(|| self.add_heard(pool, sender.worker, now));
        Some((pool, worker?))
    }

    /// Adds a worker that is known by its events alone.
    fn add_heard(&mut self, pool_key: PoolKey, id: WorkerId, now: Now) -> Option<WorkerIdx> {
        let pool = &mut self.pools[pool_key];
        if pool.workers.len() >= MAX_WORKERS {
            pool.books.ignored += 1;
            self.warn_full(pool_key, now);
            return None;
        }
        let none: Arc<str> = "".into();
        let identity = Identity {
            key: WorkerKey::Id(id),
            worker_id: id.to_string().into(),
            worker_hex: format!("{id:x}").into(),
            service_id: none.clone(),
            version: none.clone(),
            layout: none.clone(),
            subject: none,
            profile: None,
        };
        let worker = Worker::new(identity.into(), Holder::none(), self.aging.unseen());
        let idx = pool.add(worker, now);
        self.senders += 1;
        self.apply_early(pool_key, idx);
        Some(idx)
    }

    fn load_event(&mut self, sender: &Sender<'_>, event: &KvMetrics, results: &EventCounts, now: Now) {
        let (epoch, settings) = (self.aging.link_epoch, self.settings());
        let is_known = self.worker_of(sender.place, sender.worker).is_some();
        if let Some((pool, worker)) = self.sender(sender, results, now) {
            let worker = &mut self.pools[pool].workers[worker];
            worker.heard().load(event, now, epoch, &settings);
        } else if !is_known {
            let only = sender.place.path.clone().map(PoolName::Workers);
            for pool in &sender.place.pools {
                let is_only = only.as_ref() == self.pools.get(*pool).map(|pool| &pool.name);
                self.early.keep(*pool, event, is_only && sender.is_own, now);
            }
        }
    }

    /// Counts events that are no known worker's for every pool that they may concern.
    fn count_events(&mut self, place: &Place, results: &EventCounts) {
        if place.pools.is_empty() {
            let unassigned = &mut self.hearing.unassigned;
            let reason = match (&place.scope, &place.nameless, &place.path) {
                (_, Some(_), _) => &mut unassigned.no_endpoint,
                (_, None, Some(_)) => &mut unassigned.no_worker,
                (Some(_), None, None) => &mut unassigned.not_selected,
                (None, None, None) => &mut unassigned.bad_subject,
            };
            *reason += results.total();
        }
        for key in &place.pools {
            let Some(pool) = self.pools.get_mut(*key) else {
                continue;
            };
            pool.books.count_events(results);
            if results[EventResult::UnknownWorker] > 0 {
                self.voice.unknown_worker(*key);
            }
            pool.changed();
        }
    }

    fn worker_of(&self, place: &Place, worker: WorkerId) -> Option<(PoolKey, WorkerIdx)> {
        let key = WorkerKey::Id(worker);
        let known = |pool: PoolKey| Some((pool, *self.pools.get(pool)?.by_key.get(&key)?));
        if place.pools.is_empty() {
            // Another event of the batch may have made the pool since.
            let path = place.path.clone()?;
            return known(*self.pool_of.get(&PoolName::Workers(path))?);
        }
        place.pools.iter().find_map(|pool| known(*pool))
    }

    /// Load that was reported before the worker was found.
    pub(super) fn apply_early(&mut self, pool_key: PoolKey, worker: WorkerIdx) {
        let (epoch, settings) = (self.aging.link_epoch, self.settings());
        let pool = &mut self.pools[pool_key];
        let WorkerKey::Id(id) = pool.workers[worker].identity.key else {
            return;
        };
        let mut events = self.early.0.remove(&(pool_key, id)).unwrap_or_default();
        events.sort_by_key(|early| early.event.source);
        for early in &events {
            let heard = pool.workers[worker].heard();
            let own = early.is_member.then_some(EventScope::Namespace);
            heard.note(Topic::KvMetrics, own, early.at, epoch);
            heard.load(&early.event, early.at, epoch, &settings);
        }
    }

    /// Early events grow a round older. A worker that published some itself, that no round has found meanwhile, and whose
    /// namespace has no other path that is watched, does not answer requests: it is known by its events.
    pub(super) fn age_early(&mut self, now: Now) {
        let mut members = Vec::new();
        self.early.0.retain(|(pool, worker), events| {
            let mut is_due = false;
            events.retain_mut(|early| {
                early.rounds += 1;
                early.known_rounds += 1;
                is_due |= early.known_rounds >= EARLY_ROUNDS && early.is_member;
                early.rounds < EARLY_ROUNDS || early.is_member
            });
            if is_due {
                members.push((*pool, *worker));
            }
            !events.is_empty()
        });
        if members.is_empty() {
            return;
        }
        members.sort_unstable();
        let answering = self.answering();
        for (pool, worker) in members {
            if answering.contains(&worker) {
                self.early.0.remove(&(pool, worker));
                continue;
            }
            if !self.pools.contains_key(pool) || self.add_heard(pool, worker, now).is_none() {
                self.early.0.remove(&(pool, worker));
            }
        }
    }

    /// The ids of all workers that answer requests, whether they are watched or not.
    fn answering(&self) -> HashSet<WorkerId> {
        let slots = self.roster.instances().flat_map(|(_, instance)| &instance.slots);
        slots
            .filter_map(|slot| SubjectParts::split(&self.roster.slot(*slot)?.subject)?.guess().1)
            .collect()
    }

    /// How long events of workers that no request finds may be silent is measured in time, and not in rounds.
    pub(super) fn remove_silent_senders(&mut self, now: Now) {
        if self.senders == 0 || now.mono < self.senders_checked + SENDERS_CHECK {
            return;
        }
        self.senders_checked = now.mono;
        self.senders = 0;
        let (aging, settings) = (self.aging, self.settings());
        let mut is_dirty = false;
        for pool in self.pools.values_mut() {
            let mut gone = Vec::new();
            for (idx, worker) in &pool.workers {
                if worker.seen.has_answered() {
                    continue;
                }
                match worker.is_gone(&aging, now, &settings) {
                    true => gone.push(idx),
                    false => self.senders += 1,
                }
            }
            is_dirty |= !gone.is_empty() || pool.is_outdated(now);
            for idx in gone {
                pool.remove(idx, Detail::Silent, now);
            }
        }
        if is_dirty {
            self.dirty(now);
        }
    }

    /// When they are looked at next.
    pub(super) fn senders_checked_at(&self) -> Option<Duration> {
        (self.senders > 0).then(|| self.senders_checked + SENDERS_CHECK)
    }
}

pub(super) fn taken(events: u64) -> EventCounts {
    let mut results = EventCounts::default();
    results[EventResult::Ok] = events;
    results
}

const _: () = {
    // Sorting by key puts the most trustworthy source last.
    assert!((LoadSource::Router as u8) < (LoadSource::Worker as u8));
    assert!((LoadSource::Worker as u8) < (LoadSource::Engine as u8));
};
