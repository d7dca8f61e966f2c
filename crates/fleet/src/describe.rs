//! [`Asker`]: which instances are asked for their INFO description, and when. Asking never waits for an answer.
//!
//! New instances are asked one by one; where most of a service's instances are new, the service is asked once for all of
//! them. Instances that stay silent are asked again, less and less often, for they may still be starting.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::roster::{InstanceKey, Roster};

/// The shortest time between two requests for new instances of one service.
const PAUSE: Duration = Duration::from_millis(250);

/// The first and the longest time until silent instances are asked again.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// How much longer the first retry waits for each instance that was asked: a hundred thousand answers take seconds.
const RETRY_PER_INSTANCE: Duration = Duration::from_micros(50);

/// Instances of one service that are asked one by one at a time.
const AT_ONCE: usize = 64;

/// What is known of each service.
#[derive(Debug, Default)]
pub(crate) struct Asker {
    services: HashMap<Arc<str>, Service>,
}

#[derive(Debug, Default)]
struct Service {
    fresh: VecDeque<InstanceKey>,
    silent: VecDeque<InstanceKey>,
    described: usize,
    next_fresh: Duration,
    next_silent: Duration,
    /// When the silent ones were last asked.
    asked_silent: Duration,
    retry: Duration,
}

/// A request for descriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The service's name.
    pub service: Arc<str>,
    /// Which instances; none means all of them.
    pub instances: Vec<Arc<str>>,
}

impl Asker {
    /// A new instance of a service is to be asked.
    pub(crate) fn want(&mut self, service: &Arc<str>, instance: InstanceKey) {
        self.services
            .entry(service.clone())
            .or_default()
            .fresh
            .push_back(instance);
    }

    /// When one that becomes known now will be asked, unless many are before it.
    pub(crate) fn asks_newcomers_at(&self, service: &str, now: Duration) -> Duration {
        let service = self.services.get(service);
        service.map_or(now, |service| service.next_fresh.max(now))
    }

    /// An instance of the service has described itself; others may be about to, so they are not asked again yet,
    /// though newcomers cannot put that off without end.
    pub(crate) fn answered(&mut self, service: &str, now: Duration) {
        if let Some(service) = self.services.get_mut(service) {
            service.described += 1;
            service.retry = service.retry.min(FIRST_RETRY);
            let put_off = (now + service.retry).min(service.asked_silent + LAST_RETRY);
            service.next_silent = service.next_silent.max(put_off);
        }
    }

    /// When the next request is due.
    pub(crate) fn wake_at(&self) -> Option<Duration> {
        let of = |service: &Service| {
            let fresh = (!service.fresh.is_empty()).then_some(service.next_fresh);
            let silent = (!service.silent.is_empty()).then_some(service.next_silent);
            fresh.into_iter().chain(silent).min()
        };
        self.services.values().filter_map(of).min()
    }

    /// The requests that are due.
    pub(crate) fn due(&mut self, roster: &Roster, now: Duration) -> Vec<Question> {
        let mut questions = Vec::new();
        self.services.retain(|name, service| {
            if !service.fresh.is_empty() && now >= service.next_fresh {
                let asked = service.take(roster, name, true, &mut questions);
                service.next_fresh = now + PAUSE;
                if service.silent.is_empty() {
                    service.retry = FIRST_RETRY;
                    service.asked_silent = now;
                    service.next_silent = now + service.retry + RETRY_PER_INSTANCE * asked.len() as u32;
                }
                service.silent.extend(asked);
            }
            if !service.silent.is_empty() && now >= service.next_silent {
                let asked = service.take(roster, name, false, &mut questions);
                service.retry = (service.retry * 2).min(LAST_RETRY);
                service.asked_silent = now;
                service.next_silent = now + service.retry;
                service.silent.extend(asked);
            }
            !service.fresh.is_empty() || !service.silent.is_empty() || service.described > 0
        });
        questions
    }

    /// Forgets services of which no instance is left.
    pub(crate) fn forget(&mut self, is_left: impl Fn(&str) -> bool) {
        self.services.retain(|name, _| is_left(name));
    }
}

impl Service {
    /// Asks the instances in front, or all at once where they are many.
    fn take(
        &mut self,
        roster: &Roster,
        name: &Arc<str>,
        is_fresh: bool,
        questions: &mut Vec<Question>,
    ) -> Vec<InstanceKey> {
        let queue = if is_fresh {
            &mut self.fresh
        } else {
            &mut self.silent
        };
        let is_open = |key: &InstanceKey| {
            roster
                .instance(*key)
                .is_some_and(|instance| instance.answer.is_open() || instance.lacks_profile)
        };
        queue.retain(is_open);
        let for_all = queue.len() > AT_ONCE && queue.len() * 10 > self.described;
        let count = if for_all {
            queue.len()
        } else {
            queue.len().min(AT_ONCE)
        };
        let asked: Vec<InstanceKey> = queue.drain(..count).collect();
        let id = |key: &InstanceKey| Some(roster.instance(*key)?.id.clone());
        if !asked.is_empty() {
            questions.push(Question {
                service: name.clone(),
                instances: match for_all {
                    true => Vec::new(),
                    false => asked.iter().filter_map(id).collect(),
                },
            });
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::Answer;

    const SECOND: Duration = Duration::from_secs(1);

    /// Some silent instances of the service `s`.
    fn silent(count: usize) -> (Roster, Asker, Vec<InstanceKey>) {
        let (mut roster, mut asker) = (Roster::default(), Asker::default());
        let service: Arc<str> = "s".into();
        let keys: Vec<_> = (0..count)
            .map(|id| {
                let key = roster.add(service.clone(), id.to_string().into(), Answer::Silent);
                key.expect("has room")
            })
            .collect();
        keys.iter().for_each(|key| asker.want(&service, *key));
        (roster, asker, keys)
    }

    #[test]
    fn few_instances_are_asked_one_by_one_and_many_all_at_once() {
        let (roster, mut asker, _) = silent(3);
        let questions = asker.due(&roster, Duration::ZERO);
        assert_eq!((questions.len(), questions[0].instances.len()), (1, 3));
        let (roster, mut asker, _) = silent(1000);
        let questions = asker.due(&roster, Duration::ZERO);
        assert_eq!((questions.len(), questions[0].instances.len()), (1, 0));
    }

    #[test]
    fn an_instance_that_has_answered_is_not_asked_again() {
        let (mut roster, mut asker, keys) = silent(1);
        assert_eq!(asker.due(&roster, Duration::ZERO).len(), 1);
        roster.set_answer(keys[0], Answer::Nondescript);
        assert_eq!(asker.due(&roster, 10 * SECOND), []);
        assert_eq!(asker.wake_at(), None);
    }

    #[test]
    fn a_silent_instance_is_asked_again_less_and_less_often() {
        let (roster, mut asker, _) = silent(1);
        let asked: Vec<u64> = (0..400)
            .filter(|quarter| !asker.due(&roster, *quarter * SECOND / 4).is_empty())
            .map(u64::from)
            .collect();
        assert_eq!(asked[..5], [0, 3, 7, 15, 31], "quarters of a second");
        assert!(asked.windows(2).all(|pair| pair[1] - pair[0] <= 120), "{asked:?}");
    }

    #[test]
    fn new_instances_of_a_service_that_is_known_do_not_make_all_of_it_answer() {
        let (roster, mut asker, _) = silent(100);
        for _ in 0..100_000 {
            asker.answered("s", Duration::ZERO);
        }
        let questions = asker.due(&roster, Duration::ZERO);
        assert_eq!(questions[0].instances.len(), AT_ONCE);
    }
}
