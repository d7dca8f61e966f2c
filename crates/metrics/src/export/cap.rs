//! Which workers a page with a limited number of series shows.
//!
//! Each pool shows its first workers by key. All pools show the same number, except that a pool with fewer workers
//! leaves the rest to the others. A worker counts as all the series that it can have, whether or not it has reported
//! every value, so that the choice changes with the workers and not with their load.

/// The workers of one pool, and what they cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) workers: u64,
    pub(crate) series_each: u64,
}

/// How many workers of each pool are shown within `budget` series.
pub(crate) fn share(demands: &[Demand], budget: u64) -> Vec<u64> {
    let cost = |level: u64| -> u64 {
        let costs = demands
            .iter()
            .map(|demand| demand.workers.min(level).saturating_mul(demand.series_each));
        costs.fold(0, u64::saturating_add)
    };
    let (mut level, mut above) = (
        0,
        demands.iter().map(|demand| demand.workers).max().unwrap_or(0) + 1,
    );
    while above - level > 1 {
        let middle = level + (above - level) / 2;
        *(if cost(middle) <= budget {
            &mut level
        } else {
            &mut above
        }) = middle;
    }
    let mut rest = budget.saturating_sub(cost(level));
    let shares = demands.iter().map(|demand| {
        if demand.workers <= level {
            return demand.workers;
        }
        let more = u64::from(demand.series_each <= rest);
        rest -= more * demand.series_each;
        level + more
    });
    shares.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn demands(pools: &[(u64, u64)]) -> Vec<Demand> {
        let demand = |&(workers, series_each)| Demand { workers, series_each };
        pools.iter().map(demand).collect()
    }

    #[test]
    fn pools_share_evenly_and_small_ones_leave_their_rest_to_others() {
        fn check(pools: &[(u64, u64)], budget: u64, expected: &[u64]) {
            assert_eq!(share(&demands(pools), budget), expected, "{pools:?} in {budget}");
        }
        check(&[], 100, &[]);
        check(&[(10, 24)], 240, &[10]);
        check(&[(10, 24)], 239, &[9]);
        check(&[(10, 24)], 23, &[0]);
        check(&[(2, 10), (100, 10), (100, 10)], 220, &[2, 10, 10]);
        check(&[(100, 10), (2, 10), (100, 10)], 235, &[11, 2, 10]);
        check(&[(100, 24), (100, 17)], 41 * 5, &[5, 5]);
        check(&[(100, 0)], 0, &[100]);
    }

    proptest! {
        #[test]
        fn the_budget_is_kept_and_used_evenly(
            pools in prop::collection::vec((0_u64..1000, 1_u64..30), 0..20),
            budget in 0_u64..100_000,
        ) {
            let demands = demands(&pools);
            let shares = share(&demands, budget);
            let cost: u64 = shares.iter().zip(&demands).map(|(share, demand)| share * demand.series_each).sum();
            prop_assert!(cost <= budget);
            let cut: Vec<_> = shares.iter().zip(&demands).filter(|(share, demand)| **share < demand.workers).collect();
            let one_more: u64 = cut.iter().map(|(_, demand)| demand.series_each).sum();
            prop_assert!(cut.is_empty() || cost + one_more > budget);
            let fewest = cut.iter().map(|(share, _)| **share).min().unwrap_or(0);
            for (share, demand) in shares.iter().zip(&demands) {
                prop_assert!(*share <= demand.workers);
                prop_assert!(cut.is_empty() || *share <= fewest + 1);
            }
        }
    }
}
