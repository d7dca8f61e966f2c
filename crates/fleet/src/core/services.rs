//! Plain services: which pools there are, and what instances say of themselves.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::subject::Instance as SubjectInstance;
use protocol::{InfoReply, subject};

use super::Core;
use crate::advice::flags_to_check;
use crate::pool::Pool;
use crate::roster::{Answer, Instance, InstanceKey, PoolKey, Route};
use crate::snapshot::{Identity, WorkerKey};
use crate::{Finish, Now, PoolName, Profile, advice};

/// Pools of plain services at most. Each is on the page whatever `--max-series` says.
pub(super) const MAX_SERVICE_POOLS: usize = 10_000;

/// Profiles of which one copy is kept.
const MAX_PROFILES: usize = 10_000;

impl Core {
    /// Makes a pool for each service that is watched by its exact name and has none.
    pub(super) fn make_named_services(&mut self) {
        let has_pool = |service: &str, pool: &PoolName| service_of(pool) == Some(service);
        let missing: Vec<_> = self
            .router
            .named_services()
            .filter(|service| !self.pool_of.keys().any(|pool| has_pool(service, pool)))
            .collect();
        for service in missing {
            let endpoint = Arc::from("");
            self.pool(PoolName::Service { service, endpoint });
        }
    }

    /// Whether the plan has the exact name of the pool's service.
    pub(super) fn is_named(&self, pool: &PoolName) -> bool {
        service_of(pool).is_some_and(|name| self.router.named_services().any(|named| *named == *name))
    }

    /// The services of which a pool has instances.
    pub(super) fn answering_services(&self) -> HashSet<Arc<str>> {
        let pools = self.pools.values().filter(|pool| !pool.workers.is_empty());
        let service = |pool: &Pool| match &pool.name {
            PoolName::Service { service, .. } => Some(service.clone()),
            PoolName::Workers(_) => None,
        };
        pools.filter_map(service).collect()
    }

    /// Whether a pool without instances stays, because its service is watched by name and nothing else of it is there.
    pub(super) fn stays_empty(&self, pool: &Pool, answering: &HashSet<Arc<str>>) -> bool {
        let PoolName::Service { service, endpoint } = &pool.name else {
            return false;
        };
        let has_endpoint = |name: &PoolName| {
            matches!(name, PoolName::Service { service: other, endpoint }
                if other == service && !endpoint.is_empty())
        };
        pool.is_named
            && !answering.contains(service)
            && !(endpoint.is_empty() && self.pool_of.keys().any(has_endpoint))
    }

    /// The pool and the key of an endpoint; `None` where there are too many pools.
    ///
    /// Several endpoints of one instance may have one name. The first is shown under it, others under their subjects; of
    /// workers with several ids, the others are shown under theirs.
    pub(super) fn pool_and_key(
        &self,
        instance: &Instance,
        wanted: PoolName,
        worker: SubjectInstance,
        subject: &str,
    ) -> Option<(PoolName, WorkerKey)> {
        let PoolName::Service { service, .. } = &wanted else {
            return None;
        };
        let key = WorkerKey::Instance(instance.id.clone());
        let known = self.pool_of.get(&wanted);
        let slots = instance.slots.iter().filter_map(|slot| self.roster.slot(*slot));
        let is_taken = slots
            .take_while(|slot| *slot.subject != *subject)
            .any(|slot| matches!(&slot.route, Route::Member { pool, key: other, .. } if Some(pool) == known && *other == key));
        let (pool, key) = match (is_taken, worker) {
            (false, _) => (wanted, key),
            (true, SubjectInstance::Worker(id)) => {
                let id = format!("{}/{id:x}", instance.id);
                (wanted, WorkerKey::Instance(id.into()))
            }
            (true, SubjectInstance::Static) => {
                let (service, endpoint) = (service.clone(), subject.into());
                (PoolName::Service { service, endpoint }, key)
            }
        };
        let has_room = self.service_pools < MAX_SERVICE_POOLS;
        (self.pool_of.contains_key(&pool) || has_room).then_some((pool, key))
    }

    /// An endpoint of a plain service is left out.
    pub(super) fn too_many_pools(&mut self) -> Route {
        self.endpoints_ignored += 1;
        Route::Foreign
    }

    pub(super) fn say_too_many_pools(&mut self, now: Now) {
        if self.endpoints_ignored > 0 {
            self.warn(
                "too many pools",
                now,
                format!(
                    "endpoints of services are left out, because there are more than {MAX_SERVICE_POOLS}: choose services by --service, or leave some out by --exclude-service"
                ),
            );
        }
    }

    /// Why a service that is watched by its exact name has no fresh instances.
    pub(super) fn absence_of_service(&self, key: PoolKey, finish: Finish, replies: u64) -> (String, String) {
        let because = |key: &str, text: String| (key.to_owned(), text);
        let Some(service) = service_of(&self.pools[key].name) else {
            return because("foreign", "other services did".to_owned());
        };
        if finish == Finish::NoResponders {
            let text = format!(
                "no service answered at all: none on this NATS server (in this account) listens on {}. Start it, or check {}",
                self.service_prefix.stats(),
                flags_to_check(&self.service_prefix)
            );
            return because("no responders", text);
        }
        if replies == 0 {
            let text = format!(
                "a service listens on {}, but no reply came in time",
                self.service_prefix.stats()
            );
            return because("silence", text);
        }
        let number = self.round.as_ref().map_or(0, |round| round.number);
        let instances = || self.roster.instances().map(|(_, instance)| instance);
        let answered = || instances().filter(|instance| instance.answered_in == number);
        if answered().any(|instance| *instance.service == *service && instance.slots.is_empty()) {
            return because("no endpoint", "it answers, and serves no endpoint".to_owned());
        }
        let mut names = answered().map(|instance| &instance.service);
        match names.find(|name| subject::same_letters(name, service)) {
            Some(name) => {
                let advice = advice::ask_for_service(self.plan.services_given, name);
                because("similar", format!("a service named {name:?} did: {advice}"))
            }
            None => because(
                "foreign",
                "other services did; `metrics list` shows them".to_owned(),
            ),
        }
    }

    /// Notes which metadata is shown, and whether it is other metadata than before.
    pub(super) fn show_metadata(&mut self) -> bool {
        let labels = self.plan.metadata.iter().map(|shown| shown.label.clone());
        let labels: Arc<[Arc<str>]> = labels.collect();
        let is_other = self.metadata != labels;
        self.metadata = labels;
        is_other
    }

    /// What is shown of an instance's description; nothing unless something is chosen or its service is watched as such.
    pub(super) fn profile(&mut self, service: &str, reply: &InfoReply) -> Option<Arc<Profile>> {
        let is_shown = self.router.selects_service(service);
        if !is_shown && self.plan.metadata.is_empty() {
            return None;
        }
        let profile = Profile::new(reply, &self.plan.metadata, is_shown);
        if profile == Profile::default() {
            return None;
        }
        if let Some(known) = self.profiles.get(&profile) {
            return Some(known.clone());
        }
        if self.profiles.len() >= MAX_PROFILES {
            self.profiles.clear();
        }
        let profile = Arc::new(profile);
        self.profiles.insert(profile.clone());
        Some(profile)
    }

    /// The workers of an instance show what it says of itself.
    pub(super) fn set_profile(&mut self, key: InstanceKey, profile: Option<Arc<Profile>>, now: Now) {
        let instance = self.roster.instance_mut(key);
        instance.lacks_profile = false;
        if instance.profile == profile {
            return;
        }
        instance.profile.clone_from(&profile);
        for slot_key in instance.slots.clone() {
            let Some(Route::Member { pool, worker, .. }) = self.roster.slot(slot_key).map(|slot| &slot.route)
            else {
                continue;
            };
            let pool = &mut self.pools[*pool];
            if let Some(worker) = pool.workers.get_mut(*worker)
                && worker.holder.slot == slot_key
            {
                worker.identity = Arc::new(Identity {
                    profile: profile.clone(),
                    ..(*worker.identity).clone()
                });
                pool.changed();
            }
        }
        self.dirty(now);
    }

    /// Asks an instance that has described itself once more, because other metadata is shown now.
    pub(super) fn want_profile_again(&mut self, key: InstanceKey) {
        let Some(instance) = self.roster.instance(key) else {
            return;
        };
        let has_answered = !instance.answer.is_open() && instance.answer != Answer::Unasked;
        let can_be_asked = subject::can_be_asked(&instance.service, &instance.id);
        if has_answered && can_be_asked {
            let service = instance.service.clone();
            self.roster.instance_mut(key).lacks_profile = true;
            self.asker.want(&service, key);
        }
    }
}

fn service_of(pool: &PoolName) -> Option<&str> {
    match pool {
        PoolName::Service { service, .. } => Some(service),
        PoolName::Workers(_) => None,
    }
}
