//! Prints what `cargo xtask docs` writes for other languages: `vectors`, and the `schema` or the `table` of a message.
//!
//! Everything is computed by this crate from the inputs below, so an implementation that agrees with the vectors agrees with
//! the collector.

mod payload;
mod payloads;

use std::error::Error;

use protocol::codec::{Publisher, open};
use protocol::events::{ForwardPass, Queued, Scheduled, Topic};
use protocol::subject::{EventSubject, Instance, SubjectParts};
use protocol::{
    Description, Encoding, EndpointPath, Envelope, KvHitRate, KvMetrics, Layout, StatsShape, WorkerId,
    WorkerStats, WorkerSubject, subject,
};
use serde_json::{Map, Value, json};

use payload::{LOAD, Payload, load_schema, load_table};
use payloads::PAYLOADS;

const LAYOUTS: [Layout; 3] = [Layout::Hashed, Layout::HashedPipe, Layout::Plain];

/// Paths and ids that have shown where implementations differ.
const WORKERS: [(&str, Option<u64>); 14] = [
    ("dynamo/my_component/my_endpoint", Some(4_111_120_194_158_748_168)),
    ("dynamo/MyComponent/my_endpoint", Some(4_111_120_194_158_748_170)),
    ("dynamo/mycomponent/my_endpoint", Some(1)),
    ("dynamo/backend/generate", Some(0)),
    ("dynamo/backend/generate", Some(10)),
    ("dynamo/backend/generate", Some(u64::MAX)),
    ("dynamo/backend/generate", None),
    ("My-NS.x/back-end/gen-erate", Some(4_111_120_194_704_496_476)),
    ("_a.b/c d/e", Some(9_007_199_254_740_993)),
    ("a|b/c/d", Some(255)),
    ("Ångström/İstanbul/ẞ", Some(16)),
    ("日本/模型/generate", Some(17)),
    ("___/___/e", Some(18)),
    ("ns/comp/a.b-c", Some(19)),
];

/// What people type for a path.
const PATHS: [&str; 14] = [
    "dynamo/backend/generate",
    "dynamo.backend.generate",
    "my.ns/backend/generate",
    "dyn://dynamo.backend.generate",
    "dynamo/backend/_endpoint_/generate",
    "",
    "dynamo",
    "dynamo/backend",
    "dynamo//generate",
    "a/b/c/d",
    "dynamo/backend/gen erate",
    "dynamo/backend/gen*",
    "dynamo/backend/.generate",
    "dynamo/back\nend/generate",
];

/// Subjects, and the path for which they are read.
const SUBJECTS: [(&str, &str); 10] = [
    (
        "dynamo_backend_9ce3f3b7.generate-390da208f1c46211",
        "dynamo/backend/generate",
    ),
    ("dynamo_backend.generate-2a", "dynamo/backend/generate"),
    ("dynamo_backend.generate", "dynamo/backend/generate"),
    ("dynamo_backend.generate-0000002a", "dynamo/backend/generate"),
    ("dynamo_backend.generate-2A", "dynamo/backend/generate"),
    (
        "dynamo_backend.generate-10000000000000000",
        "dynamo/backend/generate",
    ),
    ("dynamo_backend.generate_v2-2a", "dynamo/backend/generate"),
    ("dynamo_backend.generate-v2-2a", "dynamo/backend/generate"),
    ("dynamo_backend.Generate-2a", "dynamo/backend/generate"),
    ("dynamo_backend.generate-", "dynamo/backend/generate"),
];

/// Load as workers write it, right and wrong.
const LOADS: [&str; 20] = [
    r#"{"worker_stats":{"request_active_slots":3,"request_total_slots":100,"num_requests_waiting":7},"kv_stats":{"kv_active_blocks":42,"kv_total_blocks":100,"gpu_cache_usage_perc":0.42,"gpu_prefix_cache_hit_rate":0.25},"spec_decode_stats":null}"#,
    r#"{"request_active_slots":3,"request_total_slots":100,"num_requests_waiting":7,"kv_active_blocks":42,"kv_total_blocks":100,"gpu_cache_usage_perc":0.42,"gpu_prefix_cache_hit_rate":0.25}"#,
    "null",
    "{}",
    r#"{"kv_stats":{"kv_active_blocks":42.0,"kv_total_blocks":"100"}}"#,
    r#"{"worker_stats":{"data_parallel_rank":2,"num_requests_waiting":0},"kv_stats":null}"#,
    r#"{"kv_active_blocks":18446744073709551615}"#,
    r#"{"kv_active_blocks":18446744073709551616}"#,
    r#"{"kv_active_blocks":-1,"kv_total_blocks":100}"#,
    r#"{"kv_active_blocks":1.5,"kv_total_blocks":100}"#,
    r#"{"kv_active_blocks":101,"kv_total_blocks":100}"#,
    r#"{"gpu_cache_usage_perc":42.0,"num_requests_waiting":1}"#,
    r#"{"gpu_cache_usage_perc":-0.1}"#,
    r#"{"kv_active_blocks":true,"kv_total_blocks":[]}"#,
    r#"{"kv_active_blocks":"many"}"#,
    r#"{"worker_stats":[],"kv_stats":{"kv_active_blocks":1}}"#,
    r#"{"kvActiveBlocks":42}"#,
    "[]",
    r#""busy""#,
    "7",
];

/// JSON events that readers refuse, or read only in part.
const ODD_EVENTS: [(Topic, &str); 8] = [
    (
        Topic::KvHitRate,
        r#"{"worker_id":7,"isl_blocks":10,"overlap_blocks":4}"#,
    ),
    (
        Topic::KvHitRate,
        r#"{"worker_id":7,"dp_rank":0,"isl_blocks":4,"overlap_blocks":10}"#,
    ),
    (
        Topic::KvHitRate,
        r#"{"worker_id":-7,"dp_rank":0,"isl_blocks":10,"overlap_blocks":4}"#,
    ),
    (Topic::KvHitRate, r#"{"isl_blocks":10,"overlap_blocks":4}"#),
    (Topic::KvHitRate, r#"[]"#),
    (Topic::KvHitRate, ""),
    (
        Topic::KvMetrics,
        r#"{"worker_id":7,"dp_rank":0,"active_decode_blocks":42}"#,
    ),
    (
        Topic::KvMetrics,
        r#"{"worker_id":7,"data":{"kv_stats":{"kv_active_blocks":-1,"kv_total_blocks":9}}}"#,
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (what, name) = (arguments.next(), arguments.next());
    let document = match (what.as_deref(), name.as_deref()) {
        (Some("vectors"), None) => vectors()?,
        (Some("schema"), Some(LOAD)) => load_schema(),
        (Some("schema"), Some(name)) => payload(name)?.schema(),
        (Some("table"), Some(name)) => {
            let table = match name {
                LOAD => load_table(),
                "paths" => paths_table(),
                "layouts" => layouts_table()?,
                name => payload(name)?.table(),
            };
            print!("{table}");
            return Ok(());
        }
        _ => return Err("write `vectors`, or `schema` or `table` and a name".into()),
    };
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}

fn vectors() -> Result<Value, Box<dyn Error>> {
    Ok(json!({
        "about": "What a worker writes and how a collector reads it, for implementations in any language. Whole numbers that \
                  may exceed 2^53 are texts. Generated by `cargo xtask docs`; docs/protocol.md explains each part.",
        "workers": WORKERS.iter().map(worker).collect::<Result<Vec<_>, _>>()?,
        "paths": PATHS.iter().map(path).collect::<Vec<_>>(),
        "subjects": SUBJECTS.iter().map(read_subject).collect::<Result<Vec<_>, _>>()?,
        "loads": LOADS.iter().map(load).collect::<Result<Vec<_>, _>>()?,
        "loads_written": loads_written()?,
        "events": events()?,
        "events_read": ODD_EVENTS.iter().map(odd_event).collect::<Vec<_>>(),
    }))
}

/// A worker's names in every layout.
fn worker((path, id): &(&str, Option<u64>)) -> Result<Value, Box<dyn Error>> {
    let path: EndpointPath = path.parse()?;
    let id = id.map(WorkerId::new);
    let mut layouts = Map::new();
    for layout in LAYOUTS {
        let names = match WorkerSubject::new(&path, layout, id) {
            Ok(subject) => json!({
                "service": subject.service().as_str(),
                "subject": subject.to_string(),
                "endpoint_name": subject.micro_name(),
            }),
            Err(error) => json!({"error": error.to_string()}),
        };
        layouts.insert(layout.to_string(), names);
    }
    let description = Description {
        component: path.component.clone(),
        namespace: path.namespace.clone(),
    };
    Ok(json!({
        "namespace": path.namespace.as_str(),
        "component": path.component.as_str(),
        "endpoint": path.endpoint.as_str(),
        "worker_id": id.map(|id| id.get().to_string()),
        "description": description.to_string(),
        "queue_group": subject::QUEUE_GROUP,
        "layouts": layouts,
        "event_subjects": {
            "kv-hit-rate": subject::event(&path.namespace, Topic::KvHitRate.as_str()),
            "kv_metrics": subject::event(&path.namespace, Topic::KvMetrics.as_str()),
            "forward-pass-metrics": EventSubject::of(&path, Topic::ForwardPass).to_encoded(),
        },
    }))
}

fn path(text: &&str) -> Value {
    match text.parse::<EndpointPath>() {
        Ok(path) => json!({
            "text": text, "namespace": path.namespace.as_str(), "component": path.component.as_str(),
            "endpoint": path.endpoint.as_str(),
        }),
        Err(error) => json!({"text": text, "error": error.to_string()}),
    }
}

fn read_subject((subject, path): &(&str, &str)) -> Result<Value, Box<dyn Error>> {
    let endpoint = path.parse::<EndpointPath>()?.endpoint;
    let parts = SubjectParts::split(subject).ok_or("a dot is missing")?;
    Ok(match parts.read(&endpoint) {
        Ok(Instance::Worker(id)) => json!({
            "subject": subject, "endpoint": endpoint.as_str(), "worker_id": id.get().to_string(),
        }),
        Ok(Instance::Static) => json!({"subject": subject, "endpoint": endpoint.as_str(), "worker_id": null}),
        Err(error) => json!({"subject": subject, "endpoint": endpoint.as_str(), "error": error.to_string()}),
    })
}

/// Data as it is read: as text, since languages differ in which numbers of JSON they keep.
fn load(data: &&str) -> Result<Value, Box<dyn Error>> {
    Ok(match WorkerStats::read(&serde_json::from_str(data)?) {
        Ok(reading) => json!({
            "data": data,
            "shape": reading.shape.map(|shape| shape.to_string()),
            "load": reading.stats.as_ref().map(meaning),
            "refused": reading
                .refused
                .iter()
                .map(|error| json!({"field": error.field, "error": error.to_string()}))
                .collect::<Vec<_>>(),
        }),
        Err(error) => json!({"data": data, "error": error.to_string()}),
    })
}

/// Load by the names of the metrics that it becomes.
fn meaning(stats: &WorkerStats) -> Value {
    let count = |value: Option<u64>| value.map(|value| value.to_string());
    json!({
        "request_slots_active": count(stats.request_slots_active()),
        "request_slots_capacity": count(stats.request_slots_capacity()),
        "requests_waiting": count(stats.requests_waiting()),
        "kv_blocks_active": count(stats.kv_blocks_active()),
        "kv_blocks_capacity": count(stats.kv_blocks_capacity()),
        "kv_usage_ratio": stats.kv_usage_ratio(),
        "prefix_cache_hit_ratio": stats.prefix_cache_hit_ratio(),
        "data_parallel_rank": count(stats.data_parallel_rank()),
    })
}

fn example_load() -> Result<WorkerStats, Box<dyn Error>> {
    let stats = WorkerStats::builder()
        .slots_active(3)
        .slots_capacity(100)
        .requests_waiting(7)
        .kv_blocks_active(42)
        .kv_blocks_capacity(100)
        .prefix_cache_hit_ratio(0.25);
    Ok(stats.build()?)
}

/// What the same load is in either shape.
fn loads_written() -> Result<Value, Box<dyn Error>> {
    let stats = example_load()?;
    let shapes = [StatsShape::Nested, StatsShape::Flat];
    let written = shapes.map(|shape| (shape.to_string(), stats.to_data(shape)));
    Ok(json!({"load": meaning(&stats), "data": Map::from_iter(written)}))
}

/// Events as bytes: plain JSON, plain MessagePack, and in the envelope of Dynamo 0.9 and later.
fn events() -> Result<Vec<Value>, Box<dyn Error>> {
    let id = WorkerId::new(4_111_120_194_158_748_245);
    let hit_rate = KvHitRate::new(id, 10, 4)?;
    let metrics = KvMetrics::new(id, example_load()?);
    let pass = ForwardPass {
        worker_id: id,
        dp_rank: 1,
        counter_id: 6,
        wall_time: 0.025,
        scheduled: Scheduled {
            decode_requests: 8,
            decode_kv_tokens: 4096,
            decode_kv_variance: 114.5,
            ..Scheduled::default()
        },
        queued: Queued {
            prefill_requests: 2,
            prefill_tokens: 700,
            ..Queued::default()
        },
    };
    let publisher = Publisher {
        id: 4_554_217_106_899_504,
        sequence: 5,
        published_at_ms: 1_795_447_959_357,
    };
    let envelope = |topic, event: Result<Envelope, protocol::CodecError>| -> Result<Value, Box<dyn Error>> {
        event_vector(
            topic,
            "envelope",
            Encoding::MessagePack.encode(&event?)?,
            Some(publisher),
        )
    };
    let plain = |topic, encoding: Encoding, bytes| {
        let form = if encoding == Encoding::Json {
            "json"
        } else {
            "msgpack"
        };
        event_vector(topic, form, bytes, None)
    };
    let mut events = Vec::new();
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        events.push(plain(Topic::KvHitRate, encoding, encoding.encode(&hit_rate)?)?);
        events.push(plain(Topic::KvMetrics, encoding, encoding.encode(&metrics)?)?);
    }
    events.push(envelope(
        Topic::KvHitRate,
        Envelope::around(publisher, Topic::KvHitRate, &hit_rate),
    )?);
    events.push(envelope(
        Topic::KvMetrics,
        Envelope::around(publisher, Topic::KvMetrics, &metrics),
    )?);
    events.push(envelope(
        Topic::ForwardPass,
        Envelope::around(publisher, Topic::ForwardPass, &pass),
    )?);
    Ok(events)
}

fn event_vector(
    topic: Topic,
    form: &str,
    bytes: Vec<u8>,
    publisher: Option<Publisher>,
) -> Result<Value, Box<dyn Error>> {
    let content_type = (form == "json").then(|| Encoding::Json.content_type());
    Ok(json!({
        "topic": topic.as_str(),
        "form": form,
        "content_type": content_type.or((form == "msgpack").then(|| Encoding::MessagePack.content_type())),
        "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "publisher": publisher.map(|publisher| json!({
            "publisher_id": publisher.id.to_string(),
            "sequence": publisher.sequence,
            "published_at": publisher.published_at_ms,
        })),
        "event": event_meaning(topic, &bytes)?,
    }))
}

/// What a reader makes of the bytes of an event.
fn event_meaning(topic: Topic, bytes: &[u8]) -> Result<Value, Box<dyn Error>> {
    let opened = open(None, bytes)?;
    Ok(match topic {
        Topic::KvHitRate => {
            let event = KvHitRate::read(&opened)?;
            json!({
                "worker_id": event.worker_id().get().to_string(), "dp_rank": event.dp_rank(),
                "isl_blocks": event.isl_blocks(), "overlap_blocks": event.overlap_blocks(),
            })
        }
        Topic::KvMetrics => {
            let event = KvMetrics::read(&opened)?;
            json!({
                "worker_id": event.worker_id.get().to_string(), "dp_rank": event.dp_rank, "load": meaning(&event.stats),
                "refused": event.refused.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        }
        Topic::ForwardPass => {
            let pass = ForwardPass::read(&opened)?;
            json!({
                "worker_id": pass.worker_id.get().to_string(), "dp_rank": pass.dp_rank, "counter_id": pass.counter_id,
                "wall_time": pass.wall_time, "decode_requests": pass.scheduled.decode_requests,
                "decode_kv_tokens": pass.scheduled.decode_kv_tokens,
                "decode_kv_variance": pass.scheduled.decode_kv_variance,
                "queued_prefill_requests": pass.queued.prefill_requests,
                "queued_prefill_tokens": pass.queued.prefill_tokens,
            })
        }
        other => return Err(format!("{other} has no vectors").into()),
    })
}

fn odd_event((topic, text): &(Topic, &str)) -> Value {
    match event_meaning(*topic, text.as_bytes()) {
        Ok(event) => json!({"topic": topic.as_str(), "json": text, "event": event}),
        Err(error) => json!({"topic": topic.as_str(), "json": text, "error": error.to_string()}),
    }
}

/// How paths are written and read, as a table.
fn paths_table() -> String {
    let mut table = "| written | namespace | component | endpoint |\n|---|---|---|---|\n".to_owned();
    for text in PATHS.iter().filter(|text| !text.contains('\n')) {
        let cells = match text.parse::<EndpointPath>() {
            Ok(path) => format!(
                "`{}` | `{}` | `{}`",
                path.namespace.as_str(),
                path.component.as_str(),
                path.endpoint.as_str()
            ),
            Err(error) => format!("refused: {error} | |"),
        };
        let written = if text.is_empty() {
            "nothing".to_owned()
        } else {
            format!("`{text}`")
        };
        table.push_str(&format!("| {written} | {cells} |\n"));
    }
    table
}

/// The subject of each worker in every layout, as a table.
fn layouts_table() -> Result<String, Box<dyn Error>> {
    let mut table = "| path | id | layout | subject |\n|---|---|---|---|\n".to_owned();
    for (path, id) in WORKERS {
        let parsed: EndpointPath = path.parse()?;
        for layout in LAYOUTS {
            let subject = match WorkerSubject::new(&parsed, layout, id.map(WorkerId::new)) {
                Ok(subject) => format!("`{subject}`"),
                Err(error) => format!("none: {error}"),
            };
            let id = id.map_or_else(|| "none".to_owned(), |id| id.to_string());
            let path = path.replace('|', "\\|");
            table.push_str(&format!("| `{path}` | {id} | `{layout}` | {subject} |\n"));
        }
    }
    Ok(table)
}

fn payload(name: &str) -> Result<&'static Payload, String> {
    const ALL: &[Payload] = &PAYLOADS;
    let found = ALL.iter().find(|payload| payload.name == name);
    found.ok_or_else(|| format!("there is no message {name:?}"))
}
