//! [`Worker`]: one member of a pool. What it last reported, when, and counters that outlive its restarts.

use std::sync::Arc;
use std::time::Duration;

use protocol::model_card::Limits;
use protocol::{EndpointLoad, StatsShape, WorkerStats};
use time::OffsetDateTime;

use crate::aging::{Aging, Seen};
use crate::changes::Counted;
use crate::heard::Heard;
use crate::mapped::Found;
use crate::plan::Capacity;
use crate::roster::{InstanceKey, SlotKey};
use crate::snapshot::{CapacitySource, Identity, WorkerView};
use crate::sums::{Departed, Sums};
use crate::{Now, Settings, WorkerState};

/// One worker of a pool.
#[derive(Debug)]
pub(crate) struct Worker {
    /// What does not change from round to round.
    pub(crate) identity: Arc<Identity>,
    /// Which endpoint of which instance speaks for it.
    pub(crate) holder: Holder,
    /// When it answered.
    pub(crate) seen: Seen,
    /// What events report of it.
    pub(crate) heard: Option<Box<Heard>>,
    /// What mappings found in its last reply.
    pub(crate) found: Option<Box<Found>>,
    /// The round that waits for it, and the one that it answered last.
    pub(crate) expected_in: u64,
    pub(crate) answered_in: u64,
    counters: Counters,
    /// What it had counted when it last went, which the pool's sums have already.
    resumed: Sums,
    before: Before,
    step: Step,
    load: Option<WorkerStats>,
    shape: Option<StatsShape>,
    lookup_blocks: u64,
    hit_blocks: u64,
    /// Another instance that reports its id, if there is one.
    pub(crate) double: Option<Box<Double>>,
    /// What its last view showed, by which changes are counted.
    pub(crate) counted: Option<Counted>,
}

/// An instance that reports a worker's id, while another one speaks for the worker.
#[derive(Debug)]
pub(crate) struct Double {
    pub(crate) instance: Arc<str>,
    /// The last round in which it did.
    round: u64,
}

/// What others say that a worker can hold; it counts where the worker reports nothing itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacities<'a> {
    /// What its operator says, which comes first.
    pub(crate) configured: Option<&'a Capacity>,
    /// What is registered in a store of discovery.
    pub(crate) registered: Option<&'a Limits>,
}

/// Which endpoint of which instance speaks for a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) slot: SlotKey,
    pub(crate) instance: InstanceKey,
    pub(crate) started: Option<OffsetDateTime>,
    /// The instance has answered without this endpoint, so that another one may take the worker over.
    pub(crate) gave_up: bool,
}

/// A round, and how many snapshots there were: replies within one step are one change, whatever their order.
pub(crate) type Step = (u64, u64);

/// The worker's counters as its instances reported them, added up over restarts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    requests: Accumulated,
    errors: Accumulated,
    seconds: Option<Accumulated>,
    restarts: u64,
}

/// The state before the current step, to which a younger instance's reply goes back.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    counters: Counters,
    instance: Option<InstanceKey>,
    started: Option<OffsetDateTime>,
}

/// A counter that begins again at zero when the worker restarts, added up so that it never runs backwards.
#[derive(Debug, Clone, Copy, Default)]
struct Accumulated {
    before: f64,
    current: f64,
}

impl Capacities<'_> {
    /// The first that says anything.
    fn source(self) -> CapacitySource {
        match (self.configured, self.registered) {
            (Some(_), _) => CapacitySource::Configured,
            (None, Some(_)) => CapacitySource::Registered,
            (None, None) => CapacitySource::None,
        }
    }

    /// A load with each capacity that it lacks, from the first that has it and is not below what is active.
    fn added_to(self, load: Option<WorkerStats>) -> Option<WorkerStats> {
        let configured = self.configured.map(|known| (known.slots, known.kv_blocks));
        let registered = self.registered.map(|known| (known.slots, known.kv_blocks));
        let known = configured.into_iter().chain(registered);
        known.fold(load, |load, (slots, kv_blocks)| {
            Some(load.unwrap_or_default().with_capacities(slots, kv_blocks))
        })
    }
}

impl Holder {
    /// No instance: the worker is known by its events. Any instance that answers under its id may speak for it.
    pub(crate) fn none() -> Self {
        Self {
            slot: SlotKey::default(),
            instance: InstanceKey::default(),
            started: None,
            gave_up: true,
        }
    }

    /// Whether `other` may not speak for the worker: a second instance with the same worker id, which started before this
    /// one, or at the same time under a smaller id, or under the same id of a service with a smaller name. It holds as long
    /// as this one is remembered, so that a younger instance which misses a round does not make the two alternate.
    pub(crate) fn outranks<'a>(
        &self,
        other: &Self,
        name_of: impl Fn(InstanceKey) -> Option<(&'a str, &'a str)>,
    ) -> bool {
        if self.instance == other.instance || self.gave_up {
            return false;
        }
        let by_age = self.started.cmp(&other.started);
        by_age
            .then_with(|| name_of(self.instance).cmp(&name_of(other.instance)))
            .is_gt()
    }
}

impl Accumulated {
    /// A count that is not reported is zero after a restart, because some clients leave zero out, and else what it was.
    fn advance(&mut self, current: Option<f64>, restarted: bool) {
        if restarted {
            self.before += self.current;
            self.current = 0.0;
        }
        self.current = current.unwrap_or(self.current);
    }

    fn total(self) -> f64 {
        self.before + self.current
    }
}

impl Counters {
    fn sums(&self) -> Sums {
        Sums {
            requests: self.requests.total(),
            errors: self.errors.total(),
            processing_seconds: self.seconds.map_or(0.0, Accumulated::total),
        }
    }
}

impl Before {
    /// A new instance is a restart, unless it started earlier: then it is a second one that goes on. With the same
    /// instance, only another *known* start time is a restart, because a reply that leaves the time out, or writes it
    /// unreadably, does not contradict. A counter that went back always is one.
    fn is_followed_by_restart(&self, holder: &Holder, reported: &EndpointLoad<'_>) -> bool {
        let Some(instance) = self.instance else {
            return false;
        };
        let (was, is) = (self.started, holder.started);
        let began_anew =
            instance != holder.instance || matches!((was, is), (Some(was), Some(is)) if was != is);
        let began_earlier = matches!((was, is), (Some(was), Some(is)) if is < was);
        let counters = &self.counters;
        let count = |count: Option<u64>| count.map(|n| n as f64);
        let went_back = [
            (count(reported.requests), counters.requests.current),
            (count(reported.errors), counters.errors.current),
            (
                reported.processing_seconds,
                counters.seconds.map_or(0.0, |seconds| seconds.current),
            ),
        ]
        .into_iter()
        .any(|(now, then)| now.is_some_and(|now| now < then));
        (began_anew && !began_earlier) || went_back
    }
}

impl Worker {
    /// A worker that has not been taken in yet.
    pub(crate) fn new(identity: Arc<Identity>, holder: Holder, seen: Seen) -> Self {
        Self {
            identity,
            holder,
            seen,
            heard: None,
            found: None,
            expected_in: 0,
            answered_in: 0,
            counters: Counters::default(),
            resumed: Sums::default(),
            before: Before::default(),
            step: (0, 0),
            load: None,
            shape: None,
            lookup_blocks: 0,
            hit_blocks: 0,
            double: None,
            counted: None,
        }
    }

    /// Goes on from where it was when it went.
    pub(crate) fn resume(&mut self, departed: Departed) {
        self.counters = departed.counters;
        self.resumed = departed.counters.sums();
        self.holder.started = departed.started;
        // A step that has been, so that the next one is held against what was before it.
        self.step = (0, 1);
    }

    /// What is remembered of it when it goes.
    pub(crate) fn departed(&self) -> Departed {
        Departed {
            counters: self.counters,
            started: self.holder.started,
        }
    }

    /// Adds what it has counted to the sums of its pool.
    pub(crate) fn add_to(&self, sums: &mut Sums) {
        sums.add_since(self.counters.sums(), self.resumed);
    }

    /// Takes in what an instance reports now; the caller has made sure that it may speak for the worker, and that its load
    /// can be used.
    pub(crate) fn take_in(&mut self, step: Step, holder: Holder, reported: &EndpointLoad<'_>) {
        if self.step == step {
            // A younger instance's reply replaces one that came before it in the same step, as if it had come alone.
            self.counters = self.before.counters;
        } else {
            let is_new = self.step == (0, 0);
            self.before = Before {
                counters: self.counters,
                instance: (!is_new).then_some(self.holder.instance),
                started: self.holder.started,
            };
            self.step = step;
        }
        let restarted = self.before.is_followed_by_restart(&holder, reported);
        if restarted {
            self.counters.restarts += 1;
            if let Some(heard) = &mut self.heard {
                heard.restarted();
            }
        }
        // The start time of an instance is known once it has been reported.
        let is_same = self.holder.instance == holder.instance;
        let started = holder.started.or(self.holder.started.filter(|_| is_same));
        self.holder = Holder { started, ..holder };
        let counters = &mut self.counters;
        let count = |count: Option<u64>| count.map(|n| n as f64);
        counters.requests.advance(count(reported.requests), restarted);
        counters.errors.advance(count(reported.errors), restarted);
        if reported.processing_seconds.is_some() || counters.seconds.is_some() {
            let seconds = counters.seconds.get_or_insert_default();
            seconds.advance(reported.processing_seconds, restarted);
        }
        if let Ok(reading) = &reported.load {
            self.load.clone_from(&reading.stats);
            self.shape = reading.shape;
        }
    }

    /// Reads a little from all over the worker, so that it is in the processor's cache. The result means nothing.
    pub(crate) fn touch(&self) -> u64 {
        let load = self.load.as_ref().and_then(WorkerStats::kv_blocks_active);
        let step = self.answered_in ^ self.step.0 ^ self.hit_blocks ^ self.counters.restarts;
        step ^ load.unwrap_or_default() ^ self.before.counters.restarts
    }

    /// Adds what hit-rate events counted.
    pub(crate) fn count_hits(&mut self, lookup_blocks: u64, hit_blocks: u64) {
        self.lookup_blocks = self.lookup_blocks.saturating_add(lookup_blocks);
        self.hit_blocks = self.hit_blocks.saturating_add(hit_blocks);
    }

    /// Another instance reports the worker's id. Of several one is kept, whatever their order.
    pub(crate) fn doubled(&mut self, instance: &Arc<str>, round: u64) {
        match &mut self.double {
            Some(double) if double.instance == *instance => double.round = double.round.max(round),
            Some(double) if double.instance < *instance => {}
            _ => {
                let instance = instance.clone();
                self.double = Some(Box::new(Double { instance, round }));
            }
        }
    }

    /// Forgets another instance that has not reported the worker's id for so many rounds, or speaks for it now.
    pub(crate) fn forget_double(&mut self, round: u64, after: u32) {
        let is_over = |double: &Double| {
            round > double.round + u64::from(after) || double.instance == self.identity.service_id
        };
        if self.double.as_deref().is_some_and(is_over) {
            self.double = None;
        }
    }

    /// How often it restarted.
    pub(crate) fn restarts(&self) -> u64 {
        self.counters.restarts
    }

    /// Its events show that it restarted.
    pub(crate) fn restarted(&mut self) {
        self.counters.restarts += 1;
    }

    /// What events report of it.
    pub(crate) fn heard(&mut self) -> &mut Heard {
        self.heard.get_or_insert_default()
    }

    /// Whether it answers requests, or publishes events.
    pub(crate) fn state(&self, aging: &Aging, now: Now, settings: &Settings) -> WorkerState {
        let answers = self.seen.has_answered();
        let is_heard = |heard: &Heard| heard.is_fresh(answers, aging, now, settings);
        match self.seen.state(aging, now, settings) {
            WorkerState::Fresh => WorkerState::Fresh,
            _ if self.heard.as_deref().is_some_and(is_heard) => WorkerState::Fresh,
            other => other,
        }
    }

    /// Whether it has missed so many rounds, and publishes nothing that shows that it lives.
    pub(crate) fn is_silent_for(&self, rounds: u32, aging: &Aging, now: Now, settings: &Settings) -> bool {
        let answers = self.seen.has_answered();
        let is_heard = |heard: &Heard| heard.is_fresh(answers, aging, now, settings);
        answers && self.seen.missed(aging) >= rounds && !self.heard.as_deref().is_some_and(is_heard)
    }

    /// When there was last a sign of life.
    pub(crate) fn last_sign(&self) -> Option<Duration> {
        let heard = self.heard.as_ref().and_then(|heard| heard.last());
        self.seen.answered_at().max(heard)
    }

    /// Whether it has neither answered nor published anything for so long that it is gone.
    pub(crate) fn is_gone(&self, aging: &Aging, now: Now, settings: &Settings) -> bool {
        let answers = self.seen.has_answered();
        let is_silent = |heard: &Heard| heard.is_gone(answers, aging, now, settings);
        (!answers || self.seen.is_gone(aging, settings)) && self.heard.as_deref().is_none_or(is_silent)
    }

    /// Whether its time for requests is only that of acknowledging them: Dynamo 1.x answers a request at once, without
    /// anything in it, and sends the result another way.
    fn only_acknowledges(&self) -> bool {
        if *self.identity.layout == *Identity::PLAIN {
            return false;
        }
        let major = self.identity.version.split('.').next().unwrap_or_default();
        self.shape.is_none() && major.parse().is_ok_and(|major: u64| major >= 1)
    }

    /// Until when the view of the worker holds, if nothing happens.
    pub(crate) fn holds_until(&self, now: Now, settings: &Settings) -> Option<Duration> {
        let answered = self.seen.fresh_until(settings).filter(|until| now.mono <= *until);
        let answers = self.seen.has_answered();
        let heard = self.heard.iter();
        let heard = heard.flat_map(|heard| heard.holds_until(answers, now, settings));
        answered.into_iter().chain(heard).min()
    }

    /// The worker as everything else sees it.
    pub(crate) fn view(
        &self,
        aging: &Aging,
        now: Now,
        settings: &Settings,
        capacities: Capacities<'_>,
    ) -> WorkerView {
        let state = self.state(aging, now, settings);
        let answers = self.seen.state(aging, now, settings) == WorkerState::Fresh;
        let heard = || self.heard.as_ref()?.current_load(aging, now, settings);
        // Old values are never shown as current: a worker that is not fresh has no load.
        let load = match (state, &self.load) {
            (WorkerState::Fresh, Some(load)) if answers => Some(load.clone()),
            (WorkerState::Fresh, _) => heard(),
            _ => None,
        };
        let reports_capacity = |load: &WorkerStats| {
            load.request_slots_capacity().is_some() || load.kv_blocks_capacity().is_some()
        };
        let source = match self.load.as_ref().is_some_and(reports_capacity) {
            true => CapacitySource::Reported,
            false => capacities.source(),
        };
        let load = match state {
            WorkerState::Fresh => capacities.added_to(load),
            _ => load,
        };
        WorkerView {
            identity: self.identity.clone(),
            state,
            schema: match self.shape {
                Some(shape) => shape.as_str(),
                None if self.heard.as_ref().is_some_and(|heard| heard.has_load()) => "event",
                None => "none",
            },
            load,
            capacity: source,
            last_seen: self.seen.unix().map(|at| at.as_secs_f64()),
            started: self
                .holder
                .started
                .map(|started| started.unix_timestamp_nanos() as f64 / 1e9),
            requests: self.counters.requests.total(),
            errors: self.counters.errors.total(),
            processing_seconds: (self.counters.seconds)
                .filter(|_| !self.only_acknowledges())
                .map(Accumulated::total),
            restarts: self.counters.restarts,
            lookup_blocks: self.lookup_blocks,
            hit_blocks: self.hit_blocks,
            events: self
                .heard
                .as_ref()
                .map(|heard| Box::new(heard.view(aging, now, settings))),
            mapped: self.found.as_ref().map(|found| found.mapped.clone()),
        }
    }
}
