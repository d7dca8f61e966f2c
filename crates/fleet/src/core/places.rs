//! Places: to which pools the events of a subject belong, and what is listened to.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use protocol::EndpointPath;
use protocol::events::Topic;
use protocol::subject::EventSubject;
use smallvec::SmallVec;

use super::{Core, Effect, Heard, Listening};
use crate::nameless::PartialPath;
use crate::roster::PoolKey;
use crate::snapshot::{EventScope, PoolName};

/// Subjects whose places are remembered. A hostile publisher can make up any number.
const MAX_PLACES: usize = 20_000;

/// What is listened to, and where what is heard belongs.
#[derive(Debug, Default)]
pub(super) struct Places {
    listening: BTreeSet<(String, Heard)>,
    /// Forgotten whenever there is another pool, or one less.
    known: HashMap<Box<str>, Arc<Place>>,
}

/// Where the events of one subject belong.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The pools that an event may concern.
    pub(super) pools: SmallVec<[PoolKey; 2]>,
    /// The path of a worker that is heard here and is not known.
    pub(super) path: Option<EndpointPath>,
    /// How much of the worker's path the subject says; `None` where it is no event's.
    pub(super) scope: Option<EventScope>,
    /// What it says, where a path is watched of which that is not enough.
    pub(super) nameless: Option<PartialPath>,
}

/// Events that several pools look at, in one batch: each is one pool's own, and foreign to the others.
#[derive(Debug, Default)]
pub(super) struct SharedPlaces(HashMap<usize, Shared>);

#[derive(Debug, Default)]
struct Shared {
    pools: SmallVec<[PoolKey; 2]>,
    total: u64,
    own: HashMap<PoolKey, u64>,
}

impl SharedPlaces {
    /// Notes events of a place that are about a worker of `pool`. The place outlives the batch.
    pub(super) fn note(&mut self, place: &Place, pool: PoolKey, events: u64) {
        if place.pools.iter().all(|other| *other == pool) {
            return;
        }
        let shared = self
            .0
            .entry(std::ptr::from_ref(place).addr())
            .or_insert_with(|| Shared {
                pools: place.pools.clone(),
                ..Shared::default()
            });
        shared.total += events;
        *shared.own.entry(pool).or_default() += events;
    }

    /// Each pool, and how many events of the batch were of other pools.
    pub(super) fn take_foreign(&mut self) -> Vec<(PoolKey, u64)> {
        let mut foreign = Vec::new();
        for shared in std::mem::take(&mut self.0).into_values() {
            let count = |pool: &PoolKey| shared.total - shared.own.get(pool).copied().unwrap_or_default();
            foreign.extend(shared.pools.iter().map(|pool| (*pool, count(pool))));
        }
        foreign.retain(|(_, count)| *count > 0);
        foreign
    }
}

impl Places {
    /// The pools have changed.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    #[cfg(test)]
    pub(super) fn assert_lead_to(&self, is_there: impl Fn(PoolKey) -> bool) {
        for place in self.known.values() {
            assert!(place.pools.iter().all(|pool| is_there(*pool)));
        }
    }
}

impl Core {
    /// Listens to what the selectors ask for, and to nothing else.
    pub(super) fn listen(&mut self) {
        let asked = self.settings().topics;
        let is_wanted = |topic: &Topic| match topic {
            Topic::KvEvents => asked.kv_events,
            Topic::ActiveSequences => asked.active_sequences,
            Topic::KvHitRate | Topic::KvMetrics | Topic::ForwardPass => true,
        };
        let topics: Vec<Topic> = Topic::ALL.into_iter().filter(is_wanted).collect();
        let events = self.router.event_patterns(&topics).into_iter();
        let traces = match events.len() {
            0 => &[],
            _ => self.plan.request_traces.as_slice(),
        };
        let wanted: BTreeSet<(String, Heard)> = events
            .map(|subject| (subject, Heard::Events))
            .chain(
                traces
                    .iter()
                    .map(|subject| (subject.clone(), Heard::RequestTraces)),
            )
            .collect();
        let listening = std::mem::replace(&mut self.places.listening, wanted);
        let wanted = &self.places.listening;
        let end = |(subject, _): &(String, Heard)| Listening::End {
            subject: subject.clone(),
        };
        let begin = |(subject, kind): &(String, Heard)| Listening::Begin {
            subject: subject.clone(),
            kind: *kind,
        };
        let ends = listening.difference(wanted).map(end);
        let begins = wanted.difference(&listening).map(begin);
        self.effects.extend(ends.chain(begins).map(Effect::Listen));
        self.places.forget();
    }

    /// Where the events of a subject belong.
    pub(super) fn place(&mut self, subject: &str) -> Arc<Place> {
        if let Some(place) = self.places.known.get(subject) {
            return place.clone();
        }
        let place = Arc::new(self.find_place(subject));
        if self.places.known.len() >= MAX_PLACES {
            self.places.forget();
        }
        self.places.known.insert(subject.into(), place.clone());
        place
    }

    fn find_place(&self, subject: &str) -> Place {
        let readings = EventSubject::read(subject);
        let mut found = Place::default();
        for reading in &readings {
            let place = self.place_of(reading);
            if !place.pools.is_empty() || place.path.is_some() {
                return place;
            }
            // The first reading is the most likely.
            if found.nameless.is_none() && (found.scope.is_none() || place.nameless.is_some()) {
                found = place;
            }
        }
        found
    }

    fn place_of(&self, subject: &EventSubject) -> Place {
        let EventSubject {
            namespace,
            component,
            endpoint,
            ..
        } = subject;
        if let (Some(component), Some(endpoint)) = (component, endpoint) {
            let path = EndpointPath::new(namespace.clone(), component.clone(), endpoint.clone());
            let scope = Some(EventScope::Endpoint);
            if !self.router.selects(&path) {
                return Place {
                    scope,
                    ..Place::default()
                };
            }
            let known = self.pool_of.get(&PoolName::Workers(path.clone()));
            return Place {
                pools: known.into_iter().copied().collect(),
                path: Some(path),
                scope,
                nameless: None,
            };
        }
        let is_within = |name: &PoolName| match name {
            PoolName::Workers(path) => subject.is_for(path),
            PoolName::Service { .. } => false,
        };
        let mut pools: SmallVec<[PoolKey; 2]> = self
            .pools
            .iter()
            .filter(|(_, pool)| is_within(&pool.name))
            .map(|(key, _)| key)
            .collect();
        pools.sort_unstable();
        let path = self.router.only_path(subject);
        let is_nameless = path.is_none() && self.router.may_select(subject);
        Place {
            pools,
            path,
            scope: Some(match component {
                Some(_) => EventScope::Component,
                None => EventScope::Namespace,
            }),
            nameless: is_nameless.then(|| PartialPath::of(subject)),
        }
    }
}
