//! What the page promises, held against a strict reading of it.

mod parse;
pub(crate) mod plain;
pub(crate) mod sample;

use std::collections::BTreeMap;

use fleet::{PoolView, RegistryView, Snapshot};
use proptest::prelude::*;

use super::*;
use parse::{Page, Sample};
use sample::{
    all_events, all_frontends, all_requests, fleet_of, full_pool, snapshot_of, two_workers, worker,
};

const MOMENT: Moment = Moment {
    is_current: true,
    process: Process {
        log_lines_dropped: 3,
        sinks: [
            Some(SinkView {
                sink: Sink::Pushgateway,
                last_success: Some(Duration::from_millis(1_700_000_001_500)),
                succeeded: 5,
                failed: 2,
                refused: 1,
                rejected: 0,
                waiting: 0,
                dropped: 0,
            }),
            Some(SinkView {
                sink: Sink::RemoteWrite,
                last_success: Some(Duration::from_secs(1_700_000_002)),
                succeeded: 1,
                failed: 7,
                refused: 0,
                rejected: 0,
                waiting: 3,
                dropped: 4,
            }),
            Some(SinkView {
                sink: Sink::Otlp,
                last_success: Some(Duration::from_secs(1_700_000_003)),
                succeeded: 2,
                failed: 1,
                refused: 0,
                rejected: 6,
                waiting: 1,
                dropped: 0,
            }),
            None,
        ],
        usage: Some(Usage {
            cpu_seconds: 1.25,
            resident_bytes: 40 << 20,
            virtual_bytes: 1 << 30,
            threads: 5,
            started: 1_700_000_000.25,
            open_files: 17,
            max_open_files: Some(1024),
        }),
        http: Http {
            closed: [1, 2, 3, 4, 5, 6],
            accept_errors: 7,
            unauthorized: 8,
        },
    },
    reloads: Some(Reloads {
        is_successful: false,
        last_success: Duration::from_millis(1_700_000_000_500),
        succeeded: 2,
        failed: 1,
    }),
};

fn text(snapshot: &Snapshot, format: Format, options: &ExportOptions) -> String {
    let rendered = render(snapshot, &MOMENT, format, options);
    let text = String::from_utf8(rendered.chunks.concat()).expect("text");
    text.replace(crate::REVISION, "REVISION")
}

fn page(snapshot: &Snapshot, options: &ExportOptions) -> Page {
    parse::strict(&text(snapshot, Format::OpenMetrics, options), Format::OpenMetrics)
}

fn with_series(worker_series: WorkerSeries) -> ExportOptions {
    ExportOptions {
        worker_series,
        ..ExportOptions::default()
    }
}

#[test]
fn the_page_reads_as_it_always_did() {
    for (name, format) in [("openmetrics", Format::OpenMetrics), ("classic", Format::Classic)] {
        insta::assert_snapshot!(name, text(&two_workers(), format, &ExportOptions::default()));
    }
}

#[test]
fn a_large_fleet_has_the_series_of_a_small_one_in_the_same_order() {
    let options = ExportOptions {
        max_series: u64::MAX,
        ..ExportOptions::default()
    };
    let shown = |workers| {
        let text = text(&fleet_of(&[("a/b/c", workers)]), Format::OpenMetrics, &options);
        let families = text.lines().filter(|line| line.starts_with('#'));
        let families: Vec<String> = families.map(str::to_owned).collect();
        (
            families,
            parse::strict(&text, Format::OpenMetrics).samples().count(),
        )
    };
    let [small, less_small, large, larger] = [1, 1_001, 2_000, 3_000].map(shown);
    assert_eq!(small.0, large.0);
    assert_eq!(less_small.1 - small.1, larger.1 - large.1);
}

#[test]
fn upstreams_names_can_be_left_out() {
    let options = ExportOptions {
        compat: Compat::Off,
        ..ExportOptions::default()
    };
    let page = page(&two_workers(), &options);
    assert!(
        page.samples()
            .all(|sample| !sample.labels.iter().any(|(name, _)| name == "component"))
    );
    assert_eq!(page.named("llm_worker_kv_blocks_active").count(), 1);
    assert_eq!(page.named("llm_kv_blocks_active").count(), 0);
}

#[test]
fn a_sample_has_the_same_name_labels_and_value_in_both_formats() {
    let snapshot = two_workers();
    let [open, classic] = Format::ALL.map(|format| {
        let page = parse::strict(&text(&snapshot, format, &ExportOptions::default()), format);
        page.samples().cloned().collect::<Vec<Sample>>()
    });
    assert_eq!(open, classic);
}

#[test]
fn a_worker_has_all_its_series_the_core_of_them_or_none() {
    fn check(series: WorkerSeries, present: &[&str], absent: &[&str]) {
        let page = page(&two_workers(), &with_series(series));
        for name in present {
            assert_ne!(page.named(name).count(), 0, "{name} with {series}");
        }
        for name in absent {
            assert_eq!(page.named(name).count(), 0, "{name} with {series}");
        }
    }
    let pool = ["llm_pool_workers", "llm_pool_kv_blocks_active", "llm_load_avg"];
    let core = [
        "llm_worker_kv_usage_ratio",
        "llm_worker_saturation_ratio",
        "nats_service_errors_total",
        "llm_kv_blocks_active",
    ];
    let more = [
        "llm_worker_info",
        "llm_worker_last_seen_timestamp_seconds",
        "llm_kv_hit_rate_isl_blocks",
    ];
    check(WorkerSeries::Full, &[&pool[..], &core, &more].concat(), &[]);
    check(WorkerSeries::Core, &[&pool[..], &core].concat(), &more);
    check(WorkerSeries::Off, &pool, &[&core[..], &more].concat());
}

#[test]
fn a_pool_is_up_only_if_the_link_is_and_a_round_ended_recently() {
    fn check(change: impl Fn(&mut Snapshot, &mut Moment), expected: f64) {
        let (mut snapshot, mut moment) = (two_workers(), MOMENT);
        change(&mut snapshot, &mut moment);
        let rendered = render(&snapshot, &moment, Format::Classic, &ExportOptions::default());
        let text = String::from_utf8(rendered.chunks.concat()).expect("text");
        let page = parse::strict(&text, Format::Classic);
        let ups: Vec<f64> = page
            .named("llm_collector_up")
            .map(|sample| sample.value)
            .collect();
        assert_eq!(ups, [expected]);
    }
    check(|_, _| {}, 1.0);
    check(|snapshot, _| snapshot.link.connected = false, 0.0);
    check(|snapshot, _| snapshot.up = false, 0.0);
    check(|_, moment| moment.is_current = false, 0.0);
}

#[test]
fn of_pools_that_differ_in_the_namespace_only_upstreams_names_show_the_first() {
    let page = page(
        &fleet_of(&[("a/c/e", 1), ("b/c/e", 2), ("b/c/f", 3)]),
        &ExportOptions::default(),
    );
    let shown = |name| {
        let mut shown: BTreeMap<String, usize> = BTreeMap::new();
        for sample in page.named(name) {
            *shown
                .entry(
                    sample
                        .label("endpoint")
                        .or(sample.label("dynamo_endpoint"))
                        .unwrap()
                        .to_owned(),
                )
                .or_default() += 1;
        }
        shown
            .into_iter()
            .map(|(endpoint, count)| format!("{endpoint} {count}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(shown("llm_kv_blocks_active"), ["e 1", "f 3"]);
    assert_eq!(shown("llm_load_avg"), ["e 1", "f 1"]);
    assert_eq!(shown("llm_worker_kv_blocks_active"), ["e 3", "f 3"]);
}

#[test]
fn pools_and_workers_have_as_many_series_as_they_are_counted_for() {
    let path = |index: usize| format!("dynamo/c{index}/e");
    for (pools, workers) in [(1, 1), (1, 3), (4, 2)] {
        let snapshot = snapshot_of((0..pools).map(|index| full_pool(&path(index), workers)).collect());
        let page = page(&snapshot, &ExportOptions::default());
        let each = workers::series_each(WorkerSeries::Full, true, 0);
        let pool = pools::SERIES + pools::UPSTREAM_SERIES + workers * each;
        assert_eq!(
            page.samples().count() as u64,
            collector::series(&snapshot, &MOMENT) + pools as u64 * pool
        );
    }
}

#[test]
fn an_etcd_that_is_read_is_shown_and_counted() {
    let mut snapshot = two_workers();
    let options = ExportOptions::default();
    let without = page(&snapshot, &options).samples().count() as u64;
    let series = collector::series(&snapshot, &MOMENT);
    snapshot.registry = Some(RegistryView {
        connected: true,
        workers: 7,
        unreadable: 2,
        over_limit: 1,
    });
    let page = page(&snapshot, &options);
    let values = |name| page.named(name).map(|sample| sample.value).collect::<Vec<_>>();
    assert_eq!(values("llm_collector_etcd_connected"), [1.0]);
    assert_eq!(values("llm_collector_etcd_workers"), [7.0]);
    assert_eq!(values("llm_collector_etcd_refused_total"), [2.0, 1.0]);
    let more = page.samples().count() as u64 - without;
    assert_eq!(more, collector::series(&snapshot, &MOMENT) - series);
}

#[test]
fn what_events_report_is_shown_and_counted() {
    let mut pool = full_pool("dynamo/c/e", 3);
    for worker in std::sync::Arc::make_mut(&mut pool.workers) {
        worker.events = Some(Box::new(all_events()));
    }
    pool.pass_seconds.observe(0.02);
    pool.requests = Some(Box::new(all_requests()));
    let mut snapshot = snapshot_of(vec![pool]);
    snapshot.frontends = Some(all_frontends());
    let page = page(&snapshot, &ExportOptions::default());
    let value = |name: &str, labels: &[(&str, &str)]| {
        let has = |sample: &&Sample| {
            labels
                .iter()
                .all(|(name, value)| sample.label(name) == Some(value))
        };
        page.named(name).find(has).map(|sample| sample.value)
    };
    let decode = [("worker_id", "1"), ("phase", "decode")];
    assert_eq!(value("llm_worker_requests_running", &decode), Some(2.0));
    assert_eq!(value("llm_worker_requests_queued", &decode), Some(4.0));
    assert_eq!(value("llm_worker_queued_tokens", &decode), Some(6.0));
    assert_eq!(
        value("llm_worker_forward_passes_total", &[("worker_id", "2")]),
        Some(9.0)
    );
    assert_eq!(
        value(
            "llm_worker_messages_lost_total",
            &[("topic", "forward-pass-metrics")]
        ),
        Some(3.0)
    );
    assert_eq!(value("llm_worker_info", &[("source", "srv,events")]), Some(1.0));
    assert_eq!(
        value(
            "llm_worker_kv_blocks_stored_total",
            &[("worker_id", "3"), ("tier", "host_pinned")]
        ),
        Some(3.0)
    );
    assert_eq!(
        value("llm_worker_kv_blocks_removed_total", &[("tier", "unknown")]),
        Some(7.0)
    );
    assert_eq!(value("llm_worker_kv_cache_clears_total", &[]), Some(2.0));
    assert_eq!(value("llm_worker_requests_assigned", &[]), Some(5.0));
    assert_eq!(
        value("llm_worker_lora_requests_assigned", &[("lora", "a\"\n")]),
        Some(4.0)
    );
    assert_eq!(value("llm_worker_first_tokens_total", &[]), Some(6.0));
    let ttft = |role| value("llm_request_ttft_seconds_count", &[("role", role)]);
    assert_eq!((ttft("aggregated"), ttft("prefill")), (Some(1.0), Some(1.0)));
    assert_eq!(
        value("llm_frontend_requests_total", &[("joined", "no")]),
        Some(2.0)
    );
    let counted = collector::series(&snapshot, &MOMENT)
        + pools::SERIES
        + pools::event_series(&snapshot.pools[0])
        + pools::UPSTREAM_SERIES
        + 3 * counted_each(&snapshot.pools[0]);
    assert_eq!(page.samples().count() as u64, counted);
    let options = ExportOptions {
        max_series: counted - 1,
        ..ExportOptions::default()
    };
    let cut = render(&snapshot, &MOMENT, Format::Classic, &options).left_out;
    assert_eq!(
        (cut.workers, cut.series),
        (1, counted_each(&snapshot.pools[0])),
        "one worker is left out, with all that it has"
    );
}

/// The series of one worker.
fn counted_each(pool: &PoolView) -> u64 {
    workers::series_each(WorkerSeries::Full, true, workers::series_of_events(pool))
}

#[test]
fn what_is_not_reported_of_caches_and_requests_is_absent_and_not_counted() {
    let mut pool = full_pool("dynamo/c/e", 3);
    let workers = std::sync::Arc::make_mut(&mut pool.workers);
    let [none, some, all] = workers.as_mut_slice() else {
        panic!("three")
    };
    none.events = Some(Box::default());
    all.events = Some(Box::new(all_events()));
    let mut events = all_events();
    let cache = events.cache.as_mut().expect("reported");
    (cache.stored, cache.removed) = ([0, 3, 0, 0, 0, 0], [0; 6]);
    let known = events.sequences.as_mut().expect("reported");
    (known.assigned, known.loras) = (None, Vec::new());
    some.events = Some(Box::new(events));
    let snapshot = snapshot_of(vec![pool]);
    let whole = page(&snapshot, &ExportOptions::default());
    let shown = |name: &str| {
        let ids = whole
            .named(name)
            .map(|sample| sample.label("worker_id").expect("a worker"));
        ids.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown("llm_worker_kv_blocks_stored_total"), "2 3 3 3 3 3 3");
    assert_eq!(shown("llm_worker_kv_blocks_removed_total"), "3 3 3 3 3 3");
    assert_eq!(shown("llm_worker_kv_cache_clears_total"), "2 3");
    assert_eq!(shown("llm_worker_requests_assigned"), "3");
    assert_eq!(shown("llm_worker_lora_requests_assigned"), "3 3");
    assert_eq!(shown("llm_worker_first_tokens_total"), "2 3");
    let none = ExportOptions {
        max_series: 0,
        ..ExportOptions::default()
    };
    let left_out = render(&snapshot, &MOMENT, Format::Classic, &none).left_out;
    let rest = page(&snapshot, &none).samples().count();
    assert_eq!(left_out.series, (whole.samples().count() - rest) as u64);
}

#[test]
fn above_the_limit_pools_are_whole_and_the_first_workers_are_shown() {
    let snapshot = snapshot_of(vec![full_pool("a/b/c", 3), full_pool("a/d/e", 100)]);
    let whole = page(&snapshot, &ExportOptions::default());
    let max_series = 600;
    let options = ExportOptions {
        max_series,
        ..ExportOptions::default()
    };
    let cut = page(&snapshot, &options);

    let pools = |page: &Page| {
        page.samples()
            .filter(|sample| sample.name.starts_with("llm_pool_"))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(pools(&cut), pools(&whole));
    let shown = |component| {
        let workers = cut
            .named("llm_worker_info")
            .filter(|sample| sample.label("dynamo_component") == Some(component));
        workers
            .map(|sample| sample.label("worker_id").unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(shown("b"), ["1", "2", "3"]);
    assert_eq!(
        shown("d"),
        (1..=shown("d").len())
            .map(|id| id.to_string())
            .collect::<Vec<_>>()
    );

    let count = cut.samples().count() as u64;
    assert!(count <= max_series && count + 25 > max_series, "{count}");
    let left_out = render(&snapshot, &MOMENT, Format::Classic, &options).left_out;
    assert_eq!(left_out.workers, 100 - shown("d").len() as u64);
    assert_eq!(left_out.series, whole.samples().count() as u64 - count);
    let shown_left_out: Vec<f64> = cut
        .named("llm_collector_series_left_out")
        .map(|sample| sample.value)
        .collect();
    assert_eq!(shown_left_out, [left_out.series as f64]);
}

#[test]
fn a_worker_without_load_takes_the_place_of_one_with_load() {
    let mut pool = full_pool("a/b/c", 10);
    for worker in &mut std::sync::Arc::make_mut(&mut pool.workers)[..5] {
        worker.load = None;
    }
    let options = ExportOptions {
        max_series: 286,
        ..ExportOptions::default()
    };
    let loaded = page(&snapshot_of(vec![full_pool("a/b/c", 10)]), &options);
    let page = page(&snapshot_of(vec![pool]), &options);
    let shown = |page: &Page| page.named("llm_worker_info").count();
    assert_eq!((shown(&page), shown(&loaded)), (5, 5));
}

#[test]
fn hostile_text_is_escaped_in_both_formats() {
    let hostile = [
        "\"", "\\", "\\\"", "\n", "a\\nb", "\r", "\u{0}", "\u{202e}", "}", "\",x=\"", "é🦀", "# EOF", "",
    ];
    for text in hostile {
        check_labels([text; 4]);
    }
    check_labels(["\n", "\"", "\\", "\u{0}"]);
}

proptest! {
    #[test]
    fn every_sample_has_exactly_the_labels_of_the_catalogue(texts in prop::array::uniform4(any::<String>())) {
        check_labels(texts.each_ref().map(String::as_str));
    }
}

/// Renders a worker whose texts are these, and reads back every label as it was.
fn check_labels(texts: [&str; 4]) {
    let [name, id, version, layout] = texts;
    let is_name = |name: &&str| {
        format!("{name}/b/c")
            .parse::<protocol::EndpointPath>()
            .is_ok_and(|path| path.namespace.as_str() == *name)
    };
    let namespace = Some(name).filter(is_name).unwrap_or("ns\"\\");
    let mut pool = full_pool(&format!("{namespace}/b/c"), 0);
    pool.workers = vec![worker(id, version, layout)].into();
    let snapshot = snapshot_of(vec![pool]);
    let catalogue = catalogue();
    for format in Format::ALL {
        let page = parse::strict(&text(&snapshot, format, &ExportOptions::default()), format);
        for (family, samples) in &page.families {
            let entry = catalogue
                .iter()
                .find(|entry| entry.shown_name() == *family || entry.name == family);
            let declared = &entry
                .unwrap_or_else(|| panic!("{family} is not in the catalogue"))
                .labels;
            for sample in samples {
                let has_bound = sample.name.ends_with("_bucket");
                let mut expected = declared[0].clone();
                expected.extend(has_bound.then_some("le"));
                let labels: Vec<&str> = sample.labels.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(labels, expected, "{family}");
                for (label, value) in [("dynamo_namespace", namespace), ("worker_id", id)] {
                    assert!(
                        sample.label(label).is_none_or(|shown| shown == value),
                        "{sample:?}"
                    );
                }
            }
        }
        let info = page.named("llm_worker_info").next().expect("there is a worker");
        let shown = ["version", "layout", "service_id"].map(|label| info.label(label));
        assert_eq!(shown, [Some(version), Some(layout), Some(id)]);
    }
}
