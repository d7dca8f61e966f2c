//! [`Nameless`]: workers that are heard and whose path nothing says, because their events name no endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use protocol::subject::EventSubject;
use protocol::{Component, Namespace, WorkerId};

/// Places that are remembered, and workers of each.
const MAX_PLACES: usize = 256;
const MAX_WORKERS: usize = 1024;

/// What an event says of its worker's path, where that is not all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartialPath {
    /// The namespace.
    pub namespace: Namespace,
    /// The component, from Dynamo 1.1 on.
    pub component: Option<Component>,
}

/// Workers that are heard without an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Nameless(BTreeMap<PartialPath, BTreeSet<WorkerId>>);

impl Nameless {
    /// Notes a worker that published something.
    pub(crate) fn note(&mut self, place: &PartialPath, worker: WorkerId) {
        if let Some(workers) = self.0.get_mut(place) {
            if workers.len() < MAX_WORKERS {
                workers.insert(worker);
            }
        } else if self.0.len() < MAX_PLACES {
            self.0.insert(place.clone(), BTreeSet::from([worker]));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Each place, and how many workers were heard there.
    pub(crate) fn counts(&self) -> Vec<(PartialPath, usize)> {
        let count = |(place, workers): (&PartialPath, &BTreeSet<WorkerId>)| (place.clone(), workers.len());
        self.0.iter().map(count).collect()
    }
}

impl PartialPath {
    pub(crate) fn of(subject: &EventSubject) -> Self {
        Self {
            namespace: subject.namespace.clone(),
            component: subject.component.clone(),
        }
    }
}

impl fmt::Display for PartialPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.component {
            Some(component) => write!(f, "{}/{component}", self.namespace),
            None => write!(f, "{}", self.namespace),
        }
    }
}
