//! Replies: whose they are, whether they come in time, and what they change.

use std::sync::Arc;
use std::time::Duration;

use protocol::LoadReply;
use protocol::subject::can_be_asked;
use smallvec::SmallVec;

use super::ahead::Ahead;
use super::{Arrived, Core, Effect};
use crate::Now;
use crate::describe::Question;
use crate::notice::{About, Level, Notice};
use crate::outcome::ReplyResult;
use crate::roster::{Answer, Held, InstanceKey, PoolKey};
use crate::router::Verdict;

/// How long a new instance's replies wait for its description, from when it is asked.
const DESCRIPTION_PATIENCE: Duration = Duration::from_millis(250);

/// Replies of one instance that are looked at in one round; a well-behaved service sends one.
const MAX_REPLIES_OF_ONE: u32 = 64;

/// Services without room whose instances are asked to describe themselves, until the next round.
const MAX_TURNED_AWAY: usize = 64;

/// Unreadable endpoints of one instance that are remembered.
const MAX_NAMED_ENDPOINTS: usize = 16;

/// Whether a reply comes in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timing {
    /// While its round is open.
    InRound,
    /// Its round has ended without it, but it is as new as any.
    AfterRound,
    /// After the deadline of its round, or after the next one began.
    TooLate,
}

/// What a reply is for one pool, from all of its endpoints there.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) pool: PoolKey,
    /// The gravest result of endpoints that answered for the first time.
    pub(super) judged: Option<ReplyResult>,
    pub(super) is_late: bool,
}

/// What an endpoint is for its pool.
pub(super) enum Piece {
    Judged(ReplyResult),
    Late,
    Repeated,
}

/// A reply that is being taken in.
pub(super) struct Context<'r, 'p> {
    pub(super) reply: &'r LoadReply<'p>,
    pub(super) instance: InstanceKey,
    pub(super) round: u64,
    pub(super) timing: Timing,
    /// Whether it is the instance's first reply to the round.
    pub(super) is_first: bool,
    pub(super) now: Now,
}

impl Core {
    /// Takes in a reply. Every one is counted under exactly one result for each pool.
    pub(super) fn reply<'a>(&mut self, arrived: Arrived<'a>, ahead: &Ahead<'a>, now: Now) {
        let Arrived { round, payload } = arrived;
        let Some((number, timing)) = round.and_then(|number| Some((number, self.timing(number, now)?)))
        else {
            self.common.unreadable += 1;
            self.common.replies += 1;
            self.warn("no round", now, "a reply names a round that does not exist");
            return;
        };
        let is_current = timing == Timing::InRound;
        if let Some(round) = self.round.as_mut().filter(|_| is_current) {
            round.replies += 1;
        }
        if !self.budget.takes(payload.len()) {
            self.common.over_limit += 1;
            self.common.replies += 1;
            self.warn(
                "budget",
                now,
                "replies are not read: the limit on replies in one round is reached",
            );
            return;
        }
        let read_now;
        let read = match &ahead.reply {
            Some(read) => read,
            None => {
                read_now = LoadReply::read(payload);
                &read_now
            }
        };
        let reply = match read {
            Ok(reply) => reply,
            Err(reason) => {
                self.common.unreadable += 1;
                self.common.replies += 1;
                self.voice.unreadable();
                self.say_seldom(About::Collector, "unreadable reply", now, || {
                    Notice::new(Level::Warn, "a service sent a reply that cannot be read")
                        .with("reason", reason)
                        .with("bytes", payload.len())
                });
                return;
            }
        };
        if let Some(round) = self.round.as_mut().filter(|_| is_current) {
            round.readable += 1;
        }
        let known = ahead.instance.filter(|key| self.roster.instance(*key).is_some());
        let Some(instance) = known.or_else(|| self.instance_of(reply, now)) else {
            self.common.over_limit += 1;
            self.common.replies += 1;
            self.turn_away(reply, now);
            return;
        };
        let context = Context {
            reply,
            instance,
            round: number,
            timing,
            is_first: self.roster.instance_mut(instance).answered_in < number,
            now,
        };
        if matches!(self.roster.instance_mut(instance).answer, Answer::Awaited { until } if now.mono < until)
            && self.hold(&context, payload)
        {
            return self.heard(&context);
        }
        if matches!(self.roster.instance_mut(instance).answer, Answer::Awaited { .. }) {
            self.roster.set_answer(instance, Answer::Silent);
            self.judge_held(instance, now);
        }
        if let Some(holder) = self.waits_for(&context)
            && self.hold(&context, payload)
        {
            self.waiting.entry(holder).or_default().push(instance);
            return self.heard(&context);
        }
        self.judge(&context);
        self.heard(&context);
        self.judge_waiting_for(instance, now);
    }

    fn hold(&mut self, context: &Context<'_, '_>, payload: &[u8]) -> bool {
        let held = Held {
            round: context.round,
            at: context.now,
            is_late: context.timing == Timing::TooLate,
            is_first: context.is_first,
            payload,
        };
        self.roster.hold(context.instance, held)
    }

    /// Judges the replies of an instance that were held.
    pub(super) fn judge_held(&mut self, instance: InstanceKey, now: Now) {
        for held in self.roster.take_held(instance) {
            self.dirty(now);
            let Some(timing) = self.timing(held.round, now) else {
                continue;
            };
            // A reply counts from when it came; that its description did not come in time is not its fault.
            let timing = match (timing, held.is_late) {
                (_, true) => Timing::TooLate,
                (Timing::TooLate, false) => Timing::AfterRound,
                (timing, false) => timing,
            };
            // It could be read when it came.
            if let Ok(reply) = LoadReply::read(&held.payload) {
                self.judge(&Context {
                    reply: &reply,
                    instance,
                    round: held.round,
                    timing,
                    is_first: held.is_first,
                    now: held.at,
                });
            }
        }
    }

    fn timing(&self, number: u64, now: Now) -> Option<Timing> {
        let round = self.round.as_ref().filter(|round| number <= round.number)?;
        let is_in_time = now.mono <= round.asked_at + self.plan.settings.round_timeout;
        Some(match number == round.number {
            true if round.is_open => Timing::InRound,
            true if is_in_time => Timing::AfterRound,
            _ if number == 0 => return None,
            _ => Timing::TooLate,
        })
    }

    /// The instance that sent the reply; `None` where there are too many to remember another.
    fn instance_of(&mut self, reply: &LoadReply<'_>, now: Now) -> Option<InstanceKey> {
        if let Some(key) = self.roster.find(&reply.service, &reply.id) {
            return Some(key);
        }
        let subjects = || reply.endpoints.iter().map(|endpoint| &*endpoint.subject);
        let is_decisive = subjects().any(|subject| self.router.wants_description(&reply.service, subject));
        let is_askable = can_be_asked(&reply.service, &reply.id);
        // One that comes just after another of its service is asked a moment later.
        let until = self.asker.asks_newcomers_at(&reply.service, now.mono) + DESCRIPTION_PATIENCE;
        let answer = match (is_askable, is_decisive) {
            (true, true) => Answer::Awaited { until },
            (true, false) => Answer::Unasked,
            (false, _) => Answer::Nondescript,
        };
        let is_awaited = answer.is_open();
        let service = self.word(&reply.service);
        let key = self.roster.add(service.clone(), Arc::from(&*reply.id), answer)?;
        if is_awaited {
            self.asker.want(&service, key);
            self.awaiting.insert((until, key));
        }
        Some(key)
    }

    /// Notes that the instance answered, and whether that is news for the round.
    fn heard(&mut self, context: &Context<'_, '_>) {
        // The end of a round that has been answered is not held against the instance.
        let rounds = self.aging.rounds() + u64::from(context.timing == Timing::InRound);
        let instance = self.roster.instance_mut(context.instance);
        instance.heard_in = rounds;
        instance.answered_in = instance.answered_in.max(context.round);
        if let Some(round) = &mut self.round
            && context.timing == Timing::InRound
            && context.is_first
        {
            round.last_news = Some(context.now.mono);
            round.heard += 1;
        }
        self.note_turn(context);
    }

    /// There is no room for the instance, unless it describes itself: its service is asked to.
    fn turn_away(&mut self, reply: &LoadReply<'_>, now: Now) {
        for endpoint in &reply.endpoints {
            let route = self
                .router
                .route(&reply.service, &endpoint.name, &endpoint.subject, None);
            if let Verdict::Member { pool, .. } = route
                && let Some(pool) = self.pool_of.get(&pool)
            {
                self.pools[*pool].books.ignored += 1;
                self.pools[*pool].changed();
            }
        }
        let is_known = self.turned_away.contains(&*reply.service);
        if !is_known && self.turned_away.len() < MAX_TURNED_AWAY && can_be_asked(&reply.service, &reply.id) {
            let service = self.word(&reply.service);
            self.turned_away.insert(service.clone());
            self.effects.push(Effect::Describe(Question {
                service,
                instances: Vec::new(),
            }));
        }
        self.warn(
            "too many instances",
            now,
            "new service instances are left out: the limit on instances is reached",
        );
    }

    fn judge(&mut self, context: &Context<'_, '_>) {
        let is_flood = !context.is_first && {
            let repeats = self.budget.repeats.entry(context.instance).or_default();
            *repeats += 1;
            *repeats >= MAX_REPLIES_OF_ONE
        };
        let mut tallies: SmallVec<[Tally; 2]> = SmallVec::new();
        if is_flood {
            self.warn("flood", context.now, "a service answers many times in one round");
        }
        if context.reply.started.is_some() && context.timing != Timing::TooLate {
            self.roster.instance_mut(context.instance).started = context.reply.started;
        }
        if !context.reply.refused.is_empty() || !self.roster.instance_mut(context.instance).refused.is_empty()
        {
            let refused = context.reply.refused.iter().take(MAX_NAMED_ENDPOINTS);
            self.roster.instance_mut(context.instance).refused = refused.map(ToString::to_string).collect();
        }
        for (place, endpoint) in context.reply.endpoints.iter().enumerate() {
            self.endpoint(context, place, endpoint, is_flood, &mut tallies);
        }
        if context.is_first {
            self.give_up_others(context);
        }
        self.count(context, &tallies);
    }

    fn count(&mut self, context: &Context<'_, '_>, tallies: &[Tally]) {
        let is_cut = !context.reply.refused.is_empty();
        if is_cut && tallies.is_empty() {
            self.common.unreadable += 1;
            self.blame(context.instance, ReplyResult::Malformed);
        }
        self.common.replies += 1;
        let is_asked_again = !tallies.is_empty() && self.is_asked_again(context.instance);
        for tally in tallies {
            let result = match (tally.judged, tally.is_late) {
                (Some(result), false) if is_cut => result.max(ReplyResult::Malformed),
                (Some(result), false) => result,
                (_, true) => ReplyResult::Late,
                // An instance that was asked more than once answers more than once.
                (None, false) if is_asked_again => ReplyResult::Ok,
                (None, false) => ReplyResult::Duplicate,
            };
            let pool = &mut self.pools[tally.pool];
            pool.books.replies[result] += 1;
            pool.changed();
            self.blame(context.instance, result);
        }
        self.dirty(context.now);
    }

    /// Notes of which instance a reply could not be used as it came.
    fn blame(&mut self, key: InstanceKey, result: ReplyResult) {
        if matches!(result, ReplyResult::Ok | ReplyResult::Foreign) {
            return;
        }
        let faults = self.roster.instance_mut(key).faults.get_or_insert_default();
        faults[result] += 1;
        self.worst.note(key, faults.total());
    }
}
