//! `mock-worker record`: what a real collector shows of a fleet is replayed, and looks the same on a collector.

use std::fs;

use tests::{Collector, NatsServer, Page, Workers, built, finish};

const TARGET: &str = "dynamo/my_component/my_endpoint";

/// Rounds in which the engines fill up, and rounds that are looked at.
const WARM: u32 = 40;
const ROUNDS: u32 = 100;

/// KV use, waiting requests and requests a second, on average.
#[derive(Debug)]
struct Means {
    kv: f64,
    waiting: f64,
    rate: f64,
}

async fn means(collector: &Collector) -> Means {
    let requests = |page: &Page| page.sum("nats_service_requests_total", &[]);
    let first = collector.rounds(WARM).await;
    let began = tokio::time::Instant::now();
    let (mut kv, mut waiting, mut count) = (0.0, 0.0, 0.0);
    let last = loop {
        let page = collector.rounds(1).await;
        kv += page.sum("llm_pool_utilization_ratio", &[("resource", "kv")]);
        waiting += page.sum("llm_pool_requests_waiting", &[]);
        count += 1.0;
        if count >= f64::from(ROUNDS) {
            break page;
        }
    };
    Means {
        kv: kv / count,
        waiting: waiting / count,
        rate: (requests(&last) - requests(&first)) / began.elapsed().as_secs_f64(),
    }
}

async fn collector(server: &NatsServer) -> Collector {
    let collector = Collector::watching(server, TARGET, &["--poll-interval", "200ms"]).await;
    collector.has_workers(4).await;
    collector
}

#[tokio::test]
async fn a_recorded_fleet_is_replayed_with_its_kv_use_its_queue_and_its_rate() {
    let server = NatsServer::start().await;
    let workers = Workers::start(&server, &["run", "steady", "--seed", "7"]).await;
    let watching = collector(&server).await;
    watching.rounds(WARM).await;
    let mut record = built("mock-worker");
    record.args([
        "record",
        "--url",
        watching.url(),
        "--duration",
        "20s",
        "--interval",
        "250ms",
    ]);
    let (recorded, original) = tokio::join!(finish(record), means(&watching));
    assert_eq!(recorded.code, Some(0), "{recorded:?}");
    drop((watching, workers));

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("recorded.toml");
    fs::write(&file, &recorded.stdout).expect("a file");
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["run", file.to_str().expect("UTF-8"), "--seed", "1"]).await;
    let replayed = means(&collector(&server).await).await;
    let (o, r) = (&original, &replayed);
    let seen = format!("{r:?} for {o:?}\n{}{}", recorded.stderr, recorded.stdout);
    assert!((r.kv / o.kv - 1.0).abs() < 0.3, "{seen}");
    assert!((r.rate / o.rate - 1.0).abs() < 0.2, "{seen}");
    assert!((r.waiting - o.waiting).abs() < 10.0, "{seen}");
}

#[tokio::test]
async fn a_recording_of_nothing_says_what_is_missing() {
    let server = NatsServer::start().await;
    let watching = Collector::watching(&server, TARGET, &[]).await;
    let record = async |more: &[&str]| {
        let mut record = built("mock-worker");
        record
            .args(["record", "--url", watching.url(), "--duration", "1s"])
            .args(more);
        finish(record).await
    };
    let alone = record(&[]).await;
    assert_eq!(alone.code, Some(1), "{alone:?}");
    let mut wrong = built("mock-worker");
    wrong.args(["record", "--url", "collector:9091"]);
    let wrong = finish(wrong).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("http://127.0.0.1:9091"), "{wrong:?}");
}

/// Two pools, as one scenario.
const TWO: &str = "description = 'two'
[[pool]]
path = 'dynamo/prefill/generate'
workers = 2
[pool.traffic]
rate = 3.0
[[pool]]
path = 'dynamo/decode/generate'
workers = 3
";

#[tokio::test]
async fn several_pools_are_recorded_and_replayed_as_one_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let run = async |file: &str| {
        let server = NatsServer::start().await;
        let workers = Workers::start(&server, &["run", file, "--seed", "7"]).await;
        let collector =
            Collector::watching(&server, "dynamo/*/generate", &["--poll-interval", "200ms"]).await;
        let page = collector.has_workers(5).await;
        for (component, count) in [("prefill", 2.0), ("decode", 3.0)] {
            let labels = [("dynamo_component", component), ("state", "fresh")];
            assert_eq!(page.sum("llm_pool_workers", &labels), count, "{page}");
        }
        (server, workers, collector)
    };
    fs::write(path("two.toml"), TWO).expect("a file");
    let (_server, workers, watching) = run(&path("two.toml")).await;
    // Each pool is controlled by itself.
    let first = workers.ctl(&["set", "traffic.rate=4", "--name", "default"]).await;
    let second = workers.ctl(&["status", "--name", "default-2"]).await;
    assert_eq!(
        (&first["path"], &second["path"]),
        (
            &"dynamo/prefill/generate".into(),
            &"dynamo/decode/generate".into()
        )
    );
    let mut record = built("mock-worker");
    record.args([
        "record",
        "--url",
        watching.url(),
        "--duration",
        "6s",
        "--interval",
        "250ms",
    ]);
    let recorded = finish(record).await;
    assert_eq!(recorded.code, Some(0), "{recorded:?}");
    assert_eq!(recorded.stdout.matches("[[pool]]").count(), 2, "{recorded:?}");
    assert_eq!(workers.stop().await, Some(0));

    fs::write(path("recorded.toml"), &recorded.stdout).expect("a file");
    run(&path("recorded.toml")).await;
}
