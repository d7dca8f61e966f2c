//! A census: what is on NATS, what of it is watched, and what nearly is.

use super::*;
use crate::{Census, Finish};

fn census(bench: &Bench) -> Census {
    bench.core.census(Some(Finish::Complete), bench.now)
}

#[test]
fn pools_without_workers_come_first_with_the_reason_and_what_nearly_belongs_to_them() {
    let mut bench = Bench::new(plan(&[POOL, "dynamo/d/gen"]));
    bench
        .round(&[
            worker("a", "1", 1, 0),
            worker("b", "2", 1, 0),
            Actor::of("D", "x", "3"),
            Actor::of("D", "y", "4"),
        ])
        .rounds(3);
    let census = census(&bench);
    let watched: Vec<_> = census
        .watched
        .iter()
        .map(|pool| {
            (
                pool.name.to_string(),
                pool.workers,
                pool.fresh,
                pool.why.is_some(),
            )
        })
        .collect();
    assert_eq!(
        watched,
        [
            ("dynamo/d/gen".to_owned(), 0, 0, true),
            (POOL.to_owned(), 2, 2, false)
        ]
    );
    let misses = &census.watched[0].misses;
    assert_eq!(misses.len(), 1, "{misses:?}");
    assert_eq!(misses[0].count, 2);
    assert_eq!(
        misses[0].found.as_ref().map(ToString::to_string).as_deref(),
        Some("dynamo/D/gen")
    );
    let remedy = misses[0].remedy.as_deref().unwrap_or_default();
    assert!(remedy.contains("dynamo/D/gen"), "{remedy}");
    assert!(census.watched[1].misses.is_empty());
    let unwatched: Vec<_> = census
        .unwatched
        .iter()
        .map(|(path, count)| (path.to_string(), *count))
        .collect();
    assert_eq!(unwatched, [("dynamo/D/gen".to_owned(), 2)]);
}

#[test]
fn services_that_are_no_workers_are_counted_by_their_names() {
    let mut bench = Bench::of(POOL);
    bench
        .round(&[
            worker("a", "1", 1, 0),
            Actor::plain("orders", "x", "orders.create"),
            Actor::plain("orders", "y", "orders.create"),
            Actor::plain("mail", "z", "mail.send"),
        ])
        .rounds(2);
    let census = census(&bench);
    let services: Vec<_> = census
        .services
        .iter()
        .map(|(name, (instances, is_watched))| (&**name, *instances, *is_watched))
        .collect();
    assert_eq!(services, [("mail", 1, false), ("orders", 2, false)]);
    assert!(census.unwatched.is_empty(), "{:?}", census.unwatched);
}

#[test]
fn what_is_refused_is_counted_by_its_reason_until_it_is_mended() {
    let range = r#"{"kv_active_blocks": -1, "num_requests_waiting": 3}"#;
    let bad = |id: &str| worker(id, id, 0, 0).data(range);
    let mut bench = Bench::of(POOL);
    bench
        .round(&[bad("1"), bad("2"), worker("3", "3", 0, 0).data(r#""text""#)])
        .rounds(2);
    let refused = |bench: &Bench| -> Vec<(usize, String)> {
        let refused = census(bench).refused;
        refused
            .into_iter()
            .map(|refusal| (refusal.count, refusal.reason))
            .collect()
    };
    let seen = refused(&bench);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(
        seen[0].0 == 2 && seen[0].1.contains("kv_active_blocks"),
        "{seen:?}"
    );
    assert_eq!(seen[1].0, 1, "{seen:?}");
    bench.round(&[worker("1", "1", 5, 0), bad("2")]).rounds(1);
    assert_eq!(refused(&bench)[0].0, 1, "one of them is mended");
}

#[test]
fn a_failed_round_explains_nothing() {
    let mut bench = Bench::of(POOL);
    bench.round(&[]).rounds(3);
    let why = |finish| bench.core.census(finish, bench.now).watched[0].why.clone();
    assert!(why(Some(Finish::Complete)).is_some());
    assert_eq!(why(Some(Finish::Error)), None);
    assert_eq!(why(None), None);
}
