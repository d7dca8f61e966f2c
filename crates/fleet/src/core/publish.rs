//! Publishing: the fleet as a snapshot.

use std::sync::Arc;
use std::time::Duration;

use super::{Core, Effect, PUBLISH_AFTER, PUBLISH_AFTER_ROUND_BEGAN};
use crate::Now;
use crate::faulty::Faulty;
use crate::registry::Registry;
use crate::requests::Records;
use crate::roster::Route;
use crate::snapshot::Snapshot;

/// A large fleet's snapshots take some milliseconds; so much rest between them keeps that below a tenth of a core.
const REST_PER_WORKER: Duration = Duration::from_micros(5);

impl Core {
    /// When changes that wait are published.
    pub(super) fn publish_at(&self) -> Option<Duration> {
        let workers = self.pools.values().map(|pool| pool.workers.len()).sum::<usize>();
        let rest = PUBLISH_AFTER.max(REST_PER_WORKER * u32::try_from(workers).unwrap_or(u32::MAX));
        let at = self.dirty_since? + rest;
        let round = self.round.as_ref().filter(|round| round.is_open);
        Some(round.map_or(at, |round| at.max(round.asked_at + PUBLISH_AFTER_ROUND_BEGAN)))
    }

    pub(super) fn publish(&mut self, now: Now) {
        self.sequence += 1;
        self.dirty_since = None;
        let snapshot = self.snapshot(now);
        self.effects.push(Effect::Publish(Arc::new(snapshot)));
    }

    pub(super) fn snapshot(&mut self, now: Now) -> Snapshot {
        let settings = self.settings();
        let order = |pool: &crate::pool::Pool| (pool.place.unwrap_or(usize::MAX), pool.name.clone());
        let mut keys: Vec<_> = self.pools.iter().map(|(key, pool)| (order(pool), key)).collect();
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (common, aging) = (self.common, self.aging);
        let pools = keys
            .iter()
            .map(|(_, key)| {
                let pool = &mut self.pools[*key];
                let registered = self
                    .registry
                    .as_ref()
                    .and_then(|registry| registry.of(&pool.name));
                pool.view(&common, &aging, now, &settings, registered)
            })
            .collect();
        self.changes
            .take_in(self.pools.values_mut().map(|pool| &mut pool.changes));
        let worst = self.worst();
        Snapshot {
            sequence: self.sequence,
            taken: now.unix,
            pools,
            up: self.up,
            round_age: self.round_ended_at.map(|at| now.mono.saturating_sub(at)),
            rounds_skipped: self.rounds_skipped,
            changes: self.changes.recent(),
            worst,
            link: self.link,
            hearing: self.hearing.clone(),
            metadata: self.metadata.clone(),
            endpoints_ignored: self.endpoints_ignored,
            registry: self.registry.as_ref().map(Registry::view),
            mappings: self.mapping_views(),
            frontends: (self.frontends.records != Records::default()).then(|| self.frontends.clone()),
        }
    }

    /// The instances with the most replies that could not be used as they came, the worst first.
    fn worst(&mut self) -> Vec<Faulty> {
        let (roster, pools) = (&self.roster, &self.pools);
        self.worst.retain(|key| roster.instance(key).is_some());
        let faulty = self.worst.keys().filter_map(|key| {
            let instance = roster.instance(key)?;
            let mut slots = instance.slots.iter().filter_map(|slot| roster.slot(*slot));
            Some(Faulty {
                service: instance.service.clone(),
                instance: instance.id.clone(),
                member: slots.find_map(|slot| {
                    let Route::Member { pool, worker, .. } = &slot.route else {
                        return None;
                    };
                    let pool = pools.get(*pool)?;
                    Some((pool.name.clone(), pool.workers.get(*worker)?.identity.clone()))
                }),
                replies: **instance.faults.as_ref()?,
            })
        });
        faulty.collect()
    }
}
