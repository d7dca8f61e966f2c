//! Rounds: when one begins and ends, and what its end means for workers that did not answer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Core, Effect};
use crate::changes::Detail;
use crate::notice::{About, Level, Notice};
use crate::pool::Pool;
use crate::roster::{InstanceKey, PoolKey};
use crate::round::{LinkCheck, Round, Verdict};
use crate::snapshot::LinkView;
use crate::worker::Worker;
use crate::{Finish, Now, WorkerState};

/// Rounds whose start is remembered, to say how late a reply is.
const REMEMBERED_ROUNDS: usize = 1024;

/// Instances that are asked alone in one round, because they did not hear the request.
const MAX_ASKED_ALONE: usize = 10_000;

/// Rounds in which instances of a service answered only when they were asked alone, after which that is reported.
const SURE_OF_SHARED_QUEUE: u32 = 2;

impl Core {
    pub(super) fn round_wakes_at(&self) -> Option<Duration> {
        let round = self.round.as_ref().filter(|round| round.is_open)?;
        let settings = &self.plan.settings;
        let verdict = match round.verdict(self.slowest.patience(), settings, Duration::ZERO) {
            Verdict::WaitUntil(time) => time,
            Verdict::Over(_) => Duration::ZERO,
        };
        round.check_link_at(settings).into_iter().chain([verdict]).min()
    }

    pub(super) fn round_timers(&mut self, now: Now) {
        let settings = self.settings();
        if let Some(round) = &mut self.round
            && round.check_link_at(&settings).is_some_and(|at| now.mono >= at)
        {
            round.link_check = LinkCheck::Running;
            let number = round.number;
            self.effects.push(Effect::CheckLink { round: number });
        }
        if let Some(round) = self.round.as_ref().filter(|round| round.is_open)
            && let Verdict::Over(finish) = round.verdict(self.slowest.patience(), &settings, now.mono)
        {
            match finish {
                Finish::Stall if self.ask_alone(now) => {}
                finish => self.end_round(finish, now),
            }
        }
        if now.mono >= self.next_tick {
            if let Some(round) = self.round.as_ref().filter(|round| round.is_open) {
                let finish = round.finish_at_deadline(self.slowest.patience(), &settings);
                self.end_round(finish, now);
            }
            self.begin_round(now);
        }
    }

    /// A reply may complete the round; everything else waits for a timer.
    pub(super) fn end_complete_round(&mut self, now: Now) {
        let is_complete =
            |round: &Round| round.is_open && round.expected > 0 && round.answered >= round.expected;
        if self.round.as_ref().is_some_and(is_complete) {
            self.end_round(Finish::Complete, now);
        }
    }

    fn begin_round(&mut self, now: Now) {
        let settings = self.settings();
        let late_by = now.mono.saturating_sub(self.next_tick);
        let skipped = (late_by.as_nanos() / settings.poll_interval.as_nanos().max(1)) as u64;
        if self.round.is_some() && skipped > 0 {
            self.rounds_skipped += skipped;
            self.say_seldom(About::Collector, "skipped rounds", now, || {
                let text =
                    "rounds were skipped, because the collector could not keep up; raise --poll-interval";
                Notice::new(Level::Warn, text).with("rounds", skipped)
            });
        }
        self.next_tick += settings.poll_interval * (skipped as u32).saturating_add(1);
        let number = self.round.as_ref().map_or(0, |round| round.number) + 1;
        for pool in self.pools.values_mut() {
            pool.begin_round(number, &self.aging, now, &settings);
        }
        let expected = self.pools.values().map(|pool| pool.expected).sum();
        self.round = Some(Round::new(number, now.mono, expected));
        self.asked.push_back((number, now.mono));
        if self.asked.len() > REMEMBERED_ROUNDS {
            self.asked.pop_front();
        }
        self.budget.begin_round(self.roster.len());
        self.turned_away.clear();
        if self.link.connected {
            self.effects.push(Effect::Ask { round: number });
            self.ask_shared_queues(number);
        } else {
            self.fail_round(None, now);
        }
    }

    /// How long ago a round was asked.
    pub(super) fn latency_of(&self, number: u64, now: Now) -> Option<Duration> {
        let (first, _) = self.asked.front()?;
        let at = usize::try_from(number.checked_sub(*first)?).ok()?;
        let (_, asked_at) = self.asked.get(at)?;
        Some(now.mono.saturating_sub(*asked_at))
    }

    pub(super) fn no_responders(&mut self, number: Option<u64>) {
        if let Some(round) = &mut self.round
            && Some(round.number) == number
        {
            round.no_responders = true;
        }
    }

    pub(super) fn ask_failed(&mut self, number: u64, reason: Option<String>, now: Now) {
        if self
            .round
            .as_ref()
            .is_some_and(|round| round.is_open && round.number == number)
        {
            self.fail_round(reason, now);
        }
    }

    fn fail_round(&mut self, reason: Option<String>, now: Now) {
        if let Some(round) = &mut self.round {
            round.failed = Some(reason.clone().unwrap_or_default());
        }
        if let Some(reason) = reason {
            self.warn(
                "failed round",
                now,
                format!("the services could not be asked: {reason}"),
            );
        }
        self.end_round(Finish::Error, now);
    }

    pub(super) fn link_checked(&mut self, number: u64, is_alive: bool) {
        if let Some(round) = &mut self.round
            && round.number == number
        {
            round.link_check = if is_alive {
                LinkCheck::Alive
            } else {
                LinkCheck::Dead
            };
        }
    }

    pub(super) fn link_changed(&mut self, view: LinkView, now: Now) {
        let was = std::mem::replace(&mut self.link, view);
        if was == view {
            return;
        }
        let restored = view.connected && (!was.connected || view.reconnects > was.reconnects);
        if was.connected && (!view.connected || view.reconnects > was.reconnects) {
            self.aging.link_lost(now);
            self.up = false;
            for pool in self.pools.values_mut() {
                pool.up = false;
                pool.changed();
            }
            if self.round.as_ref().is_some_and(|round| round.is_open) {
                self.fail_round(None, now);
            }
        }
        if restored {
            if view.reconnects > 0 {
                self.aging.link_restored(now);
            }
            self.next_tick = now.mono;
        }
        self.publish(now);
    }

    fn end_round(&mut self, finish: Finish, now: Now) {
        self.judge_waiting(now);
        let Some(round) = self.round.as_mut() else { return };
        round.is_open = false;
        let is_silent = round.replies == 0 && !round.no_responders && finish != Finish::Error;
        let is_proved = !is_silent || round.link_check == LinkCheck::Alive;
        let finish = if is_proved { finish } else { Finish::Error };
        if let Some(latest) = round.latest {
            self.slowest.learn(latest.saturating_sub(round.asked_at));
        }
        let duration = now.mono.saturating_sub(round.asked_at);
        self.up = finish != Finish::Error && (round.readable > 0 || finish == Finish::NoResponders);
        let (number, replies) = (round.number, round.replies);
        self.effects.push(Effect::RoundEnded {
            round: number,
            finish,
        });
        self.aging.round_ended(finish == Finish::Error);
        self.round_ended_at = Some(now.mono);
        let mut finishes: Vec<(PoolKey, Finish)> = Vec::with_capacity(self.pools.len());
        for (key, pool) in &mut self.pools {
            pool.up = self.up;
            finishes.push((key, pool.end_round(finish, duration, now)));
        }
        if !is_proved {
            self.warn(
                "silent link",
                now,
                "the NATS server does not answer; nothing can be said about the workers until it does",
            );
        }
        self.remove_gone(now);
        self.age_early(now);
        // The views show what has changed, and the report says it.
        self.publish(now);
        self.report(&finishes, replies, now);
    }

    /// Forgets workers that missed too many rounds, instances that were not heard for as long, and pools that a glob found
    /// and that are empty now.
    fn remove_gone(&mut self, now: Now) {
        let settings = self.settings();
        let aging = self.aging;
        let may_have_gone = |pool: &&mut Pool| !pool.all_answered;
        for pool in self.pools.values_mut().filter(may_have_gone) {
            let is_gone = |worker: &Worker| worker.is_gone(&aging, now, &settings);
            let gone: Vec<_> = pool
                .workers
                .iter()
                .filter(|(_, worker)| is_gone(worker))
                .map(|(idx, _)| idx)
                .collect();
            for idx in gone {
                if let Some(worker) = pool.remove(idx, Detail::Silent, now) {
                    self.departures.gone(&pool.name, &worker);
                }
            }
        }
        let all_heard = self
            .round
            .as_ref()
            .is_some_and(|round| round.heard == self.roster.len());
        if !all_heard {
            self.remove_silent();
        }
        self.drop_empty_pools(now);
    }

    /// Forgets instances that have not been heard for so long that their workers are gone.
    fn remove_silent(&mut self) {
        let keep = u64::from(self.settings().gone_after) + 1;
        let number = self.aging.rounds();
        let silent: Vec<_> = self
            .roster
            .instances()
            .filter(|(_, instance)| number.saturating_sub(instance.heard_in) > keep)
            .filter(|(_, instance)| instance.held.is_empty())
            .map(|(key, _)| key)
            .collect();
        if !silent.is_empty() {
            for key in silent {
                self.roster.remove(key);
            }
            let services: HashSet<&str> = self
                .roster
                .instances()
                .map(|(_, instance)| &*instance.service)
                .collect();
            self.asker.forget(|service| services.contains(service));
            self.hints.retain(|service, _| services.contains(&**service));
            self.shared_queues
                .retain(|service, _| services.contains(&**service));
        }
    }

    /// Where a round has stalled and exactly one instance of a service answered it, the others that are expected are asked
    /// alone. `true` where some were.
    ///
    /// Of instances whose `$SRV` subscriptions share a queue group, one hears each request; the subject of a single
    /// instance has one subscriber.
    fn ask_alone(&mut self, now: Now) -> bool {
        let Some(round) = &self.round else { return false };
        let number = round.number;
        if round.replies == 0 || self.budget.has_asked_alone {
            return false;
        }
        let mut answering: HashMap<&Arc<str>, usize> = HashMap::new();
        for (_, instance) in self.roster.instances() {
            if instance.answered_in == number {
                *answering.entry(&instance.service).or_default() += 1;
            }
        }
        let is_missing = |worker: &&Worker| worker.expected_in == number && worker.answered_in != number;
        let missing = self
            .pools
            .values()
            .flat_map(|pool| pool.workers.values())
            .filter(is_missing);
        let alone: HashSet<InstanceKey> = missing
            .map(|worker| worker.holder.instance)
            .filter(|key| {
                let instance = self.roster.instance(*key);
                instance.is_some_and(|instance| answering.get(&instance.service) == Some(&1))
            })
            .take(MAX_ASKED_ALONE)
            .collect();
        let name = |key: &InstanceKey| {
            let instance = self.roster.instance(*key)?;
            Some((instance.service.clone(), instance.id.clone()))
        };
        let instances: Vec<_> = alone.iter().filter_map(name).collect();
        if instances.is_empty() {
            return false;
        }
        self.budget.asked_alone = alone;
        self.budget.has_asked_alone = true;
        if let Some(round) = &mut self.round {
            round.last_news = Some(now.mono);
        }
        self.effects.push(Effect::AskInstances {
            round: number,
            instances,
        });
        true
    }

    /// All instances of services that are known to share a queue group are asked alone, and at once.
    fn ask_shared_queues(&mut self, number: u64) {
        let sure = |service: &Arc<str>| {
            self.shared_queues
                .get(service)
                .is_some_and(|rounds| *rounds >= SURE_OF_SHARED_QUEUE)
        };
        if !self
            .shared_queues
            .values()
            .any(|rounds| *rounds >= SURE_OF_SHARED_QUEUE)
        {
            return;
        }
        let instances: Vec<_> = self
            .roster
            .instances()
            .filter(|(_, instance)| sure(&instance.service))
            .take(MAX_ASKED_ALONE)
            .map(|(_, instance)| (instance.service.clone(), instance.id.clone()))
            .collect();
        if !instances.is_empty() {
            self.effects.push(Effect::AskInstances {
                round: number,
                instances,
            });
        }
    }

    /// An instance that was asked alone in this round has answered, for the first time or again. A second answer shows that
    /// it had heard the request for all, and is merely slow.
    pub(super) fn answered_alone(&mut self, key: InstanceKey, is_first: bool, now: Now) {
        let Some(instance) = self.roster.instance(key) else {
            return;
        };
        let service = instance.service.clone();
        if !is_first {
            self.shared_queues.remove(&service);
            return;
        }
        if !self.budget.counted_alone.insert(service.clone()) {
            return;
        }
        let rounds = self.shared_queues.entry(service.clone()).or_default();
        *rounds += 1;
        if *rounds == SURE_OF_SHARED_QUEUE {
            let prefix = self.service_prefix.clone();
            self.say_seldom(About::Pool, &format!("shared queue of {service}"), now, || {
                let text = format!(
                    "instances of this service answer in turn, because their subscriptions to {} share a queue group; they are asked one by one. Subscribe without a queue group",
                    prefix.all()
                );
                Notice::new(Level::Warn, text).with("service", service)
            });
        }
    }

    /// Whether the instances of a service are asked one by one.
    pub(super) fn shares_queue(&self, service: &str) -> bool {
        self.shared_queues
            .get(service)
            .is_some_and(|rounds| *rounds >= SURE_OF_SHARED_QUEUE)
    }

    pub(super) fn state_of(&self, worker: &Worker, now: Now) -> WorkerState {
        worker.state(&self.aging, now, &self.plan.settings)
    }
}
