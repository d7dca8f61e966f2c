//! The load of a whole pool: what the loads of its workers add up to.

use super::page::{Load, View};

/// What no worker tells is absent.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Total {
    pub(crate) running: Option<f64>,
    pub(crate) waiting: Option<f64>,
    /// Of the blocks of all workers, the share that is held.
    pub(crate) kv_use: Option<f64>,
}

impl Total {
    pub(crate) fn of(view: &View) -> Self {
        let sum = |field: fn(&Load) -> Option<f64>| {
            let known = view.workers.values().filter_map(field);
            known.reduce(|sum, value| sum + value)
        };
        // A worker that tells only one of the two would spoil the ratio.
        let held = sum(|load| load.blocks_capacity.and(load.blocks_active));
        let capacity = sum(|load| load.blocks_active.and(load.blocks_capacity));
        let kv_use = held
            .zip(capacity)
            .filter(|(_, capacity)| *capacity > 0.0)
            .map(|(held, capacity)| held / capacity);
        Self {
            running: sum(|load| load.slots_active),
            waiting: sum(|load| load.waiting),
            kv_use,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_tells_nothing_counts_as_nothing() {
        let busy = Load {
            slots_active: Some(3.0),
            slots_capacity: Some(8.0),
            waiting: Some(2.0),
            blocks_active: Some(10.0),
            blocks_capacity: Some(20.0),
        };
        let idle = Load {
            slots_active: Some(1.0),
            waiting: Some(0.0),
            blocks_active: Some(0.0),
            blocks_capacity: Some(30.0),
            ..Load::default()
        };
        let half = Load {
            blocks_active: Some(500.0),
            ..Load::default()
        };
        let workers = [(1, busy), (2, idle), (3, half), (4, Load::default())].into();
        let total = Total::of(&View {
            workers,
            ..View::default()
        });
        let expected = Total {
            running: Some(4.0),
            waiting: Some(2.0),
            kv_use: Some(0.2),
        };
        assert_eq!(total, expected);
    }

    #[test]
    fn of_no_workers_nothing_is_known() {
        assert_eq!(Total::of(&View::default()), Total::default());
    }
}
