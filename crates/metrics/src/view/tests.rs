//! What screens show of a fleet.

use std::sync::Arc;
use std::time::Duration;

use fleet::{
    Change, Detail, LinkView, PoolName, PoolView, ReplyResult, Settings, Snapshot, WorkerChange, WorkerState,
};
use protocol::WorkerStats;

use super::*;
use crate::export::tests::{plain, sample};
use crate::history::Keep;

const LIMIT: Duration = Duration::from_secs(6);

fn with<T>(snapshot: Snapshot, read: impl FnOnce(&Moment<'_>) -> T) -> T {
    let published = Published::now(Arc::new(snapshot));
    let mut history = History::new(Keep::default());
    history.take_in(&published);
    read(&Moment {
        published: &published,
        history: &history,
        round_limit: LIMIT,
    })
}

/// A pool whose workers have these KV blocks of 1000, and queues.
pub(crate) fn pool(path: &str, loads: &[(u64, u64)]) -> PoolView {
    let mut pool = sample::full_pool(path, loads.len() as u64);
    for (worker, (kv, waiting)) in Arc::make_mut(&mut pool.workers).iter_mut().zip(loads) {
        let load = WorkerStats::builder()
            .slots_active(1)
            .slots_capacity(4)
            .requests_waiting(*waiting)
            .kv_blocks_active(*kv)
            .kv_blocks_capacity(1000);
        worker.load = Some(load.build().expect("in range"));
    }
    pool
}

fn silent(pool: &mut PoolView, index: usize) {
    let worker = &mut Arc::make_mut(&mut pool.workers)[index];
    (worker.state, worker.load) = (WorkerState::Stale, None);
}

fn overview(snapshot: Snapshot) -> Overview {
    with(snapshot, Overview::new)
}

/// Problems as a person reads them.
fn problems(snapshot: Snapshot) -> Vec<String> {
    let line = |problem: &Problem| {
        let about = match &problem.subject {
            Subject::Collector => "",
            Subject::Pool { pool } | Subject::Worker { pool, .. } => pool,
        };
        format!("{} {about}: {}", problem.severity.as_str(), problem.text)
    };
    overview(snapshot).problems.iter().map(line).collect()
}

#[tokio::test(start_paused = true)]
async fn pools_are_in_the_order_of_their_gravest_problem_and_then_of_saturation() {
    let mut half_silent = pool("a/silent/e", &[(100, 0), (100, 0)]);
    silent(&mut half_silent, 0);
    let pools = vec![
        pool("a/idle/e", &[(10, 0), (20, 0)]),
        half_silent,
        pool("a/busy/e", &[(600, 0), (10, 0)]),
        pool("a/empty/e", &[]),
        pool("a/full/e", &[(900, 9), (950, 9)]),
    ];
    let overview = overview(sample::snapshot_of(pools));
    let names: Vec<&str> = overview.pools.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        ["a/full/e", "a/empty/e", "a/silent/e", "a/busy/e", "a/idle/e"]
    );
    let ranks: Vec<usize> = overview.pools.iter().map(|row| row.rank).collect();
    assert_eq!(ranks, [0, 1, 2, 3, 4]);
    let levels: Vec<Level> = overview.pools.iter().map(|row| row.level).collect();
    assert_eq!(
        levels,
        [Level::Bad, Level::Stale, Level::Ok, Level::Ok, Level::Ok]
    );
    assert_eq!((overview.header.fresh, overview.header.workers), (7, 8));
    assert!(overview.header.is_live);
}

#[tokio::test(start_paused = true)]
async fn a_problem_names_what_is_wrong_and_some_of_its_workers() {
    assert_eq!(
        problems(sample::snapshot_of(vec![pool("a/b/c", &[(10, 0)])])),
        Vec::<String>::new()
    );
    assert_eq!(
        problems(sample::snapshot_of(vec![pool("a/b/c", &[])])),
        ["critical a/b/c: has no workers"]
    );
    let mut some = pool("a/b/c", &[(10, 0); 7]);
    for index in 1..6 {
        silent(&mut some, index);
    }
    assert_eq!(
        problems(sample::snapshot_of(vec![some])),
        ["warning a/b/c: 5 workers of 7 are silent: 0x2, 0x3, 0x4 and 2 more"]
    );
    let mut all = pool("a/b/c", &[(10, 0)]);
    silent(&mut all, 0);
    assert_eq!(
        problems(sample::snapshot_of(vec![all])),
        ["critical a/b/c: no worker answers; 1 are known"]
    );
    assert_eq!(
        problems(sample::snapshot_of(vec![pool(
            "a/b/c",
            &[(10, 0), (10, 5), (10, 4)]
        )])),
        ["warning a/b/c: 1 of 3 workers is saturated: 0x2"]
    );
    let lost = Snapshot {
        link: LinkView::default(),
        ..sample::snapshot_of(vec![pool("a/b/c", &[])])
    };
    assert_eq!(
        problems(lost),
        ["critical : the connection to NATS is lost"],
        "that a pool is silent then says nothing of the pool"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_long_ago_is_no_problem_now() {
    let refused = |count: u64| {
        let mut pool = pool("a/b/c", &[(10, 0)]);
        pool.replies[ReplyResult::Malformed] = count;
        pool.changes[Change::Restarted] = count;
        pool
    };
    let mut history = History::new(Keep::default());
    let mut sequence = 0;
    let mut after = async |seconds: u64, count: u64| {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        sequence += 1;
        let published = Published::now(Arc::new(Snapshot {
            sequence,
            ..sample::snapshot_of(vec![refused(count)])
        }));
        history.take_in(&published);
        let moment = Moment {
            published: &published,
            history: &history,
            round_limit: LIMIT,
        };
        Overview::new(&moment).problems.len()
    };
    assert_eq!(after(0, 500).await, 0, "the collector may have started long ago");
    assert_eq!(after(10, 501).await, 2);
    assert_eq!(after(240, 501).await, 2);
    assert_eq!(after(120, 501).await, 1, "a restart is worth knowing for longer");
    assert_eq!(after(900, 501).await, 0);
}

#[tokio::test(start_paused = true)]
async fn levels_are_those_of_the_targets_that_are_configured() {
    let mut pool = pool(
        "a/b/c",
        &[(390, 0), (400, 0), (500, 0), (100, 8), (100, 10), (0, 0)],
    );
    pool.settings = Settings {
        kv_target: 0.5,
        queue_target: 10.0,
        ..Settings::default()
    };
    let old = |worker: &mut fleet::WorkerView| worker.started = Some(0.0);
    Arc::make_mut(&mut pool.workers).iter_mut().for_each(old);
    Arc::make_mut(&mut pool.workers)[5].started =
        Some(sample::snapshot_of(vec![]).taken.as_secs_f64() - 59.0);
    let screen = with(sample::snapshot_of(vec![pool]), |moment| {
        PoolScreen::new("a/b/c", moment)
    })
    .expect("a pool");
    let mut rows = screen.workers;
    Sort::Id.apply(&mut rows);
    let levels: Vec<Level> = rows.iter().map(|row| row.level).collect();
    use Level::{Bad, New, Ok, Warn};
    assert_eq!(levels, [Ok, Warn, Bad, Warn, Bad, New]);
    let waiting: Vec<Level> = rows.iter().map(|row| HeatKey::Waiting.of(row).1).collect();
    assert_eq!(waiting, [Ok, Ok, Ok, Warn, Bad, New]);
}

#[tokio::test(start_paused = true)]
async fn each_order_puts_the_worst_first_and_what_is_unknown_last() {
    let mut pool = pool("a/b/c", &[(300, 2), (900, 0), (100, 7), (500, 1)]);
    silent(&mut pool, 3);
    let screen = with(sample::snapshot_of(vec![pool]), |moment| {
        PoolScreen::new("a/b/c", moment)
    })
    .expect("a pool");
    let check = |sort: Sort, expected: [&str; 4]| {
        let mut rows = screen.workers.clone();
        rows.reverse();
        sort.apply(&mut rows);
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, expected, "{}", sort.as_str());
        assert_eq!(sort.as_str().parse(), Ok(sort));
    };
    check(Sort::Severity, ["4", "3", "2", "1"]);
    check(Sort::Id, ["1", "2", "3", "4"]);
    check(Sort::Kv, ["2", "1", "3", "4"]);
    check(Sort::Waiting, ["3", "1", "2", "4"]);
    assert_eq!(
        screen.workers[0].id, "4",
        "the screen itself is in the order of severity"
    );
    assert_eq!(screen.outliers[0].text, "silent for 0 s");
}

#[test]
fn a_filter_finds_ids_in_both_forms_hosts_states_and_levels() {
    let row = WorkerRow {
        id: "48879".to_owned(),
        hex: "beef".to_owned(),
        host: Some("Node-7".to_owned()),
        level: Level::Bad,
        state: "fresh".to_owned(),
        kv: None,
        waiting: None,
        running: None,
        capacity: None,
        slots: None,
        saturation: None,
        requests_per_second: None,
        error_ratio: None,
        hit_ratio: None,
        last_seen_seconds: None,
        started_seconds: None,
        restarts: 0,
    };
    for filter in [
        "",
        "488",
        "0xBEEF",
        "eef",
        "node",
        "bad",
        "fresh bad",
        " node-7  4887 ",
    ] {
        assert!(filter_matches(filter, &row), "{filter}");
    }
    for filter in ["ba", "stale", "bad node-8", "0x48879"] {
        assert!(!filter_matches(filter, &row), "{filter}");
    }
}

#[tokio::test(start_paused = true)]
async fn few_workers_that_differ_are_found_among_many() {
    let mut loads = vec![(200, 0); 500];
    loads[42] = (200, 40);
    loads[77] = (950, 0);
    let screen = with(sample::snapshot_of(vec![pool("a/b/c", &loads)]), |moment| {
        PoolScreen::new("a/b/c", moment)
    });
    let outliers = screen.expect("a pool").outliers;
    let found: Vec<(&str, &str)> = outliers
        .iter()
        .map(|outlier| (&*outlier.id, &*outlier.text))
        .collect();
    assert_eq!(
        found,
        [("43", "Waiting 40, median 0"), ("78", "KV use 95 %, median 20 %")]
    );
    let even = with(
        sample::snapshot_of(vec![pool("a/b/c", &[(200, 1); 500])]),
        |moment| PoolScreen::new("a/b/c", moment),
    );
    assert_eq!(even.expect("a pool").outliers, []);
}

#[tokio::test(start_paused = true)]
async fn a_worker_at_its_target_is_an_outlier_of_scattered_workers_unless_many_are() {
    let outliers = |last: &[u64]| {
        let scattered = [60, 150, 220, 280, 330, 390, 450, 520, 580].iter().chain(last);
        let loads: Vec<(u64, u64)> = scattered.map(|kv| (*kv, 0)).collect();
        let screen = with(sample::snapshot_of(vec![pool("a/b/c", &loads)]), |moment| {
            PoolScreen::new("a/b/c", moment)
        });
        let outliers = screen.expect("a pool").outliers;
        outliers
            .into_iter()
            .map(|outlier| outlier.text)
            .collect::<Vec<_>>()
    };
    assert_eq!(outliers(&[920]), ["KV use 92 %, median 36 %"]);
    assert!(
        outliers(&[780]).is_empty(),
        "below its target it is only the upper end"
    );
    let many = [810, 830, 850, 870, 890, 900, 910, 915, 920, 925, 930];
    assert!(outliers(&many).is_empty(), "half of the pool is as full");
}

#[tokio::test(start_paused = true)]
async fn a_worker_has_its_identity_its_changes_and_what_to_copy() {
    let mut snapshot = plain::mixed();
    let pool = snapshot.pools[0].clone();
    let change = |change, at| WorkerChange {
        at: Duration::from_secs(at),
        pool: Arc::new(pool.name.clone()),
        worker: pool.workers[0].identity.clone(),
        change,
        detail: Detail::None,
    };
    snapshot.changes = vec![change(Change::Joined, 1), change(Change::Stale, 2)].into();
    let name = pool.name.to_string();
    let screen = |worker: &str| {
        with(snapshot.clone(), |moment| {
            WorkerScreen::new(&name, worker, moment)
        })
    };
    let seen = screen("1").expect("it is there");
    assert_eq!(screen("0x1"), Some(seen.clone()));
    assert_eq!(screen("3"), None);
    let changes: Vec<&str> = seen.changes.iter().map(|change| change.change.as_str()).collect();
    assert_eq!(changes, ["stale", "joined"]);
    assert_eq!(
        seen.promql,
        r#"{__name__=~"llm_worker_.*",dynamo_namespace="dynamo",dynamo_component="back\"end",dynamo_endpoint="generate",worker_id="1"}"#
    );
    assert_eq!(seen.explain, "metrics explain 'dynamo/back\"end/generate'");
}

#[tokio::test(start_paused = true)]
async fn a_delta_has_what_changed_and_makes_the_next_screen() {
    let screen = |sequence, loads: &[(u64, u64)]| {
        let snapshot = Snapshot {
            sequence,
            ..sample::snapshot_of(vec![pool("a/b/c", loads)])
        };
        let screen = with(snapshot, |moment| PoolScreen::new("a/b/c", moment));
        Screen::Pool(Box::new(screen.expect("a pool")))
    };
    let before = screen(1, &[(100, 0), (200, 0), (300, 0)]);
    let now = screen(2, &[(100, 0), (250, 0)]);
    let delta = now.since(&before);
    let (Screen::Pool(sent), Screen::Pool(now)) = (&delta.screen, &now) else {
        panic!("a pool");
    };
    assert_eq!((delta.since, delta.gone.as_slice()), (1, &["3".to_owned()][..]));
    let sent: Vec<&str> = sent.workers.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(sent, ["2"]);
    assert_eq!(now.workers.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn screens_are_valid_by_their_schemas_and_can_be_read_back() {
    let check = |kind: Kind, screen: &Screen| {
        let mut compiler = boon::Compiler::new();
        compiler
            .add_resource("schema.json", kind.schema().to_value())
            .expect("a schema");
        let mut schemas = boon::Schemas::new();
        let index = compiler
            .compile("schema.json", &mut schemas)
            .expect("a valid schema");
        let value = serde_json::to_value(screen).expect("JSON");
        if let Err(error) = schemas.validate(&value, index) {
            panic!("{}: {error:#}", kind.name());
        }
        value
    };
    let snapshot = plain::mixed();
    let name = snapshot.pools[0].name.to_string();
    with(snapshot, |moment| {
        let overview = Overview::new(moment);
        let value = check(Kind::Overview, &Screen::Overview(Box::new(overview.clone())));
        assert_eq!(serde_json::from_value::<Overview>(value).expect("read"), overview);
        let pool = PoolScreen::new(&name, moment).expect("a pool");
        let value = check(Kind::Pool, &Screen::Pool(Box::new(pool.clone())));
        assert_eq!(serde_json::from_value::<PoolScreen>(value).expect("read"), pool);
        let worker = WorkerScreen::new(&name, "1", moment).expect("a worker");
        let value = check(Kind::Worker, &Screen::Worker(Box::new(worker.clone())));
        assert_eq!(
            serde_json::from_value::<WorkerScreen>(value).expect("read"),
            worker
        );
        let why = WhyScreen::new(&WhyFacts::default(), moment);
        let value = check(Kind::Why, &Screen::Why(Box::new(why.clone())));
        assert_eq!(serde_json::from_value::<WhyScreen>(value).expect("read"), why);
        let inside = Inside {
            process: &Default::default(),
            settings: &[],
            history_bytes: 0,
            streams: 0,
        };
        let collector = CollectorScreen::new(&inside, moment);
        let value = check(Kind::Collector, &Screen::Collector(Box::new(collector.clone())));
        assert_eq!(
            serde_json::from_value::<CollectorScreen>(value).expect("read"),
            collector
        );
    });
}

#[test]
fn a_pool_that_is_not_there_has_no_screen() {
    let name = PoolName::Workers("a/b/c".parse().expect("a path"));
    let snapshot = sample::snapshot_of(vec![PoolView::empty(name, Settings::default())]);
    let missing = |query: &str| Ask::read_page(query).expect("an address").missing(&snapshot);
    assert_eq!(missing("pool=a/b/c"), None);
    assert_eq!(
        missing("pool=a/b/d"),
        Some("there is no pool \"a/b/d\" now".to_owned())
    );
    assert_eq!(
        missing("pool=a/b/c&worker=1"),
        Some("there is no worker \"1\" in a/b/c now".to_owned())
    );
}
