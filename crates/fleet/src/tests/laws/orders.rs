//! Laws about latencies, orders and restarts of workers that behave.

use proptest::prelude::*;

use super::super::bench::Message;
use super::super::*;
use super::config;
use crate::{Settings, WorkerState};

/// What another worker does in each round: its latency, or silence.
fn others() -> impl Strategy<Value = Vec<Vec<Option<u32>>>> {
    let habit = prop::collection::vec(prop::option::weighted(0.8, 0..6000_u32), 12);
    prop::collection::vec(habit, 0..6)
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn a_worker_that_always_answers_in_time_is_fresh_after_three_rounds_and_stays_so(
        poll in 100..5000_u32,
        timeout in 50..100_u32,
        stall in 10..1000_u32,
        steady in 0..1000_u32,
        stale_after in 1..4_u32,
        others in others(),
        is_described in any::<bool>(),
    ) {
        let round_timeout = poll * timeout / 100 * MS;
        let mut plan = plan(&[POOL]);
        plan.settings = Settings {
            poll_interval: poll * MS,
            round_timeout,
            stall: stall * MS,
            stale_after,
            ..plan.settings
        };
        let mut bench = Bench::new(plan);
        let mut mine = worker("me", "ffff", 1, 0);
        mine.latency = (round_timeout - MS) * steady / 1000;
        if !is_described {
            mine.info = Info::Never;
        }
        // Before it can be shown, its description is waited for.
        let settled = 3 * poll * MS + 500 * MS;
        let start = bench.now.mono;
        for round in 0..12 {
            let of = |(id, habit): (usize, &Vec<Option<u32>>)| {
                let actor = worker(&format!("i{id}"), &format!("{id:x}"), 1, 0);
                Some(actor.latency(habit[round]?))
            };
            let others = others.iter().enumerate().filter_map(of);
            let actors: Vec<Actor> = others.chain([mine.clone()]).collect();
            let seen = bench.snapshots.len();
            bench.round(&actors);
            for snapshot in &bench.snapshots[seen..] {
                let pool = &snapshot.pools[0];
                let me = pool.workers.iter().find(|worker| &*worker.identity.service_id == "me");
                let state = me.map(|me| me.state);
                let at = snapshot.taken - 999_900 * SECOND - start.saturating_sub(100 * SECOND);
                if at > settled + 100 * SECOND {
                    prop_assert_eq!(state, Some(WorkerState::Fresh), "round {} at {:?}", round, at);
                }
            }
        }
    }

    #[test]
    fn the_order_of_replies_within_a_round_changes_nothing(
        order in Just((0..9_usize).collect::<Vec<_>>()).prop_shuffle(),
        later in Just((0..9_usize).collect::<Vec<_>>()).prop_shuffle(),
        never in prop::collection::vec(any::<bool>(), 9),
    ) {
        let mut replies = vec![
            worker("a", "1", 1, 5),
            worker("z", "1", 2, 7).started("2026-01-02T00:00:00Z"),
            worker("b", "1", 3, 9),
            worker("c", "2", 4, 3),
            worker("d", "3", 0, 3).data("[1]"),
            worker("e", "", 5, 3).subjects(&["dynamo_c.gen-7", "dynamo_d.gen-7"]),
            Actor::of("d", "f", "8"),
            Actor::plain("orders", "o", "orders.create"),
            worker("g", "", 6, 1).subjects(&["dynamo_c.gen"]),
        ];
        for (reply, never) in replies.iter_mut().zip(never) {
            if never {
                reply.info = Info::Never;
            }
        }
        let run = |orders: [&[usize]; 3]| {
            // This one holds the rounds open.
            let waited = worker("waited", "ffff", 1, 0);
            let mut patient = plan(&[POOL, "dynamo/d/gen"]);
            patient.settings.stale_after = 50;
            let mut bench = Bench::new(patient);
            bench.round(&[waited]);
            for order in orders {
                let actors = order.iter().map(|&place| replies[place].clone());
                bench.round(&actors.collect::<Vec<_>>());
            }
            let snapshot = bench.snapshot();
            (format!("{:?}", snapshot.pools), bench.finished(crate::Finish::Complete))
        };
        let sorted: Vec<usize> = (0..9).collect();
        prop_assert_eq!(run([&order, &later, &order]), run([&sorted, &sorted, &sorted]));
    }

    #[test]
    fn a_workers_counters_are_the_sum_over_its_lives(
        lives in prop::collection::vec(prop::collection::vec((0..9_u64, 0..4_usize, any::<bool>()), 1..5), 1..5),
        is_same_instance in any::<bool>(),
    ) {
        let mut bench = Bench::of(POOL);
        let mut total = 0;
        let mut total_seconds = 0;
        for (life, replies) in lives.iter().enumerate() {
            let instance = if is_same_instance { "a".to_owned() } else { format!("a{life}") };
            let (mut requests, mut shown, mut shown_seconds) = (0, 0, 0);
            for (place, &(more, form, says_start)) in replies.iter().enumerate() {
                requests += more;
                let mut reply = worker(&instance, "1", 1, requests);
                // A life's first reply says when it began.
                if says_start || place == 0 {
                    reply = reply.started(&format!("2026-01-0{}T00:00:00Z", life + 1));
                } else {
                    reply.started.clear();
                }
                match form {
                    0 => "null".clone_into(&mut reply.requests),
                    1 => "null".clone_into(&mut reply.seconds),
                    _ => {}
                }
                shown = if form == 0 { shown } else { requests };
                shown_seconds = if form == 1 { shown_seconds } else { requests };
                bench.round(&[reply]);
            }
            total += shown;
            total_seconds += shown_seconds;
        }
        let worker = bench.worker();
        prop_assert_eq!(worker.requests, total as f64);
        prop_assert_eq!(worker.processing_seconds.unwrap_or(0.0), total_seconds as f64);
        prop_assert_eq!(worker.restarts, lives.len() as u64 - 1);
    }

    #[test]
    fn every_reply_is_counted_however_long_it_takes(delays in prop::collection::vec(0..20_000_u32, 1..60)) {
        let mut bench = Bench::of(POOL);
        bench.round(&[worker("a", "1", 1, 0)]);
        for (n, delay) in delays.iter().enumerate() {
            let reply = worker(&format!("i{}", n % 7), &format!("{:x}", n % 5), 1, 0).reply();
            let round = bench.round.saturating_sub(n as u64 % 4);
            bench.post(*delay * MS, Message::Reply(Some(round), reply));
            bench.run(50 * MS);
        }
        bench.rounds(12);
        prop_assert_eq!(bench.pool().replies.total(), bench.delivered);
    }
}
