//! [`Sequences`]: the requests that routers have assigned to a worker, and their first tokens.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::Now;

/// How long a request counts as assigned if nothing more is heard of it: its end may have been lost.
pub(crate) const EXPIRY: Duration = Duration::from_secs(600);

/// How long a request is remembered that is not assigned. Its router and its worker report one first token each, about at
/// the same time.
const ECHO: Duration = Duration::from_secs(10);

/// Requests of one worker that are remembered.
const MAX_REQUESTS: usize = 65_536;

/// LoRA adapters of one worker that are counted by name. The others are counted together.
const MAX_LORAS: usize = 64;

/// The name under which they are counted.
pub(crate) const OTHER_LORAS: &str = "other";

/// What happened to a request.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) request: RequestKey,
    pub(crate) change: Change,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Change {
    /// It was assigned, with its LoRA adapter.
    Assigned(Option<Arc<str>>),
    FirstToken,
    Done,
}

/// What identifies a request: its id, hashed. Whoever could make two ids meet could as well report a request's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey(u64);

/// The requests of one worker.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    requests: HashMap<RequestKey, Request>,
    assigned: u64,
    /// At most [`MAX_LORAS`] and that for all others. Requests refer to them by their places.
    loras: Vec<Option<Lora>>,
    first_tokens: u64,
    /// Whether routers report what they assign; else only first tokens are known.
    is_assigned_known: bool,
    link_epoch: u32,
}

#[derive(Debug)]
struct Request {
    heard: Duration,
    is_assigned: bool,
    has_first_token: bool,
    lora: Option<u8>,
}

#[derive(Debug)]
struct Lora {
    name: Arc<str>,
    assigned: u64,
    heard: Duration,
}

/// What routers report of one worker's requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SequencesView {
    /// Requests that are assigned to it, if routers report that.
    pub assigned: Option<u64>,
    /// Those of each LoRA adapter, by name.
    pub loras: Vec<(Arc<str>, u64)>,
    /// Requests that got their first token.
    pub first_tokens: u64,
}

impl RequestKey {
    pub(crate) fn of(request_id: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        request_id.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Sequences {
    /// Takes in what happened. There is `room` for so many more requests; returns how many had none.
    pub(crate) fn take_in(&mut self, steps: &[Step], now: Now, link_epoch: u32, room: &mut usize) -> u64 {
        if self.link_epoch != link_epoch {
            // Ends that were reported meanwhile did not come.
            self.forget();
            self.link_epoch = link_epoch;
        }
        let mut turned_away = 0;
        for step in steps {
            turned_away += u64::from(!self.step(step, now.mono, room));
        }
        turned_away
    }

    /// `false` where there is no room.
    fn step(&mut self, step: &Step, now: Duration, room: &mut usize) -> bool {
        let count = self.requests.len();
        let request = match self.requests.get_mut(&step.request) {
            Some(request) => request,
            None if matches!(step.change, Change::Done) => return true,
            None if *room == 0 || count >= MAX_REQUESTS => return false,
            None => {
                *room -= 1;
                let new = Request {
                    heard: now,
                    is_assigned: false,
                    has_first_token: false,
                    lora: None,
                };
                self.requests.entry(step.request).or_insert(new)
            }
        };
        request.heard = now;
        match &step.change {
            Change::Assigned(lora) => {
                self.is_assigned_known = true;
                if !std::mem::replace(&mut request.is_assigned, true) {
                    self.assigned += 1;
                    request.lora = lora
                        .as_ref()
                        .and_then(|name| assign_lora(&mut self.loras, name, now));
                }
            }
            Change::FirstToken => {
                self.first_tokens += u64::from(!std::mem::replace(&mut request.has_first_token, true));
            }
            Change::Done => {
                if std::mem::replace(&mut request.is_assigned, false) {
                    self.assigned -= 1;
                    release_lora(&mut self.loras, request.lora.take(), now);
                }
            }
        }
        true
    }

    /// Forgets requests of which nothing has been heard for too long, and LoRA adapters without any. Says whether the view
    /// has changed.
    pub(crate) fn expire(&mut self, now: Now) -> bool {
        let (assigned, loras) = (&mut self.assigned, &mut self.loras);
        let mut has_changed = false;
        self.requests.retain(|_, request| {
            let age = now.mono.saturating_sub(request.heard);
            let is_kept = age < if request.is_assigned { EXPIRY } else { ECHO };
            if !is_kept && request.is_assigned {
                *assigned -= 1;
                release_lora(loras, request.lora, now.mono);
                has_changed = true;
            }
            is_kept
        });
        for place in &mut self.loras {
            let is_idle = |lora: &Lora| lora.assigned == 0 && now.mono.saturating_sub(lora.heard) >= EXPIRY;
            has_changed |= place.take_if(|lora| is_idle(lora)).is_some();
        }
        has_changed
    }

    /// Forgets all requests, and counts on.
    pub(crate) fn forget(&mut self) {
        self.requests.clear();
        self.loras.clear();
        self.assigned = 0;
        self.is_assigned_known = false;
    }

    /// How many requests are remembered.
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is nothing that will expire.
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.loras.iter().all(Option::is_none)
    }

    pub(crate) fn view(&self, link_epoch: u32) -> SequencesView {
        let is_known = self.is_assigned_known && self.link_epoch == link_epoch;
        let known = self.loras.iter().flatten().filter(|_| is_known);
        let mut loras: Vec<_> = known.map(|lora| (lora.name.clone(), lora.assigned)).collect();
        loras.sort_unstable();
        SequencesView {
            assigned: is_known.then_some(self.assigned),
            loras,
            first_tokens: self.first_tokens,
        }
    }
}

/// Counts a request for its LoRA adapter, and says at which place.
fn assign_lora(loras: &mut Vec<Option<Lora>>, name: &Arc<str>, now: Duration) -> Option<u8> {
    let find = |loras: &[Option<Lora>], name: &str| {
        let is_it = |lora: &Option<Lora>| lora.as_ref().is_some_and(|lora| *lora.name == *name);
        loras.iter().position(is_it)
    };
    let is_other = |lora: &&Lora| *lora.name == *OTHER_LORAS;
    let named = loras.iter().flatten().filter(|lora| !is_other(lora)).count();
    let place = match find(loras, name) {
        Some(place) => place,
        None => {
            let name = match named < MAX_LORAS {
                true => name.clone(),
                false => OTHER_LORAS.into(),
            };
            match find(loras, &name) {
                Some(place) => place,
                None => {
                    let lora = Lora {
                        name,
                        assigned: 0,
                        heard: now,
                    };
                    let free = loras.iter().position(Option::is_none);
                    let place = free.unwrap_or(loras.len());
                    match free {
                        Some(place) => loras[place] = Some(lora),
                        None => loras.push(Some(lora)),
                    }
                    place
                }
            }
        }
    };
    let lora = loras[place].as_mut()?;
    lora.assigned += 1;
    lora.heard = now;
    u8::try_from(place).ok()
}

fn release_lora(loras: &mut [Option<Lora>], place: Option<u8>, now: Duration) {
    if let Some(place) = place
        && let Some(Some(lora)) = loras.get_mut(usize::from(place))
    {
        lora.assigned -= 1;
        lora.heard = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now {
            mono: Duration::from_secs(seconds),
            unix: Duration::from_secs(seconds),
        }
    }

    fn assigned(request: &str, lora: Option<&str>) -> Step {
        step(request, Change::Assigned(lora.map(Into::into)))
    }

    fn step(request: &str, change: Change) -> Step {
        Step {
            request: RequestKey::of(request),
            change,
        }
    }

    /// What is known after these steps, each at its second.
    fn after(steps: Vec<(u64, Step)>, now: u64) -> SequencesView {
        let mut sequences = Sequences::default();
        for (second, step) in steps {
            sequences.expire(at(second));
            assert_eq!(sequences.take_in(&[step], at(second), 0, &mut 100), 0);
        }
        sequences.expire(at(now));
        sequences.view(0)
    }

    #[test]
    fn a_request_is_assigned_until_it_is_done_however_often_either_is_reported() {
        let add = |second| (second, assigned("a", Some("l")));
        let done = |second| (second, step("a", Change::Done));
        let first = |second| (second, step("a", Change::FirstToken));
        let check = |steps: Vec<(u64, Step)>, now, expected: (Option<u64>, u64)| {
            let view = after(steps, now);
            assert_eq!((view.assigned, view.first_tokens), expected);
            let of_lora: u64 = view.loras.iter().map(|(_, count)| count).sum();
            assert_eq!(of_lora, view.assigned.unwrap_or(0));
        };
        check(vec![add(1)], 2, (Some(1), 0));
        check(vec![add(1), add(1)], 2, (Some(1), 0));
        check(vec![add(1), first(2), first(3)], 4, (Some(1), 1));
        check(vec![add(1), first(2), done(3), first(4)], 5, (Some(0), 1));
        check(vec![add(1), done(2), done(3)], 4, (Some(0), 0));
        check(vec![done(1)], 2, (None, 0));
        check(vec![first(1), first(2)], 3, (None, 1));
        check(vec![add(1), done(2), add(3)], 4, (Some(1), 0));
    }

    #[test]
    fn a_request_whose_end_is_lost_expires_and_one_that_is_heard_of_does_not() {
        let check = |steps: Vec<(u64, Step)>, now, expected| {
            assert_eq!(after(steps, now).assigned, Some(expected));
        };
        check(vec![(1, assigned("a", None))], 600, 1);
        check(vec![(1, assigned("a", None))], 601, 0);
        let first = || (300, step("a", Change::FirstToken));
        check(vec![(1, assigned("a", None)), first()], 899, 1);
        check(vec![(1, assigned("a", None)), first()], 900, 0);
    }

    #[test]
    fn loras_beyond_the_limit_are_counted_together_with_one_of_that_name() {
        let name = |n: usize| format!("lora-{n}");
        let mut steps: Vec<_> = (0..MAX_LORAS + 5)
            .map(|n| assigned(&name(n), Some(&name(n))))
            .collect();
        steps.push(assigned("o", Some(OTHER_LORAS)));
        for is_first in [false, true] {
            let mut sequences = Sequences::default();
            if is_first {
                steps.rotate_right(1);
            }
            sequences.take_in(&steps, at(1), 0, &mut 100);
            let view = sequences.view(0);
            assert_eq!((view.assigned, view.loras.len()), (Some(70), MAX_LORAS + 1));
            assert!(view.loras.contains(&(OTHER_LORAS.into(), 6)), "{view:?}");
            assert!(view.loras.is_sorted_by(|a, b| a.0 < b.0), "{view:?}");
        }
    }

    #[test]
    fn a_lora_without_requests_makes_room_after_a_time() {
        let steps = |name: &str| vec![assigned(name, Some(name)), step(name, Change::Done)];
        let mut sequences = Sequences::default();
        for n in 0..MAX_LORAS {
            sequences.take_in(&steps(&n.to_string()), at(1), 0, &mut 1000);
        }
        assert!(
            !sequences.expire(at(600)),
            "the requests are forgotten, and the names are not"
        );
        assert_eq!((sequences.len(), sequences.view(0).loras.len()), (0, MAX_LORAS));
        assert!(!sequences.is_idle());
        assert!(sequences.expire(at(601)) && sequences.is_idle());
        sequences.take_in(&steps("new"), at(602), 0, &mut 1000);
        assert_eq!(sequences.view(0).loras, [("new".into(), 0)]);
    }

    #[test]
    fn requests_are_bounded_and_those_without_room_are_counted() {
        let mut sequences = Sequences::default();
        let steps = [
            assigned("a", None),
            assigned("b", None),
            assigned("c", None),
            step("b", Change::Done),
        ];
        let mut room = 2;
        assert_eq!(sequences.take_in(&steps, at(1), 0, &mut room), 1);
        assert_eq!(
            (room, sequences.len(), sequences.view(0).assigned),
            (0, 2, Some(1))
        );
    }

    #[test]
    fn after_an_outage_what_is_assigned_is_unknown_until_it_is_reported_again() {
        let mut sequences = Sequences::default();
        let steps = [assigned("a", Some("l")), step("a", Change::FirstToken)];
        sequences.take_in(&steps, at(1), 0, &mut 100);
        let view = sequences.view(1);
        assert_eq!((view.assigned, view.loras.len(), view.first_tokens), (None, 0, 1));
        sequences.take_in(&[assigned("b", None)], at(2), 1, &mut 100);
        assert_eq!(sequences.view(1).assigned, Some(1));
    }
}
