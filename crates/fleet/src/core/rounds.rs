//! Rounds: when one begins and ends, and what its end means for workers that did not answer.

use std::collections::HashSet;
use std::time::Duration;

use super::{Core, Effect};
use crate::changes::Detail;
use crate::notice::{About, Level, Notice};
use crate::pool::Pool;
use crate::roster::PoolKey;
use crate::round::{LinkCheck, Round, Verdict};
use crate::snapshot::LinkView;
use crate::worker::Worker;
use crate::{Finish, Now, WorkerState};

/// Rounds whose start is remembered, to say how late a reply is.
const REMEMBERED_ROUNDS: usize = 1024;

impl Core {
    pub(super) fn round_wakes_at(&self) -> Option<Duration> {
        let round = self.round.as_ref().filter(|round| round.is_open)?;
        let settings = &self.plan.settings;
        let verdict = match round.verdict(self.slowest.patience(), settings, Duration::ZERO) {
            Verdict::WaitUntil(time) => time,
            Verdict::Over(_) => Duration::ZERO,
        };
        let others = [
            round.check_link_at(settings),
            round.half_time(settings),
            self.asks_again_at(),
        ];
        others.into_iter().flatten().chain([verdict]).min()
    }

    pub(super) fn round_timers(&mut self, now: Now) {
        self.repeat(now);
        let settings = self.settings();
        if let Some(round) = &mut self.round
            && round.check_link_at(&settings).is_some_and(|at| now.mono >= at)
        {
            round.link_check = LinkCheck::Running;
            let number = round.number;
            self.effects.push(Effect::CheckLink { round: number });
        }
        if let Some(round) = &mut self.round
            && round.half_time(&settings).is_some_and(|at| now.mono >= at)
        {
            round.is_past_half_time = true;
            self.ask_alone(now);
        }
        if let Some(round) = self.round.as_ref().filter(|round| round.is_open)
            && let Verdict::Over(finish) = round.verdict(self.slowest.patience(), &settings, now.mono)
        {
            match finish {
                Finish::Stall if self.ask_again(now) || self.ask_alone(now) => {}
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
        let is_complete = |round: &Round| round.is_open && round.is_complete();
        if self.round.as_ref().is_some_and(is_complete) && !self.ask_again(now) {
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
        self.judge_turns(now);
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
            self.ask_in_turn(number);
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
        self.judge_repeated();
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
            self.turns.forget(&services);
        }
    }

    pub(super) fn state_of(&self, worker: &Worker, now: Now) -> WorkerState {
        worker.state(&self.aging, now, &self.plan.settings)
    }
}
