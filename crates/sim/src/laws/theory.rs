//! What queueing theory and published measurements say.

use super::*;

/// Law 7: the mean number of requests in a worker is their rate by the mean time they stay (Little).
#[test]
fn littles_law_holds_within_5_percent() {
    let lognormal = |mean, cv| Lengths::Lognormal { mean, cv, max: 8192 };
    for rate in [1.0, 3.0, 5.0] {
        let config = config(
            1,
            &WorkerSpec::default(),
            traffic(
                Process::Poisson,
                rate,
                lognormal(1155.0, 0.96),
                lognormal(211.0, 0.77),
            ),
        );
        let mut fleet = Fleet::new(&config).expect("valid");
        let (mut sum, mut looks) = (0, 0);
        for time in 1..=200_000_u64 {
            fleet.advance(time * SECOND / 50, &mut Journal::default());
            let counters = fleet.view(0).counters;
            sum += counters.running + counters.waiting;
            looks += 1;
        }
        let counters = fleet.view(0).counters;
        let seen = sum as f64 / f64::from(looks);
        let arrivals = counters.arrivals as f64 / 4000.0;
        let stay = counters.response_ns as f64 / 1e9 / (counters.arrivals - counters.running) as f64;
        let expected = arrivals * stay;
        assert!(
            (seen / expected - 1.0).abs() < 0.05,
            "rate {rate}: {seen} seen, {expected} by Little"
        );
    }
}

/// Law 7: with one slot and equal requests the queue is M/D/1, whose mean wait is `rho * S / (2 * (1 - rho))`.
#[test]
fn the_wait_at_one_slot_is_that_of_m_d_1_within_5_percent() {
    let spec = WorkerSpec {
        slots: Some(1),
        max_waiting: Some(100_000),
        ..WorkerSpec::default()
    };
    // The prompt takes 6 + 10 + 15 · 0.1 ms, and each of the nine steps after it a little more than the one before.
    let service: f64 = 0.0175
        + (0..9)
            .map(|step| 0.006_03 + 107e-9 * f64::from(100 + step))
            .sum::<f64>();
    for load in [0.5, 0.8] {
        let config = config(
            1,
            &spec,
            traffic(
                Process::Poisson,
                load / service,
                Lengths::Fixed(100),
                Lengths::Fixed(10),
            ),
        );
        let mut fleet = Fleet::new(&config).expect("valid");
        fleet.advance(40_000 * SECOND, &mut Journal::default());
        let counters = fleet.view(0).counters;
        let seen = counters.queue_ns as f64 / 1e9 / counters.starts as f64;
        let expected = load * service / (2.0 * (1.0 - load));
        assert!(
            (seen / expected - 1.0).abs() < 0.05,
            "load {load}: waits {seen}, {expected} by theory"
        );
    }
}

/// Law 9: Mooncake's public traces, each prompt looked up in a cache of blocks of 512 tokens. They are not shipped.
#[test]
fn mooncakes_traces_hit_as_published() {
    use std::fs::File;
    use std::io::BufReader;
    use std::path::PathBuf;

    use super::kv_pool::{KvPool, Link, SegmentKey};
    use crate::trace::{HitCurve, Trace, TraceOptions};

    let Some(folder) = std::env::var_os("MOONCAKE_TRACES").map(PathBuf::from) else {
        eprintln!("LEFT OUT: MOONCAKE_TRACES names no folder with Mooncake's traces");
        return;
    };
    let hit_rate = |trace: &Trace, blocks: u64| {
        let (mut pool, mut lookups, mut hits) = (KvPool::new(blocks), 0, 0);
        for request in trace.requests() {
            let mut chain: Vec<Link> = Vec::new();
            for &id in &request.hash_ids {
                let key = SegmentKey::Trace(id, 1);
                chain.push(Link { key, blocks: 1 });
            }
            let length = chain.len() as u64;
            lookups += length;
            hits += pool.admit(&chain, length, 0).expect("it fits");
            pool.release(&chain, 0, None);
        }
        100.0 * hits as f64 / lookups as f64
    };
    for (name, bounded, unbounded) in [("conversation", 21.2, 36.6), ("synthetic", 42.4, 64.0)] {
        let file = folder.join(format!("{name}_trace.jsonl"));
        let lines = BufReader::new(File::open(&file).expect("it can be opened"));
        let options = TraceOptions {
            strict: true,
            ..TraceOptions::default()
        };
        let trace = Trace::read(&options, lines).expect("it can be read");
        let curve = HitCurve::of(&trace);
        for (blocks, expected) in [(10_000, bounded), (u64::MAX / 2, unbounded)] {
            let found = hit_rate(&trace, blocks);
            assert!(
                (found - expected).abs() < 0.5,
                "{name}, {blocks} blocks: {found} %, published {expected} %"
            );
            let at_once = 100.0 * curve.hit_ratio(blocks).expect("it has blocks");
            assert!(
                (at_once - found).abs() < 1e-9,
                "{name}, {blocks} blocks: {at_once} % by the curve, {found} % by the pool"
            );
        }
    }
}
