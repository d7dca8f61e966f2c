//! What workers have registered about what they can hold.

use super::Core;
use crate::registry::RegistryReport;
use crate::{Now, PoolName};

impl Core {
    pub(super) fn registry_reported(&mut self, report: RegistryReport, now: Now) {
        let registry = self.registry.get_or_insert_default();
        for path in registry.take_in(report) {
            if let Some(pool) = self.pool_of.get(&PoolName::Workers(path)) {
                self.pools[*pool].changed();
            }
        }
        self.dirty(now);
    }
}
