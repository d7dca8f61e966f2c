//! The ids of a fleet's workers: distinct, and the same for the same seed.

use protocol::WorkerId;

/// Ids spread over all 64 bits. An id depends on seed, pool and place alone, so a larger fleet keeps those of a smaller
/// one, and fleets that differ in anything that subjects show share none.
///
/// They are distinct because scattering is a bijection and the numbers that go into it are consecutive.
pub fn seeded(seed: u64, pool: &str, count: u32) -> Vec<WorkerId> {
    // The seed is scattered too; otherwise the ids of seed 1 would be those of seed 0 from the second on.
    let base = pool
        .bytes()
        .fold(scatter(seed), |state, byte| scatter(state ^ u64::from(byte)));
    (0..u64::from(count))
        .map(|place| WorkerId::new(scatter(base.wrapping_add(place))))
        .collect()
}

/// `first`, `first + 1`, and so on, or `None` where they do not all fit 64 bits.
pub fn consecutive(first: WorkerId, count: u32) -> Option<Vec<WorkerId>> {
    (0..u64::from(count))
        .map(|place| first.get().checked_add(place).map(WorkerId::new))
        .collect()
}

/// Another id for the worker that comes back under a new one for the `times`-th time.
pub fn again(id: WorkerId, times: u64) -> WorkerId {
    WorkerId::new(scatter(id.get() ^ scatter(times)))
}

/// The output function of SplitMix64: every step can be undone, so no two numbers become the same.
fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_distinct_spread_and_stable() {
        let ids = seeded(0, "svc.gen", 10_000);
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 10_000);
        assert!(
            ids.iter().any(|id| id.get() > i64::MAX as u64),
            "real ids use all 64 bits"
        );
        assert_eq!(
            seeded(0, "svc.gen", 3),
            ids[..3],
            "a larger fleet keeps the ids of a smaller one"
        );
        assert_eq!(ids[0].get(), 18_256_273_677_934_579_121);
    }

    #[test]
    fn fleets_of_different_seeds_or_pools_share_no_id() {
        let one = seeded(0, "svc.gen", 1000);
        for other in [seeded(1, "svc.gen", 1000), seeded(0, "svc2.gen", 1000)] {
            assert!(one.iter().all(|id| !other.contains(id)));
        }
    }

    #[test]
    fn consecutive_ids_end_at_64_bits() {
        let last = WorkerId::new(u64::MAX);
        assert_eq!(consecutive(last, 1), Some(vec![last]));
        assert_eq!(consecutive(last, 2), None);
        let ids = consecutive(WorkerId::new(7), 3).expect("they fit");
        assert_eq!(ids.iter().map(|id| id.get()).collect::<Vec<_>>(), [7, 8, 9]);
    }
}
