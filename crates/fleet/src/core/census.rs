//! [`Census`]: what is on NATS, what of it is watched and what nearly is, while the collector runs. It walks over all that
//! answered once and copies only what is counted, so it is cheap enough to be taken between two rounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use protocol::subject::SubjectParts;
use protocol::{Description, EndpointPath};

use super::Core;
use super::report::AfterRound;
use crate::roster::{PoolKey, Route};
use crate::snapshot::PoolName;
use crate::voice::Standing;
use crate::{Finish, Now, advice};

/// Pools without workers that are explained.
const MAX_EXPLAINED: usize = 16;

/// Different entries of each list.
const MAX_LISTED: usize = 200;

/// What is on NATS.
#[derive(Debug, Default)]
pub struct Census {
    /// Replies to the last round.
    pub replies: u64,
    /// Replies of which nothing can be read.
    pub unreadable: u64,
    /// Watched pools; those without workers first.
    pub watched: Vec<CensusPool>,
    /// Paths of workers that answer and are not watched, and how many.
    pub unwatched: BTreeMap<EndpointPath, usize>,
    /// Services whose instances are no workers, with how many there are, and whether they are watched.
    pub services: BTreeMap<Arc<str>, (usize, bool)>,
    /// What workers report and is refused.
    pub refused: Vec<Refusal>,
}

/// A watched pool.
#[derive(Debug)]
pub struct CensusPool {
    /// Its name.
    pub name: PoolName,
    /// Its workers.
    pub workers: usize,
    /// Those of them that are fresh.
    pub fresh: usize,
    /// Why it has none, if it has none and that was looked for.
    pub why: Option<String>,
    /// Endpoints that nearly belong to it, where it has no workers.
    pub misses: Vec<CensusMiss>,
}

/// Endpoints that miss a pool in the same way.
#[derive(Debug)]
pub struct CensusMiss {
    /// How many.
    pub count: u64,
    /// The path that they belong to, if it is known.
    pub found: Option<EndpointPath>,
    /// In which way they miss it.
    pub reason: String,
    /// What to type or to fix.
    pub remedy: Option<String>,
}

/// Something that workers report and is refused.
#[derive(Debug)]
pub struct Refusal {
    /// The pool.
    pub pool: PoolName,
    /// What is wrong.
    pub reason: String,
    /// How many endpoints report it.
    pub count: usize,
    /// The subject of one of them.
    pub example: Arc<str>,
}

impl Core {
    /// What is on NATS, as of the last round.
    pub fn census(&self, finish: Option<Finish>, now: Now) -> Census {
        let mut census = Census {
            replies: self.round.as_ref().map_or(0, |round| round.replies),
            unreadable: self.common.unreadable,
            ..Census::default()
        };
        self.count_instances(&mut census);
        let replies = census.replies;
        let after = AfterRound::of_census(replies, self.pools.values().any(|pool| !pool.workers.is_empty()));
        let finish = finish.unwrap_or(Finish::Error);
        let mut explained = 0;
        let (aging, settings) = (self.aging, self.plan.settings);
        for (key, pool) in &self.pools {
            let fresh = pool.fresh(&aging, now, &settings);
            let explains = fresh == 0 && finish != Finish::Error && explained < MAX_EXPLAINED;
            explained += usize::from(explains);
            let why = match explains.then(|| self.absence(key, finish, &after, now)) {
                Some(Standing::Absent { text, .. }) => Some(text),
                _ => None,
            };
            let misses = match explains {
                true => self.misses(key),
                false => Vec::new(),
            };
            census.watched.push(CensusPool {
                name: pool.name.clone(),
                workers: pool.workers.len(),
                fresh,
                why,
                misses,
            });
        }
        census
            .watched
            .sort_by(|a, b| ((a.fresh > 0), &a.name).cmp(&((b.fresh > 0), &b.name)));
        census
    }

    fn count_instances(&self, census: &mut Census) {
        let mut refused: BTreeMap<(PoolKey, &str), (usize, Arc<str>)> = BTreeMap::new();
        // Of a service whose instances decide nothing, only one is asked to describe itself.
        let described: HashMap<&str, &Description> = self
            .roster
            .instances()
            .filter_map(|(_, known)| Some((&*known.service, known.description()?)))
            .collect();
        for (_, instance) in self.roster.instances().filter(|(_, known)| known.answered_in > 0) {
            let (mut is_worker, mut is_watched) = (false, false);
            for slot in instance.slots.iter().filter_map(|slot| self.roster.slot(*slot)) {
                match &slot.route {
                    Route::Member { pool, .. } => {
                        let Some(view) = self.pools.get(*pool) else {
                            continue;
                        };
                        is_watched = true;
                        is_worker |= matches!(view.name, PoolName::Workers(_));
                        if let Some(complaint) = &slot.complaint {
                            let known = refused.len() < MAX_LISTED;
                            let key = (*pool, &**complaint);
                            if known || refused.contains_key(&key) {
                                let entry = refused.entry(key).or_insert_with(|| (0, slot.subject.clone()));
                                entry.0 += 1;
                            }
                        }
                    }
                    Route::Rejected(_) | Route::Foreign => {
                        let description = instance.description();
                        let description = description.or_else(|| described.get(&*instance.service).copied());
                        let Some(path) = description.and_then(|described| {
                            let endpoint = SubjectParts::split(&slot.subject)?.guess().0.parse().ok()?;
                            let (namespace, component) =
                                (described.namespace.clone(), described.component.clone());
                            Some(EndpointPath::new(namespace, component, endpoint))
                        }) else {
                            continue;
                        };
                        is_worker = true;
                        if census.unwatched.len() < MAX_LISTED || census.unwatched.contains_key(&path) {
                            *census.unwatched.entry(path).or_default() += 1;
                        }
                    }
                }
            }
            let has_room =
                census.services.len() < MAX_LISTED || census.services.contains_key(&instance.service);
            if !is_worker && has_room {
                let entry = census.services.entry(instance.service.clone()).or_default();
                entry.0 += 1;
                entry.1 |= is_watched;
            }
        }
        let named = refused
            .into_iter()
            .filter_map(|((pool, reason), (count, example))| {
                Some(Refusal {
                    pool: self.pools.get(pool)?.name.clone(),
                    reason: reason.to_owned(),
                    count,
                    example,
                })
            });
        census.refused = named.collect();
        census
            .refused
            .sort_by(|a, b| (b.count, &a.pool).cmp(&(a.count, &b.pool)));
    }

    fn misses(&self, key: PoolKey) -> Vec<CensusMiss> {
        let Some(target) = self.pools.get(key).and_then(|pool| pool.target.as_ref()) else {
            return Vec::new();
        };
        let form = self.plan.form_of(&target.path);
        let misses = self.near_misses(key, target).into_iter();
        misses
            .map(|known| CensusMiss {
                count: known.count,
                reason: known.miss.to_string(),
                remedy: advice::remedy(&target.path, form, &known.miss),
                found: known.miss.found,
            })
            .collect()
    }
}
