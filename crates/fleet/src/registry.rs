//! [`Registry`]: how much workers can hold, as they have registered it in a store of discovery.

use hashbrown::HashMap;
use protocol::model_card::Limits;
use protocol::{EndpointPath, WorkerId};

use crate::snapshot::{PoolName, RegistryView};

/// Workers that are remembered at most.
pub const MAX_REGISTERED: usize = 500_000;

/// A worker that is registered.
pub type Registrant = (EndpointPath, WorkerId);

/// What the task that reads the store reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryReport {
    /// Whether the store is being read now. What it had stays in force while it is not.
    pub connected: bool,
    /// Entries that could not be read, so far.
    pub unreadable: u64,
    /// What is new.
    pub news: RegistryNews,
}

/// What is new in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryNews {
    /// Nothing.
    None,
    /// All that it has.
    All(Vec<(Registrant, Limits)>),
    /// What has changed, in this order; `None` for a worker that is not there any more.
    Changes(Vec<(Registrant, Option<Limits>)>),
}

/// The workers of one path.
pub(crate) type Registered = HashMap<WorkerId, Limits>;

/// What the store has.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    by_path: HashMap<EndpointPath, Registered>,
    view: RegistryView,
}

impl Registry {
    /// Takes in a report, and returns the paths of which a worker has changed.
    pub(crate) fn take_in(&mut self, report: RegistryReport) -> Vec<EndpointPath> {
        (self.view.connected, self.view.unreadable) = (report.connected, report.unreadable);
        match report.news {
            RegistryNews::None => Vec::new(),
            RegistryNews::All(all) => {
                let before = std::mem::take(&mut self.by_path);
                self.view.workers = 0;
                for (registrant, limits) in all {
                    self.set(registrant, Some(limits));
                }
                let paths = before.keys().chain(self.by_path.keys());
                let mut changed: Vec<_> = paths
                    .filter(|path| before.get(*path) != self.by_path.get(*path))
                    .cloned()
                    .collect();
                changed.sort_unstable();
                changed.dedup();
                changed
            }
            RegistryNews::Changes(changes) => {
                let mut changed = Vec::new();
                for (registrant, limits) in changes {
                    let path = registrant.0.clone();
                    if self.set(registrant, limits) && changed.last() != Some(&path) {
                        changed.push(path);
                    }
                }
                changed
            }
        }
    }

    /// Sets what one worker can hold. Returns whether that is new.
    fn set(&mut self, (path, worker): Registrant, limits: Option<Limits>) -> bool {
        let Some(limits) = limits.filter(|limits| !limits.is_empty()) else {
            return self.remove(&path, worker);
        };
        let known = self.by_path.get_mut(&path);
        if let Some(known) = known.and_then(|workers| workers.get_mut(&worker)) {
            return std::mem::replace(known, limits) != limits;
        }
        if self.view.workers >= MAX_REGISTERED as u64 {
            self.view.over_limit += 1;
            return false;
        }
        self.by_path.entry(path).or_default().insert(worker, limits);
        self.view.workers += 1;
        true
    }

    fn remove(&mut self, path: &EndpointPath, worker: WorkerId) -> bool {
        let Some(workers) = self.by_path.get_mut(path) else {
            return false;
        };
        let was_there = workers.remove(&worker).is_some();
        if workers.is_empty() {
            self.by_path.remove(path);
        }
        self.view.workers -= u64::from(was_there);
        was_there
    }

    /// What it has of the workers of a pool.
    pub(crate) fn of(&self, pool: &PoolName) -> Option<&Registered> {
        match pool {
            PoolName::Workers(path) => self.by_path.get(path),
            PoolName::Service { .. } => None,
        }
    }

    pub(crate) fn view(&self) -> RegistryView {
        self.view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(news: RegistryNews) -> RegistryReport {
        RegistryReport {
            connected: true,
            unreadable: 0,
            news,
        }
    }

    #[test]
    fn no_more_workers_are_remembered_than_the_limit_and_one_that_leaves_makes_room() {
        let path: EndpointPath = "dynamo/backend/generate".parse().expect("a path");
        let limits = Limits {
            slots: Some(1),
            kv_blocks: None,
        };
        let entry = |id: usize| ((path.clone(), WorkerId::new(id as u64)), limits);
        let all = (0..MAX_REGISTERED + 3).map(entry).collect();
        let mut registry = Registry::default();
        assert_eq!(
            registry.take_in(report(RegistryNews::All(all))),
            std::slice::from_ref(&path)
        );
        let view = registry.view();
        assert_eq!((view.workers, view.over_limit), (MAX_REGISTERED as u64, 3));

        let (gone, _) = entry(0);
        let (new, _) = entry(MAX_REGISTERED);
        let changes = vec![(gone, None), (new, Some(limits))];
        registry.take_in(report(RegistryNews::Changes(changes)));
        let view = registry.view();
        assert_eq!((view.workers, view.over_limit), (MAX_REGISTERED as u64, 3));
    }
}
