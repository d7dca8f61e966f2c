//! Input for the properties: what is valid, what is nearly so, and what no client should send.

use proptest::prelude::*;
use proptest::sample::select;
use protocol::{EndpointPath, Layout, SubjectPattern, WorkerId, WorkerStats, WorkerStatsBuilder};
use serde_json::Value;

/// Any valid endpoint: dotted, dashed, with capitals and letters of any script.
fn endpoint() -> impl Strategy<Value = String> {
    let odd = select(
        &[
            "_", "__", "-", "日本", "Éa", "ßİK", "my-add", "ff", "7", "dyn:", "Q_",
        ][..],
    );
    let any = any::<char>().prop_filter("not in a subject", |c| {
        !c.is_whitespace() && !c.is_control() && !matches!(c, '.' | '/' | '*' | '>')
    });
    let part = prop_oneof![
        "[a-z]{1,8}".boxed(),
        "[A-Za-z0-9_-]{1,10}".boxed(),
        odd.prop_map(str::to_owned).boxed(),
        prop::collection::vec(any, 1..6)
            .prop_map(String::from_iter)
            .boxed(),
    ];
    prop::collection::vec(part, 1..4)
        .prop_map(|parts| parts.join("."))
        .prop_filter("the one word that is reserved", |name| name != "_endpoint_")
}

/// Any valid namespace or component: those that are valid endpoints, and those that no subject carries as they are.
fn name() -> impl Strategy<Value = String> {
    let odd = select(
        &[
            " ",
            "*",
            ">",
            ".",
            "..",
            ".a",
            "a.",
            "a..b",
            "_a.b",
            "c d",
            "a\u{a0}b",
            "a\u{2028}b",
            "a > *",
            "in namespace",
            " in namespace ",
            "a in namespace b",
            "%20",
        ][..],
    );
    let any = any::<char>().prop_filter("not in a name", |c| !c.is_control() && *c != '/');
    prop_oneof![
        4 => endpoint(),
        2 => odd.prop_map(str::to_owned),
        1 => prop::collection::vec(any, 1..8).prop_map(String::from_iter),
    ]
}

pub(crate) fn path() -> impl Strategy<Value = EndpointPath> {
    (name(), name(), endpoint()).prop_map(|(namespace, component, endpoint)| {
        EndpointPath::new(
            namespace.parse().expect("valid"),
            component.parse().expect("valid"),
            endpoint.parse().expect("valid"),
        )
    })
}

pub(crate) fn worker_id() -> impl Strategy<Value = WorkerId> {
    prop_oneof![any::<u64>(), 0..300_u64, Just(u64::MAX)].prop_map(WorkerId::new)
}

pub(crate) fn layout() -> impl Strategy<Value = Layout> {
    select(&Layout::ALL[..])
}

/// A template with its parts in any order and any separators between them.
pub(crate) fn pattern() -> impl Strategy<Value = SubjectPattern> {
    let parts = select(vec![
        vec!["{namespace}", "{component}", "{endpoint}", "{worker_id}"],
        vec![
            "{namespace}",
            "{component}",
            "{hash}",
            "{endpoint}",
            "{worker_id:dec}",
        ],
        vec!["{hash}", "{endpoint}", "{worker_id}"],
    ]);
    let separator = select(&[".", "-", "_", "~x~", ".v1."][..]);
    let edge = select(&["", "w.", "W", "_"][..]);
    (
        parts.prop_flat_map(|parts| Just(parts).prop_shuffle()),
        prop::collection::vec(separator, 5),
        edge,
        select(&["", ".load", "_"][..]),
    )
        .prop_map(|(parts, separators, before, behind)| {
            let mut template = before.to_owned();
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    template.push_str(separators[at]);
                }
                template.push_str(part);
            }
            template.push_str(behind);
            template.parse().expect(&template)
        })
}

/// Load within its ranges, of which any part may be unsaid.
pub(crate) fn stats() -> impl Strategy<Value = WorkerStats> {
    let count = || prop_oneof![0..1000_u64, any::<u64>()];
    let pair = move || (count(), count()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let ratio = || prop::option::of(0.0..=1.0);
    let ranks = prop::option::of(0..8_u64);
    let requests = prop::option::of((pair(), count()));
    // Blocks are unknown, known without a total, or known with it.
    let blocks = prop::option::of((pair(), any::<bool>()));
    (requests, blocks, ratio(), ratio(), ranks).prop_map(|(requests, blocks, usage, hits, rank)| {
        let mut stats = WorkerStats::builder();
        if let Some(((active, capacity), waiting)) = requests {
            stats = stats
                .slots_active(active)
                .slots_capacity(capacity)
                .requests_waiting(waiting);
        }
        stats = match blocks {
            Some(((active, capacity), true)) => stats.kv_blocks_active(active).kv_blocks_capacity(capacity),
            Some(((active, _), false)) => stats.kv_blocks_active(active),
            None => stats,
        };
        stats = usage.into_iter().fold(stats, WorkerStatsBuilder::kv_usage_ratio);
        stats = hits
            .into_iter()
            .fold(stats, WorkerStatsBuilder::prefix_cache_hit_ratio);
        stats = rank
            .into_iter()
            .fold(stats, WorkerStatsBuilder::data_parallel_rank);
        stats.build().expect("in range")
    })
}

/// Load as it is read from the wire, where any single field may be missing.
pub(crate) fn partial_stats() -> impl Strategy<Value = WorkerStats> {
    let values = prop::collection::vec(prop::option::of(0..12_u64), LOAD_FIELDS.len());
    values.prop_map(|values| {
        let said = LOAD_FIELDS.into_iter().zip(values);
        let data: Value = said.filter_map(|(field, value)| Some((field, value?))).collect();
        let reading = WorkerStats::read(&data).unwrap_or_default();
        reading.stats.unwrap_or_default()
    })
}

/// The `data` of an endpoint as text: load fields with likely and unlikely values, in either shape.
pub(crate) fn load_data() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => (0..12_u64).prop_map(|n| n.to_string()),
        2 => (-2.0..2.0_f64).prop_map(|n| n.to_string()),
        1 => any::<f64>().prop_map(|n| if n.is_finite() { n.to_string() } else { "NaN".to_owned() }),
        1 => any::<u64>().prop_map(|n| format!("\"{n}\"")),
        1 => json_text(),
    ];
    let field = (select(&LOAD_FIELDS[..]).prop_map(str::to_owned), value);
    let fields = || prop::collection::vec(field.clone(), 0..10).prop_map(object);
    prop_oneof![
        fields(),
        (fields(), fields())
            .prop_map(|(worker, kv)| format!(r#"{{"worker_stats":{worker},"kv_stats":{kv}}}"#)),
        json_text(),
    ]
}

const LOAD_FIELDS: [&str; 8] = [
    "request_active_slots",
    "request_total_slots",
    "num_requests_waiting",
    "kv_active_blocks",
    "kv_total_blocks",
    "gpu_cache_usage_perc",
    "gpu_prefix_cache_hit_rate",
    "data_parallel_rank",
];

/// Any value of JSON as text, with the literals that only lax writers have.
pub(crate) fn json_text() -> BoxedStrategy<String> {
    let literal = select(
        &[
            "null",
            "true",
            "NaN",
            "-Infinity",
            "1e400",
            "-0",
            "1.5e3",
            "\"\"",
            "\"7\"",
        ][..],
    );
    let leaf = prop_oneof![
        literal.prop_map(str::to_owned),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|text| Value::String(text).to_string()),
    ];
    let nested = leaf.prop_recursive(4, 24, 6, |inner| {
        let known = select(
            &[
                "name",
                "subject",
                "data",
                "kv_stats",
                "num_requests",
                "id",
                "endpoints",
            ][..],
        );
        let key = prop_oneof![known.prop_map(str::to_owned), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec((key, inner), 0..6).prop_map(object),
        ]
    });
    let deep = (1..600_usize).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    prop_oneof![20 => nested, 1 => deep].boxed()
}

fn object(fields: Vec<(String, String)>) -> String {
    let write = |(name, value)| format!("{}:{value}", Value::String(name));
    let fields: Vec<String> = fields.into_iter().map(write).collect();
    format!("{{{}}}", fields.join(","))
}
