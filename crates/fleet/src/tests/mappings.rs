//! Mappings: which numbers in the data of workers and services are shown, and what is said of those that are not.

use std::sync::Arc;

use protocol::mapping::{LOAD_FIELDS, Range};
use protocol::{StatsShape, WorkerStats};

use super::*;
use crate::{
    Labelled, MappedKind, MappedMetric, Mapping, MappingFault, NameGlob, Plan, Scope, Selector, WorkerView,
};

fn services(service: &str) -> Scope {
    Scope::Services {
        service: NameGlob::new(service),
        endpoint: NameGlob::new("*"),
    }
}

fn mapping(scope: Scope, pointer: &str, name: &str) -> Mapping {
    let pointer: protocol::mapping::Pointer = pointer.parse().expect(pointer);
    Mapping {
        scope,
        metric: Arc::new(MappedMetric {
            name: name.to_owned(),
            kind: MappedKind::Gauge,
            unit: None,
            help: "A number.".to_owned(),
            labels: (0..pointer.stars()).map(|star| format!("key{star}")).collect(),
            const_labels: Vec::new(),
        }),
        pointer,
        scale: 1.0,
        range: Range::default(),
        is_boolean: false,
        is_optional: false,
        max_series: 100,
    }
}

fn counter(of: Mapping) -> Mapping {
    let metric = MappedMetric {
        kind: MappedKind::Counter,
        ..(*of.metric).clone()
    };
    Mapping {
        metric: Arc::new(metric),
        ..of
    }
}

fn mapped(mappings: impl IntoIterator<Item = Mapping>) -> Plan {
    Plan {
        selectors: vec![
            Selector::Services(NameGlob::new("orders")),
            POOL.parse().expect("a path"),
        ],
        mappings: mappings.into_iter().map(Arc::new).collect(),
        ..plan(&[])
    }
}

fn orders(id: &str, data: &str) -> Actor {
    Actor::plain("orders", id, "o.create").data(data)
}

/// `name keys = value` for each value that is shown of one worker.
fn values(worker: &WorkerView) -> Vec<String> {
    let is_fresh = worker.state == crate::WorkerState::Fresh;
    let shown = worker.mapped.iter().flat_map(|mapped| mapped.values(is_fresh));
    shown
        .map(|value| format!("{} {} = {}", value.metric.name, value.keys.join(","), value.value))
        .collect()
}

fn shown(bench: &Bench) -> Vec<String> {
    let pool = bench.find("orders/create").expect("there");
    pool.workers.iter().flat_map(values).collect()
}

fn faults(bench: &Bench, metric: &str) -> Vec<(&'static str, u64)> {
    let snapshot = bench.snapshots.last().expect("there is one");
    let view = snapshot.mappings.iter().find(|view| &*view.metric == metric);
    let counts = view.expect(metric).faults;
    let counted = MappingFault::ALL.into_iter().zip(counts);
    counted
        .filter(|(_, count)| *count > 0)
        .map(|(fault, count)| (fault.as_str(), count))
        .collect()
}

#[test]
fn a_number_is_found_scaled_and_labelled() {
    let depth = mapping(services("ord*"), "/queues/*/depth", "queue_depth");
    let age = Mapping {
        scale: 0.001,
        ..mapping(services("orders"), "/age_ms", "age_seconds")
    };
    let healthy = Mapping {
        is_boolean: true,
        ..mapping(services("orders"), "/ok", "healthy")
    };
    let other = mapping(services("other"), "/age_ms", "other");
    let mut bench = Bench::new(mapped([depth, age, healthy, other]));
    let data = r#"{"queues": {"mail": {"depth": 3}, "sms": {"depth": 5}}, "age_ms": 1500, "ok": true}"#;
    bench.round(&[orders("x", data)]);
    assert_eq!(
        shown(&bench),
        [
            "queue_depth mail = 3",
            "queue_depth sms = 5",
            "age_seconds  = 1.5",
            "healthy  = 1"
        ]
    );
    assert_eq!(faults(&bench, "queue_depth"), []);
}

#[test]
fn data_of_any_form_is_read() {
    let mut bench = Bench::new(mapped([mapping(services("orders"), "/*/n", "n")]));
    bench.round(&[orders("x", r#"[{"n": 1}, {"n": 2}]"#)]);
    assert_eq!(shown(&bench), ["n 0 = 1", "n 1 = 2"]);
    let counted = bench.find("orders/create").expect("there").replies;
    assert_eq!(
        counted[crate::ReplyResult::Ok],
        1,
        "a list is no load, and need not be"
    );
}

#[test]
fn what_cannot_be_shown_is_counted_by_its_reason_and_the_rest_is_shown() {
    let limited = Mapping {
        range: Range {
            min: Some(0.0),
            max: Some(10.0),
            is_count: false,
        },
        ..mapping(services("orders"), "/q/*", "q")
    };
    let optional = Mapping {
        is_optional: true,
        ..mapping(services("orders"), "/nowhere", "optional")
    };
    let absent = mapping(services("orders"), "/nowhere", "absent");
    let twice = mapping(services("orders"), "/again/*", "q");
    let mut bench = Bench::new(mapped([limited, optional, absent, twice]));
    let data = r#"{"q": {"a": 1, "b": 11, "c": "x", "d": -1, "e": null}, "again": {"a": 2}}"#;
    bench.round(&[orders("x", data)]);
    assert_eq!(shown(&bench), ["q a = 1"]);
    assert_eq!(
        faults(&bench, "q"),
        [
            ("missing", 1),
            ("wrong_type", 1),
            ("out_of_range", 2),
            ("duplicate", 1)
        ]
    );
    assert_eq!(faults(&bench, "absent"), [("missing", 1)]);
    assert_eq!(faults(&bench, "optional"), []);
    let notices = format!("{:?}", bench.notices);
    assert!(
        notices.contains("q at /q/b is above the limit of 10"),
        "{notices}"
    );
    bench.next_round();
    assert_eq!(faults(&bench, "absent"), [("missing", 2)]);
}

#[test]
fn an_inspection_says_what_each_mapping_found_and_what_it_cannot_read_in_which_instance() {
    let mode = mapping(services("orders"), "/mode", "mode");
    let queues = Mapping {
        range: Range {
            max: Some(10.0),
            ..Range::default()
        },
        ..mapping(services("orders"), "/q/*", "queue")
    };
    let optional = Mapping {
        is_optional: true,
        ..mapping(services("orders"), "/nowhere", "optional")
    };
    let mut bench = Bench::new(mapped([mode, queues, optional]));
    bench.round(&[
        orders("x", r#"{"mode": 3, "q": {"a": 1, "b": 2}}"#),
        orders("y", r#"{"mode": "auto", "q": {"a": 1, "b": 11, "c": []}}"#),
    ]);
    let seen = bench.core.inspect(None, None, bench.now);
    let [mode, queues, optional] = seen.mappings.as_slice() else {
        panic!("{:?}", seen.mappings)
    };
    let of = |id: &str| {
        let instance = seen.instances.iter().find(|instance| &*instance.id == id);
        match &instance.expect(id).endpoints[0].seen {
            crate::Seen::Worker { mapped, unread, .. } => {
                (mapped.clone().expect("it answered"), unread.clone())
            }
            seen => panic!("{id}: {seen:?}"),
        }
    };
    let (mapped, unread) = of("x");
    let counts = |mapped: &crate::Mapped| [mode, queues, optional].map(|mapping| mapped.count_of(mapping));
    assert_eq!((counts(&mapped), unread.len()), ([1, 2, 0], 0));
    let (mapped, unread) = of("y");
    assert_eq!(counts(&mapped), [0, 1, 0]);
    let notes: Vec<_> = unread
        .iter()
        .map(|note| {
            (
                note.fault.as_str(),
                &*note.place,
                note.example.as_deref(),
                note.count,
            )
        })
        .collect();
    assert_eq!(
        notes,
        [
            ("wrong_type", "/mode", Some("\"auto\""), 1),
            ("out_of_range", "/q/b", Some("11"), 2)
        ]
    );
    bench.round(&[orders("y", r#"{"mode": 4, "q": {}}"#)]);
    let seen = bench.core.inspect(None, None, bench.now);
    let crate::Seen::Worker { unread, .. } = &seen.instances[1].endpoints[0].seen else {
        panic!("{:?}", seen.instances[1])
    };
    assert!(unread.is_empty(), "the last reply counts: {unread:?}");
}

#[test]
fn a_mapping_has_so_many_series_over_all_instances_and_no_more() {
    let few = Mapping {
        max_series: 3,
        ..mapping(services("orders"), "/q/*", "q")
    };
    let mut bench = Bench::new(mapped([few]));
    let two = r#"{"q": {"a": 1, "b": 2}}"#;
    bench.round(&[orders("x", two), orders("y", two)]);
    assert_eq!(shown(&bench).len(), 3);
    assert_eq!(faults(&bench, "q"), [("over_limit", 1)]);
    // What is gone makes room, and snapshots that are still held take none.
    bench.round(&[orders("y", two)]).rounds(8);
    assert_eq!(shown(&bench), ["q a = 1", "q b = 2"]);
    let before = faults(&bench, "q");
    bench.rounds(3);
    assert_eq!(faults(&bench, "q"), before);
}

#[test]
fn a_gauge_ends_with_the_answers_and_a_counter_stays_until_the_instance_is_gone() {
    let gauge = mapping(services("orders"), "/g", "g");
    let total = counter(mapping(services("orders"), "/c", "c"));
    let mut bench = Bench::new(mapped([gauge, total]));
    bench.round(&[orders("x", r#"{"g": 1, "c": 7}"#)]);
    assert_eq!(shown(&bench), ["g  = 1", "c  = 7"]);
    bench.round(&[]).next_round();
    assert_eq!(shown(&bench), ["c  = 7"]);
}

#[test]
fn a_new_plan_changes_what_is_mapped_and_keeps_what_was_counted() {
    let first = mapping(services("orders"), "/a", "a");
    let mut bench = Bench::new(mapped([first]));
    bench.round(&[orders("x", r#"{"b": 2}"#)]);
    assert_eq!(faults(&bench, "a"), [("missing", 1)]);
    bench.take(mapped([mapping(services("orders"), "/b", "b")]));
    assert_eq!(shown(&bench), Vec::<String>::new());
    bench.next_round();
    assert_eq!(shown(&bench), ["b  = 2"]);
    assert_eq!(faults(&bench, "a"), [("missing", 1)], "a counter does not vanish");
}

#[test]
fn a_worker_has_mapped_values_next_to_its_load() {
    let scope = || Scope::Workers("dynamo/*/gen".parse().expect("a glob"));
    let mut bench = Bench::new(mapped([mapping(scope(), "/gpu/temperature", "gpu_celsius")]));
    let data = r#"{"kv_active_blocks": 5, "gpu": {"temperature": 61}}"#;
    bench.round(&[worker("a", "1", 5, 0).data(data)]);
    let worker = bench.pool().workers[0].clone();
    assert_eq!(
        worker.load.as_ref().and_then(WorkerStats::kv_blocks_active),
        Some(5)
    );
    assert_eq!(values(&worker), ["gpu_celsius  = 61"]);
}

/// The state machine reads the load of workers by the reader that knows Dynamo's fields. Mappings with the same pointers
/// and ranges find the same numbers.
#[test]
fn mappings_with_the_pointers_of_the_load_fields_find_the_load() {
    let stats = WorkerStats::builder()
        .slots_active(3)
        .slots_capacity(100)
        .requests_waiting(7)
        .kv_blocks_active(42)
        .kv_blocks_capacity(100)
        .prefix_cache_hit_ratio(0.25)
        .build()
        .expect("in range");
    for shape in [StatsShape::Flat, StatsShape::Nested] {
        let fields = LOAD_FIELDS
            .iter()
            .filter_map(|field| Some((field, field.metric?)));
        let mappings = fields.map(|(field, metric)| Mapping {
            range: field.range(),
            ..mapping(services("orders"), &field.pointer(shape).to_string(), metric)
        });
        let mut bench = Bench::new(mapped(mappings));
        bench.round(&[orders("x", &stats.to_data(shape).to_string())]);
        let expected = [
            "request_slots_active  = 3",
            "request_slots_capacity  = 100",
            "requests_waiting  = 7",
            "kv_blocks_active  = 42",
            "kv_blocks_capacity  = 100",
            "kv_usage_ratio  = 0.42",
            "prefix_cache_hit_ratio  = 0.25",
        ];
        assert_eq!(shown(&bench), expected.map(|value| format!("llm_worker_{value}")));
    }
}

#[test]
fn a_pool_has_the_labels_of_the_first_selector_that_selects_it() {
    let labelled = |pools: &str, team: &str| Labelled {
        pools: pools.parse().expect(pools),
        labels: Arc::new([("team".to_owned(), team.to_owned())]),
    };
    let mut bench = Bench::new(Plan {
        labels: vec![labelled("dynamo/c/gen", "a"), labelled("dynamo/*/gen", "b")],
        ..plan(&["dynamo/*/gen"])
    });
    bench.round(&[Actor::of("c", "x", "1"), Actor::of("d", "y", "2")]);
    let team = |bench: &Bench, pool: &str| bench.find(pool).expect(pool).labels[0].1.clone();
    assert_eq!(
        (team(&bench, "dynamo/c/gen"), team(&bench, "dynamo/d/gen")),
        ("a".to_owned(), "b".to_owned())
    );
    bench.take(plan(&["dynamo/*/gen"]));
    assert!(bench.find("dynamo/c/gen").expect("there").labels.is_empty());
}
