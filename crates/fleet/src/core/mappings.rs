//! Mappings: whose data is read by which of them, and what is wrong with it.

use std::sync::Arc;

use protocol::EndpointLoad;

use super::Core;
use crate::mapped::{Active, Found};
use crate::notice::{About, Level, Notice};
use crate::roster::{PoolKey, SlotKey, WorkerIdx};
use crate::snapshot::MappingView;
use crate::{Now, PoolName};

/// Mappings of which one line of the log says what they cannot read.
const MAX_SAID: usize = 4;

impl Core {
    /// Takes the plan's mappings, with what has been counted of their metrics before.
    pub(super) fn activate_mappings(&mut self) {
        let mappings = self.plan.mappings.clone();
        self.mappings = mappings
            .into_iter()
            .map(|mapping| {
                let name = mapping.metric.name.as_str();
                let book = self.mapping_books.entry(name.into()).or_default().clone();
                Active { mapping, book }
            })
            .collect();
    }

    pub(super) fn mappings_of(&self, name: &PoolName) -> Vec<Active> {
        let covering = self
            .mappings
            .iter()
            .filter(|active| active.mapping.scope.covers(name));
        covering.cloned().collect()
    }

    /// Reads what the mappings of the pool find in the data of an endpoint that speaks for a worker.
    pub(super) fn map(
        &mut self,
        slot: SlotKey,
        pool_key: PoolKey,
        worker: WorkerIdx,
        endpoint: &EndpointLoad<'_>,
        now: Now,
    ) {
        let pool = &mut self.pools[pool_key];
        if pool.mappings.is_empty() {
            return;
        }
        let state = &mut pool.workers[worker];
        // Data that cannot be read has nothing that could be found.
        let data = endpoint.data.read().unwrap_or_default();
        let (found, unread) = Found::read(&pool.mappings, &data, state.found.take());
        state.found = Some(Box::new(found));
        let slot = self.roster.slot_mut(slot);
        slot.unread = unread.into();
        if slot.unread.is_empty() {
            return;
        }
        let reason: Vec<String> = slot
            .unread
            .iter()
            .take(MAX_SAID)
            .map(ToString::to_string)
            .collect();
        let reason = reason.join("; ");
        let (name, member) = (pool.name.to_string(), state.identity.worker_id.to_string());
        self.say_seldom(About::Pool, &format!("mapping of {name}"), now, || {
            Notice::new(Level::Warn, "a mapped value is not shown")
                .with("target", name)
                .with("instance", member)
                .with("reason", reason)
        });
    }

    pub(super) fn mapping_views(&self) -> Vec<MappingView> {
        let views = self.mapping_books.iter().map(|(metric, book)| MappingView {
            metric: Arc::clone(metric),
            faults: book.faults(),
        });
        views.collect()
    }
}
