//! Endpoints: to which worker of which pool each belongs, and what its reply changes.

use std::sync::Arc;

use protocol::subject::Instance as SubjectInstance;
use protocol::{EndpointLoad, StatsReading};
use smallvec::SmallVec;

use super::Core;
use super::complaints::{complaint, result_of};
use super::replies::{Context, Piece, Tally, Timing};
use crate::aging::Seen;
use crate::outcome::ReplyResult;
use crate::pool::MAX_WORKERS;
use crate::roster::{InstanceKey, PoolKey, Route, Slot, SlotKey, WorkerIdx};
use crate::router::Verdict;
use crate::snapshot::{Identity, WorkerKey};
use crate::worker::{Holder, Worker};
use crate::{Now, PoolName, Profile};

impl Core {
    pub(super) fn endpoint(
        &mut self,
        context: &Context<'_, '_>,
        place: usize,
        endpoint: &EndpointLoad<'_>,
        is_flood: bool,
        tallies: &mut SmallVec<[Tally; 2]>,
    ) {
        let (slot_key, is_new) = match self.roster.slot_of(context.instance, &endpoint.subject, place) {
            Some(slot) => (slot, false),
            None if is_flood => return,
            None => match self.add_slot(context, endpoint) {
                Some(slot) => (slot, true),
                None => return,
            },
        };
        let slot = self.roster.slot_mut(slot_key);
        // Late replies may come in any order.
        let is_overtaken = slot.answered_in > context.round && context.timing == Timing::TooLate;
        let is_repeated = slot.answered_in >= context.round;
        slot.answered_in = slot.answered_in.max(context.round);
        let mut note = |pool: PoolKey, piece: Piece| {
            let at = tallies.iter().position(|tally| tally.pool == pool);
            let at = at.unwrap_or_else(|| {
                tallies.push(Tally {
                    pool,
                    judged: None,
                    is_late: false,
                });
                tallies.len() - 1
            });
            match piece {
                Piece::Judged(result) => tallies[at].judged = tallies[at].judged.max(Some(result)),
                Piece::Late => tallies[at].is_late = true,
                Piece::Repeated => {}
            }
        };
        match &slot.route {
            Route::Foreign => {}
            Route::Rejected(misses) => {
                for (pool, miss) in misses {
                    if miss.is_about_the_id() {
                        let piece = match is_repeated {
                            true => Piece::Repeated,
                            false => Piece::Judged(ReplyResult::InvalidSubject),
                        };
                        note(*pool, piece);
                    }
                }
            }
            Route::Member { pool, worker, .. } => {
                let (pool, worker) = (*pool, *worker);
                let piece = match is_repeated {
                    true if is_overtaken => Piece::Late,
                    true => Piece::Repeated,
                    false => self.member(context, slot_key, pool, worker, endpoint, is_new),
                };
                note(pool, piece);
            }
        }
    }

    /// An endpoint of a pool's worker has answered a round for the first time.
    pub(super) fn member(
        &mut self,
        context: &Context<'_, '_>,
        slot_key: SlotKey,
        pool_key: PoolKey,
        worker: WorkerIdx,
        endpoint: &EndpointLoad<'_>,
        is_new: bool,
    ) -> Piece {
        let now = context.now;
        // Only the data of workers has to be load.
        let is_worker = matches!(self.pools[pool_key].name, PoolName::Workers(_));
        let plain;
        let endpoint = if is_worker {
            endpoint
        } else {
            plain = without_load(endpoint);
            &plain
        };
        let is_unusable = endpoint.load.is_err();
        let result = result_of(endpoint);
        let mut wrong = None;
        if result != ReplyResult::Ok {
            wrong = self.complain(slot_key, pool_key, endpoint, now);
        } else if self.roster.slot_mut(slot_key).complaint.is_some() {
            self.roster.slot_mut(slot_key).complaint = None;
        }
        let holder = self.holder(context, slot_key);
        let worker = self.find_worker(slot_key, pool_key, worker);
        let known = self.pools[pool_key].workers.contains_key(worker);
        self.say_unknown_fields(pool_key, endpoint, now);
        if context.timing == Timing::TooLate {
            let has_answered = |worker: &Worker| worker.seen.has_answered();
            let is_first = !self.pools[pool_key].workers.get(worker).is_some_and(has_answered);
            self.too_late(context, slot_key, pool_key, worker, !is_first);
            if is_first && !is_unusable {
                self.take_in_late(context, slot_key, pool_key, worker, endpoint);
            }
            return Piece::Late;
        }
        let is_open = context.timing == Timing::InRound;
        let is_expected = self.pools[pool_key]
            .workers
            .get(worker)
            .is_some_and(|worker| worker.expected_in == context.round && worker.answered_in < context.round);
        if !is_open && let Some(latency) = self.latency_of(context.round, now) {
            self.slowest.learn(latency.min(self.plan.settings.round_timeout));
        }
        let worker = match known {
            true => worker,
            false if is_unusable => return Piece::Judged(result),
            false => {
                let seen = self.aging.seen(is_open, now);
                match self.add_worker(slot_key, pool_key, holder, seen, now) {
                    Some(worker) => worker,
                    None => return Piece::Judged(ReplyResult::OverLimit),
                }
            }
        };
        let aging = self.aging;
        let pool = &mut self.pools[pool_key];
        if let Some(wrong) = wrong {
            pool.changes.refused(&pool.workers[worker], &wrong, now);
        }
        let state = &mut pool.workers[worker];
        let is_same_instance = state.holder.instance == holder.instance;
        let has_answered = state.answered_in >= context.round;
        let roster = &self.roster;
        let name_of = |key| {
            let instance = roster.instance(key)?;
            Some((&*instance.id, &*instance.service))
        };
        if !is_same_instance && is_unusable {
            // It does not answer for the instance that speaks for the worker.
            return Piece::Judged(result);
        }
        let may_hold = is_same_instance || state.seen.is_late_only();
        if !may_hold && state.holder.outranks(&holder, name_of) {
            self.duplicate(context, pool_key, worker, context.instance);
            self.roster.mark_double(context.instance);
            return Piece::Repeated;
        }
        if is_same_instance && has_answered {
            // One instance that serves an id in two layouts is one worker, and its reply was taken in.
            return Piece::Judged(ReplyResult::Ok);
        }
        if is_open && is_expected {
            pool.answered += 1;
            if let Some(round) = &mut self.round {
                round.answered += 1;
                round.latest = Some(now.mono);
            }
        }
        state.answered_in = state.answered_in.max(context.round);
        if is_unusable {
            return Piece::Judged(result);
        }
        if is_open && is_expected {
            pool.refreshed += 1;
        }
        let displaced = state.holder.instance;
        let is_same_version = roster
            .instance(context.instance)
            .is_some_and(|instance| *instance.version == *context.reply.version);
        let changes_holder = state.holder.slot != slot_key || !is_same_version;
        state.seen = aging.seen(is_open, now);
        state.take_in((context.round, self.sequence), holder, endpoint);
        if changes_holder {
            self.identify(pool_key, worker, slot_key, context);
        }
        self.map(slot_key, pool_key, worker, endpoint, now);
        match (has_answered, !is_open && is_expected && !is_new) {
            (true, _) => {
                self.duplicate(context, pool_key, worker, displaced);
                self.roster.mark_double(displaced);
                Piece::Repeated
            }
            (false, true) => Piece::Late,
            (false, false) => Piece::Judged(result),
        }
    }

    /// A worker's first answer comes too late for its load to be current.
    fn take_in_late(
        &mut self,
        context: &Context<'_, '_>,
        slot_key: SlotKey,
        pool_key: PoolKey,
        worker: WorkerIdx,
        endpoint: &EndpointLoad<'_>,
    ) {
        let (now, holder) = (context.now, self.holder(context, slot_key));
        let seen = self.aging.seen_late(now);
        let worker = match self.pools[pool_key].workers.get_mut(worker) {
            Some(known) => {
                known.seen = seen;
                self.identify(pool_key, worker, slot_key, context);
                Some(worker)
            }
            None => self.add_worker(slot_key, pool_key, holder, seen, now),
        };
        if let Some(worker) = worker {
            let step = (context.round, self.sequence);
            self.pools[pool_key].workers[worker].take_in(step, holder, endpoint);
        }
    }

    pub(super) fn holder(&self, context: &Context<'_, '_>, slot: SlotKey) -> Holder {
        let instance = self.roster.instance(context.instance);
        Holder {
            slot,
            instance: context.instance,
            started: context
                .reply
                .started
                .or(instance.and_then(|instance| instance.started)),
            gave_up: false,
        }
    }

    pub(super) fn add_worker(
        &mut self,
        slot_key: SlotKey,
        pool_key: PoolKey,
        holder: Holder,
        seen: Seen,
        now: Now,
    ) -> Option<WorkerIdx> {
        let slot = self.roster.slot(slot_key)?;
        let Route::Member { key, layout, .. } = &slot.route else {
            return None;
        };
        let instance = self.roster.instance(holder.instance)?;
        let identity = identity(
            key,
            instance.id.clone(),
            instance.version.clone(),
            layout,
            &slot.subject,
            instance.profile.clone(),
        );
        let pool = &mut self.pools[pool_key];
        if pool.workers.len() >= MAX_WORKERS {
            pool.books.ignored += 1;
            self.warn_full(pool_key, now);
            return None;
        }
        let mut worker = Worker::new(identity.into(), holder, seen);
        if let Some(departed) = self.departures.back(&pool.name, key) {
            worker.resume(departed);
        }
        let worker = pool.add(worker, now);
        self.set_worker(slot_key, worker);
        self.apply_early(pool_key, worker);
        Some(worker)
    }

    pub(super) fn warn_full(&mut self, pool: PoolKey, now: Now) {
        let name = self.pools[pool].name.to_string();
        self.warn(
            &format!("full {name}"),
            now,
            format!("{name} has more than {MAX_WORKERS} workers; the others are left out"),
        );
    }

    /// The worker of a slot, which another slot may have made since this one was routed.
    pub(super) fn find_worker(
        &mut self,
        slot_key: SlotKey,
        pool_key: PoolKey,
        worker: WorkerIdx,
    ) -> WorkerIdx {
        let pool = &self.pools[pool_key];
        if pool.workers.contains_key(worker) {
            return worker;
        }
        let found = match self.roster.slot(slot_key).map(|slot| &slot.route) {
            Some(Route::Member { key, .. }) => pool.by_key.get(key).copied().unwrap_or_default(),
            _ => worker,
        };
        self.set_worker(slot_key, found);
        found
    }

    pub(super) fn set_worker(&mut self, slot: SlotKey, idx: WorkerIdx) {
        if let Route::Member { worker, .. } = &mut self.roster.slot_mut(slot).route {
            *worker = idx;
        }
    }

    /// Another instance or version speaks for the worker now.
    pub(super) fn identify(
        &mut self,
        pool: PoolKey,
        worker: WorkerIdx,
        slot_key: SlotKey,
        context: &Context<'_, '_>,
    ) {
        let version = self.word(&context.reply.version);
        let instance = self.roster.instance_mut(context.instance);
        instance.version = version.clone();
        let (id, profile) = (instance.id.clone(), instance.profile.clone());
        let Some(slot) = self.roster.slot(slot_key) else {
            return;
        };
        if let Route::Member { key, layout, .. } = &slot.route {
            self.pools[pool].workers[worker].identity =
                identity(key, id, version, layout, &slot.subject, profile).into();
        }
    }

    pub(super) fn add_slot(
        &mut self,
        context: &Context<'_, '_>,
        endpoint: &EndpointLoad<'_>,
    ) -> Option<SlotKey> {
        let version = self.word(&context.reply.version);
        self.roster.instance_mut(context.instance).version = version;
        let name = Arc::from(&*endpoint.name);
        let route = self.route(context.instance, &endpoint.name, &endpoint.subject);
        self.say_rejected(&route, context.now);
        let shape = endpoint.load.as_ref().ok().and_then(|reading| reading.shape);
        // What is wrong with a worker's data is noted when its reply is taken in.
        let complaint = match &route {
            Route::Member { .. } => None,
            Route::Foreign | Route::Rejected(_) => complaint(endpoint).map(Into::into),
        };
        let slot = Slot {
            subject: Arc::from(&*endpoint.subject),
            name,
            route,
            answered_in: 0,
            complaint,
            unread: Box::default(),
            shape: match (&endpoint.load, shape) {
                (Ok(_), Some(shape)) => shape.as_str(),
                (Ok(_), None) => "none",
                (Err(_), _) => "undecodable",
            },
        };
        let key = self.roster.add_slot(context.instance, slot);
        if key.is_none() {
            self.warn(
                "too many endpoints",
                context.now,
                "new endpoints are left out: the limit on endpoints is reached",
            );
        }
        key
    }

    /// Where the replies of an endpoint go, by what is known of its instance.
    pub(super) fn route(&mut self, instance: InstanceKey, name: &str, subject: &str) -> Route {
        let Some(known) = self.roster.instance(instance) else {
            return Route::Foreign;
        };
        match self
            .router
            .route(&known.service, name, subject, known.description())
        {
            Verdict::Foreign => Route::Foreign,
            Verdict::Rejected(misses) => {
                let of_pool = |(path, miss)| Some((*self.pool_of.get(&PoolName::Workers(path))?, miss));
                Route::Rejected(misses.into_iter().filter_map(of_pool).collect())
            }
            Verdict::Member {
                pool,
                layout,
                instance,
            } => {
                let id = known.id.clone();
                let (pool, key) = match (&pool, instance) {
                    (PoolName::Workers(_), SubjectInstance::Worker(id)) => (pool, WorkerKey::Id(id)),
                    (PoolName::Workers(_), SubjectInstance::Static) => (pool, WorkerKey::Instance(id)),
                    (PoolName::Service { .. }, worker) => {
                        match self.pool_and_key(known, pool, worker, subject) {
                            Some(place) => place,
                            None => return self.too_many_pools(),
                        }
                    }
                };
                let layout = layout.map_or_else(|| Identity::PLAIN.to_owned(), |layout| layout.to_string());
                let layout = self.word(&layout);
                let pool = self.pool(pool);
                let worker = self.pools[pool].by_key.get(&key).copied().unwrap_or_default();
                Route::Member {
                    pool,
                    key,
                    layout,
                    worker,
                }
            }
        }
    }

    /// An instance that answers without an endpoint that it had gives that endpoint's worker up.
    pub(super) fn give_up_others(&mut self, context: &Context<'_, '_>) {
        let Some(instance) = self.roster.instance(context.instance) else {
            return;
        };
        if instance.slots.len() <= context.reply.endpoints.len() {
            return;
        }
        let silent: Vec<SlotKey> = instance
            .slots
            .iter()
            .copied()
            .filter(|slot| {
                self.roster
                    .slot(*slot)
                    .is_some_and(|slot| slot.answered_in < context.round)
            })
            .collect();
        for slot_key in silent {
            let Some(slot) = self.roster.slot(slot_key) else {
                continue;
            };
            if let Route::Member { pool, worker, .. } = slot.route
                && let Some(worker) = self.pools[pool].workers.get_mut(worker)
                && worker.holder.slot == slot_key
            {
                worker.holder.gave_up = true;
            }
        }
        self.roster.forget_old_slots(context.instance, context.round);
    }
}

fn identity(
    key: &WorkerKey,
    service_id: Arc<str>,
    version: Arc<str>,
    layout: &Arc<str>,
    subject: &Arc<str>,
    profile: Option<Arc<Profile>>,
) -> Identity {
    Identity {
        worker_id: match key {
            WorkerKey::Instance(instance) if **layout == *Identity::PLAIN => (**instance).into(),
            _ => key.to_string().into(),
        },
        worker_hex: match key {
            WorkerKey::Id(id) => format!("{id:x}").into(),
            WorkerKey::Instance(_) => "".into(),
        },
        key: key.clone(),
        service_id,
        version,
        layout: layout.clone(),
        subject: subject.clone(),
        profile,
    }
}

/// An endpoint of a plain service, whose data may be anything and is no load.
fn without_load<'a>(endpoint: &EndpointLoad<'a>) -> EndpointLoad<'a> {
    EndpointLoad {
        load: Ok(StatsReading::default()),
        ..endpoint.clone()
    }
}
