//! Inspection: every service that answered, taken apart, for people. It shows what the state machine decided, so that it
//! cannot disagree with it.

use std::sync::Arc;
use std::time::Duration;

use protocol::subject::SubjectParts;
use protocol::{ServicePrefix, WorkerId};

use super::Core;
use crate::matching::{NearMiss, Outcome, Target};
use crate::nameless::PartialPath;
use crate::roster::{Answer, InstanceKey, Route, SlotKey};
use crate::snapshot::{PoolName, PoolView, WorkerKey};
use crate::turns::{InTurn, SURE};
use crate::{Finish, Mapped, Mapping, Now, Unread, advice};

/// All that answered.
#[derive(Debug)]
pub struct Inspection {
    /// Under which services were asked.
    pub service_prefix: ServicePrefix,
    /// Why the last round ended.
    pub finish: Option<Finish>,
    /// Replies to it.
    pub replies: u64,
    /// Replies of which nothing can be read.
    pub unreadable: u64,
    /// From its request to now.
    pub duration: Duration,
    /// The service instances, by service and id.
    pub instances: Vec<InstanceReport>,
    /// The pools with their workers, by name, as they are now.
    pub pools: Vec<Arc<PoolView>>,
    /// Now, in Unix time.
    pub now: Duration,
    /// The plan's mappings.
    pub mappings: Vec<Arc<Mapping>>,
    /// Why instances seem to answer in turn, so that some may be missing.
    pub in_turn: Option<InTurn>,
    /// Where workers were heard whose events name no endpoint, and how many.
    pub nameless: Vec<(PartialPath, usize)>,
}

/// One service instance.
#[derive(Debug)]
pub struct InstanceReport {
    /// The service's name.
    pub service: Arc<str>,
    /// The instance's id.
    pub id: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// Its description, if it is in Dynamo's form.
    pub description: Option<String>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointReport>,
    /// Endpoints that cannot be read.
    pub unreadable_endpoints: Vec<String>,
}

/// One endpoint of an instance.
#[derive(Debug)]
pub struct EndpointReport {
    /// Its subject.
    pub subject: Arc<str>,
    /// The subject's parts: service, endpoint and id; `None` where it has no dot.
    pub parts: Option<(String, String, Option<WorkerId>)>,
    /// The pool that it belongs to, whichever was asked for.
    pub pool: Option<PoolName>,
    /// What it is.
    pub seen: Seen,
}

/// What an endpoint is, for the pool that was asked for.
#[derive(Debug)]
pub enum Seen {
    /// A worker of a watched pool.
    Worker {
        /// Which pool.
        pool: PoolName,
        /// Which worker.
        key: WorkerKey,
        /// How the subject is written.
        layout: Arc<str>,
        /// The shape of its load, `none`, or `undecodable`.
        shape: &'static str,
        /// What is wrong with what it reports.
        complaint: Option<String>,
        /// What mappings found in its data.
        mapped: Option<Arc<Mapped>>,
        /// What they cannot read in it.
        unread: Box<[Unread]>,
        /// Another instance, which is younger, is shown under the same id.
        is_duplicate: bool,
    },
    /// Nearly a worker of the pool that was asked for.
    NearMiss {
        /// In which way not.
        miss: NearMiss,
        /// What to type or to fix.
        remedy: Option<String>,
    },
    /// Nothing that the pool has in common with it.
    Foreign,
}

impl Core {
    /// Whether the last round has ended, and no reply waits for a description any longer.
    pub fn is_settled(&self) -> bool {
        let is_waiting = |key: InstanceKey| {
            let instance = self.roster.instance(key);
            instance.is_some_and(|instance| matches!(instance.answer, Answer::Awaited { .. }))
        };
        self.round.as_ref().is_some_and(|round| !round.is_open)
            && !self.awaiting.iter().any(|(_, key)| is_waiting(*key))
    }

    /// All that answered the last round, as it is for the pool of `target`; without one, near misses are not looked for.
    pub fn inspect(&mut self, target: Option<&Target>, finish: Option<Finish>, now: Now) -> Inspection {
        let mut pools = self.snapshot(now).pools;
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        let mut instances: Vec<_> = self
            .roster
            .instances()
            .filter(|(_, known)| known.answered_in > 0)
            .collect();
        instances.sort_by(|(_, a), (_, b)| (&a.service, &a.id).cmp(&(&b.service, &b.id)));
        let reports = instances.into_iter().map(|(_, instance)| InstanceReport {
            service: instance.service.clone(),
            id: instance.id.clone(),
            version: instance.version.clone(),
            description: instance.description().map(ToString::to_string),
            endpoints: instance
                .slots
                .iter()
                .filter_map(|slot| self.inspect_slot(*slot, target, instance))
                .collect(),
            unreadable_endpoints: instance.refused.clone(),
        });
        let round = self.round.as_ref();
        let sure = match self.plan.settings.asks_again {
            true => 1,
            false => SURE,
        };
        Inspection {
            service_prefix: self.service_prefix.clone(),
            finish,
            replies: round.map_or(0, |round| round.replies),
            unreadable: self.common.unreadable,
            duration: round.map_or(Duration::ZERO, |round| now.mono.saturating_sub(round.asked_at)),
            instances: reports.collect(),
            pools,
            now: now.unix,
            mappings: self.plan.mappings.clone(),
            in_turn: self.turns.any(sure),
            nameless: self.nameless.counts(),
        }
    }

    fn inspect_slot(
        &self,
        key: SlotKey,
        target: Option<&Target>,
        instance: &crate::roster::Instance,
    ) -> Option<EndpointReport> {
        let slot = self.roster.slot(key)?;
        let is_wanted = |name: &PoolName| {
            target.is_none_or(|target| matches!(name, PoolName::Workers(path) if *path == target.path))
        };
        let seen = match &slot.route {
            Route::Member {
                pool,
                key: worker_key,
                layout,
                worker,
            } if self.pools.get(*pool).is_some_and(|pool| is_wanted(&pool.name)) => {
                let pool = self.pools.get(*pool)?;
                let worker = pool.workers.get(*worker);
                let is_duplicate =
                    worker.is_some_and(|worker| worker.holder.instance != self.holder_of(instance));
                let found = worker
                    .filter(|_| !is_duplicate)
                    .and_then(|worker| worker.found.as_ref());
                Seen::Worker {
                    pool: pool.name.clone(),
                    key: worker_key.clone(),
                    layout: layout.clone(),
                    shape: slot.shape,
                    complaint: slot.complaint.as_deref().map(str::to_owned),
                    mapped: found.map(|found| found.mapped.clone()),
                    unread: slot.unread.clone(),
                    is_duplicate,
                }
            }
            _ => {
                match target.map(|target| (target, target.classify(&slot.subject, instance.description()))) {
                    Some((target, Outcome::NearMiss(miss))) => Seen::NearMiss {
                        remedy: advice::remedy(&target.path, self.plan.form_of(&target.path), &miss),
                        miss,
                    },
                    _ => Seen::Foreign,
                }
            }
        };
        let pool = match &slot.route {
            Route::Member { pool, .. } => self.pools.get(*pool).map(|pool| pool.name.clone()),
            _ => None,
        };
        let parts = SubjectParts::split(&slot.subject).map(|parts| {
            let (endpoint, id) = match &seen {
                Seen::Worker {
                    pool: PoolName::Workers(path),
                    key,
                    ..
                } => (
                    path.endpoint.as_str(),
                    match key {
                        WorkerKey::Id(id) => Some(*id),
                        WorkerKey::Instance(_) => None,
                    },
                ),
                _ => parts.guess(),
            };
            (parts.service.to_owned(), endpoint.to_owned(), id)
        });
        Some(EndpointReport {
            subject: slot.subject.clone(),
            parts,
            pool,
            seen,
        })
    }

    fn holder_of(&self, instance: &crate::roster::Instance) -> InstanceKey {
        self.roster
            .find(&instance.service, &instance.id)
            .unwrap_or_default()
    }
}
