//! Instances that answer a request for all in turn: they are asked alone, so that none is missed, and it is found out why.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::budget::Repetition;
use super::replies::{Context, Timing};
use super::{Core, Effect};
use crate::Now;
use crate::notice::{About, Level, Notice};
use crate::roster::InstanceKey;
use crate::turns::{Answers, InTurn, SURE, TurnNews};
use crate::worker::Worker;

/// Instances that are asked alone in one round, because they did not hear the request.
const MAX_ASKED_ALONE: usize = 10_000;

/// How often all services are asked in a round that few instances answer.
const REPETITIONS: u32 = 12;

/// Instances that are doubted to be all: replies that come at the same time slip through an export together.
const MAX_DOUBTED: usize = 3;

/// The time from a reply to the next of these requests. The instance that has just answered would answer first again.
const PAUSE: Duration = Duration::from_millis(25);

/// What a round seems to have shown, until it is sure that no more replies come.
#[derive(Debug, Default)]
pub(super) struct Doubtful {
    round: u64,
    answers: HashMap<Arc<str>, Answers>,
    /// Instances that answered only when they were asked alone.
    alone: HashSet<InstanceKey>,
}

impl Core {
    /// Where few instances have answered a round, all services are asked again, a moment after each reply: another
    /// instance may be hidden behind these. `true` where that begins now.
    pub(super) fn ask_again(&mut self, now: Now) -> bool {
        let Some(round) = &mut self.round else {
            return false;
        };
        let is_doubtful = round.heard > 0 && round.heard <= MAX_DOUBTED;
        if self.budget.repetition.is_some() || !is_doubtful || !self.plan.settings.asks_again {
            return false;
        }
        let number = round.number;
        let answered = self
            .roster
            .instances()
            .filter(|(_, instance)| instance.answered_in == number);
        let answers = answered.map(|(key, _)| (key, 1)).collect();
        round.waits_since = Some(now.mono);
        self.budget.repetition = Some(Repetition {
            asked: 2,
            next_at: None,
            answers,
            is_judged: false,
        });
        self.effects.push(Effect::AskAgain { round: number });
        true
    }

    /// When all services are asked again.
    pub(super) fn asks_again_at(&self) -> Option<Duration> {
        self.budget.repetition.as_ref()?.next_at
    }

    /// Asks all services again, as far as it is time.
    pub(super) fn repeat(&mut self, now: Now) {
        if let Some(repetition) = &mut self.budget.repetition
            && repetition.next_at.is_some_and(|at| now.mono >= at)
            && let Some(round) = self.round.as_mut()
        {
            repetition.next_at = None;
            // A round may end meanwhile; nothing is asked then.
            if repetition.asked >= REPETITIONS {
                round.waits_since = None;
            } else if round.is_open {
                repetition.asked += 1;
                round.waits_since = Some(now.mono);
                self.effects.push(Effect::AskAgain { round: round.number });
            }
        }
    }

    /// Notes how often an instance has answered.
    pub(super) fn note_turn(&mut self, context: &Context<'_, '_>) {
        if context.timing == Timing::TooLate {
            return self.answered_after_all(context);
        }
        if !context.is_first && self.budget.asked_alone.contains(&context.instance) {
            self.budget.answered_again.insert(context.instance);
        }
        let Some(repetition) = &mut self.budget.repetition else {
            return;
        };
        *repetition.answers.entry(context.instance).or_default() += 1;
        repetition.next_at.get_or_insert(context.now.mono + PAUSE);
    }

    /// What came of asking repeatedly: where one reply came to each request and no instance answered all of them, they
    /// answer in turn.
    pub(super) fn judge_repeated(&mut self) {
        let Some(Repetition {
            asked,
            answers,
            is_judged,
            ..
        }) = &mut self.budget.repetition
        else {
            return;
        };
        if std::mem::replace(is_judged, true) {
            return;
        }
        let asked = *asked;
        // An export now and then passes two replies that come at the same time.
        let is_one_by_one = answers.values().sum::<u32>() <= asked + asked / 2;
        let has_heard_all = answers.values().any(|count| *count >= asked);
        if !is_one_by_one || has_heard_all || answers.len() < 2 {
            return;
        }
        let mut services: HashSet<Arc<str>> = HashSet::new();
        for key in answers.keys() {
            services.extend(
                self.roster
                    .instance(*key)
                    .map(|instance| instance.service.clone()),
            );
        }
        self.turns.repeated(&services);
    }

    /// Where a round has stalled, those that are expected are asked alone if exactly one instance of their service answered.
    /// Where none did, one of them is, or all if instances are known to answer in turn. `true` where some were asked.
    pub(super) fn ask_alone(&mut self, now: Now) -> bool {
        let Some(round) = &self.round else { return false };
        let number = round.number;
        if round.replies == 0 || self.budget.has_asked_alone {
            return false;
        }
        // Those that are asked alone now answer once more.
        self.judge_repeated();
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
        let is_in_turn = self.turns.any(SURE).is_some();
        let mut tried: HashSet<&Arc<str>> = HashSet::new();
        let alone: HashSet<InstanceKey> = missing
            .map(|worker| worker.holder.instance)
            .filter(|key| !self.budget.asked_alone.contains(key))
            .filter(|key| {
                let Some(instance) = self.roster.instance(*key) else {
                    return false;
                };
                match answering.get(&instance.service) {
                    Some(1) => true,
                    Some(_) => false,
                    None => tried.insert(&instance.service) || is_in_turn,
                }
            })
            .take(MAX_ASKED_ALONE)
            .collect();
        if alone.is_empty() {
            return false;
        }
        self.budget.has_asked_alone = true;
        if let Some(round) = &mut self.round {
            round.last_news = Some(now.mono);
        }
        self.ask_instances(number, alone);
        true
    }

    /// All instances that are known to answer in turn are asked alone, and at once.
    pub(super) fn ask_in_turn(&mut self, number: u64) {
        let Some(cause) = self.turns.any(SURE) else {
            return;
        };
        // An export concerns all services.
        let is_in_turn = |service: &str| cause == InTurn::Export || self.turns.of(service, SURE).is_some();
        let alone: HashSet<InstanceKey> = self
            .roster
            .instances()
            .filter(|(_, instance)| is_in_turn(&instance.service))
            .take(MAX_ASKED_ALONE)
            .map(|(key, _)| key)
            .collect();
        self.ask_instances(number, alone);
    }

    fn ask_instances(&mut self, round: u64, alone: HashSet<InstanceKey>) {
        let name = |key: &InstanceKey| {
            let instance = self.roster.instance(*key)?;
            Some((instance.service.clone(), instance.id.clone()))
        };
        let instances: Vec<_> = alone.iter().filter_map(name).collect();
        self.budget.asked_alone.extend(alone);
        if !instances.is_empty() {
            self.effects.push(Effect::AskInstances { round, instances });
        }
    }

    /// Before the next round begins: what the round before the last one has shown, and who answered the last one only when
    /// asked alone. A slow instance has a round's time to show that it had heard the request for all.
    pub(super) fn judge_turns(&mut self, now: Now) {
        if let Some(doubtful) = self.doubtful.take() {
            self.turns.round(&doubtful.answers);
        }
        let is_suspect = !self.budget.asked_alone.is_empty() || !self.turns.is_empty();
        if is_suspect && let Some(round) = &self.round {
            let mut doubtful = Doubtful {
                round: round.number,
                ..Doubtful::default()
            };
            for (key, instance) in self.roster.instances() {
                if instance.answered_in != round.number {
                    continue;
                }
                let answers = match doubtful.answers.get_mut(&instance.service) {
                    Some(answers) => answers,
                    None => doubtful.answers.entry(instance.service.clone()).or_default(),
                };
                if self.budget.asked_alone.contains(&key) && !self.budget.answered_again.contains(&key) {
                    answers.alone += 1;
                    doubtful.alone.insert(key);
                } else {
                    answers.together += 1;
                }
            }
            self.doubtful = Some(doubtful);
        }
        for news in self.turns.news() {
            self.say_turn(news, now);
        }
    }

    /// An instance that seemed to have answered only when asked alone answers once more.
    fn answered_after_all(&mut self, context: &Context<'_, '_>) {
        if let Some(doubtful) = &mut self.doubtful
            && doubtful.round == context.round
            && doubtful.alone.remove(&context.instance)
            && let Some(answers) = doubtful.answers.get_mut(&*context.reply.service)
        {
            answers.alone -= 1;
            answers.together += 1;
        }
    }

    fn say_turn(&mut self, news: TurnNews, now: Now) {
        let prefix = self.service_prefix.clone();
        match news {
            // It is one cause for all services.
            TurnNews::InTurn(_, cause @ InTurn::Export) => {
                self.say_seldom(About::Collector, cause.as_str(), now, || {
                    let text = format!(
                        "{}; those that were seen are asked one by one, and others may be missing. To fix it, {}",
                        cause.text(&prefix),
                        cause.remedy(&prefix)
                    );
                    Notice::new(Level::Warn, text)
                });
            }
            TurnNews::InTurn(service, cause) => {
                let key = format!("{} {service}", cause.as_str());
                self.say_seldom(About::Pool, &key, now, || {
                    let text = format!(
                        "{}; they are asked one by one. To fix it, {}",
                        cause.text(&prefix),
                        cause.remedy(&prefix)
                    );
                    Notice::new(Level::Warn, text).with("service", service)
                });
            }
            TurnNews::Together(service) => {
                self.say_seldom(About::Pool, &format!("together {service}"), now, || {
                    Notice::new(Level::Info, "instances of this service answer together now")
                        .with("service", service)
                });
            }
        }
    }

    /// Whether the instance was asked more than once in this round.
    pub(super) fn is_asked_again(&self, instance: InstanceKey) -> bool {
        self.budget.repetition.is_some() || self.budget.asked_alone.contains(&instance)
    }
}
