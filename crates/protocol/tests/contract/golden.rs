//! Recordings of real workers, and the formats that were seen on the wire, name by name and number by number.

use std::collections::BTreeMap;

use protocol::codec::{self, Envelope};
use protocol::events::Topic;
use protocol::subject::{EventSubject, Instance, SubjectParts};
use protocol::{
    Description, EndpointPath, KvHitRate, KvMetrics, Layout, StatsReading, StatsReply, StatsShape, WorkerId,
    WorkerStats, WorkerSubject,
};
use serde_json::Value;

use crate::recordings::{self, Recording};

#[test]
fn every_recorded_stats_reply_is_read_whole() {
    for recording in recordings::all() {
        for text in &recording.stats_replies {
            let reply = stats_reply(text);
            assert_eq!(reply.refused, [], "{text}");
            assert!(reply.started.is_some(), "{text}");
            for endpoint in reply.endpoints {
                let data = endpoint.data.expect(text);
                let reading = WorkerStats::read(&data).expect(text);
                assert_eq!(reading.refused, [], "{text}");
                let says_nothing = data.is_null();
                assert_eq!(reading == StatsReading::default(), says_nothing, "{text}");
                let seconds = endpoint.processing_seconds.expect(text);
                let nanoseconds = format!(r#""processing_time":{}"#, (seconds * 1e9).round());
                assert!(text.contains(&nanoseconds), "{nanoseconds}: {text}");
            }
        }
    }
}

#[test]
fn every_recorded_subject_is_written_again_from_the_description_of_its_instance() {
    for recording in recordings::all() {
        let descriptions = descriptions(&recording);
        for text in &recording.stats_replies {
            let reply = stats_reply(text);
            for endpoint in &reply.endpoints {
                let described = descriptions
                    .get(&reply.id)
                    .expect("an INFO reply of the same instance");
                let parts = SubjectParts::split(&endpoint.subject).expect(text);
                let (name, id) = parts.guess();
                let path = EndpointPath::new(
                    described.namespace.clone(),
                    described.component.clone(),
                    name.parse().expect(text),
                );
                let subject = WorkerSubject::new(&path, recording.layout, id).expect(text);
                assert_eq!(subject.to_string(), endpoint.subject, "{}", recording.file);
                assert_eq!(subject.micro_name(), endpoint.name, "{}", recording.file);
                assert_eq!(subject.service().as_str(), reply.service, "{}", recording.file);
                assert_eq!(
                    parts.read(&path.endpoint),
                    Ok(id.map_or(Instance::Static, Instance::Worker))
                );
            }
        }
    }
}

#[test]
fn recorded_descriptions_name_namespace_and_component_in_their_own_case() {
    fn check(file: &str, instance: &str, namespace: &str, component: &str) {
        let recording = recording(file);
        let described = &descriptions(&recording)[instance];
        assert_eq!(
            (described.namespace.as_str(), described.component.as_str()),
            (namespace, component)
        );
    }
    check(OLD, "uvaruvuyPDviPLKr5IvEs3", "dynamo", "MyComponent");
    check(OLD, "5hkwDmgBoxjEJ8rEm7jqE7", "dynamo", "my_component");
    check(OLD, "oxMudsrR8mlie4KmH0kez4", "My-NS.x", "back-end");
    check(OLD, "sxw3ZdBHgFJajed2VsBnse", "dynamo", "backend");
    check(MIDDLE, "8nhfHrFD3ZrqpqwTtm1llt", "dynamo", "MyComponent");
    check(NEW, "pBFvqmKxscRjS01anZkuwT", "dynamo", "my_component");
    for recording in recordings::all() {
        assert_eq!(
            descriptions(&recording).len(),
            recording.info_replies.len(),
            "{}: an instance answered twice",
            recording.file
        );
    }
}

#[test]
fn recorded_load_is_read_number_by_number() {
    /// Active and total slots, waiting, active and total KV blocks, KV use, prefix hit rate.
    type Load = (u64, u64, u64, u64, u64, f64, f64);
    fn check(file: &str, expected: &[(&str, StatsShape, Load)]) {
        let mut found = BTreeMap::new();
        for text in recording(file).stats_replies {
            let reply = stats_reply(&text);
            let data = reply.endpoints[0].data.as_ref().expect("readable");
            let reading = WorkerStats::read(data).expect("usable");
            if let Some(stats) = reading.stats {
                let load = (
                    stats.request_slots_active().expect("said"),
                    stats.request_slots_capacity().expect("said"),
                    stats.requests_waiting().expect("said"),
                    stats.kv_blocks_active().expect("said"),
                    stats.kv_blocks_capacity().expect("said"),
                    stats.kv_usage_ratio().expect("said"),
                    stats.prefix_cache_hit_ratio().expect("said"),
                );
                assert_eq!(stats.data_parallel_rank(), None, "{text}");
                found.insert(reply.id, (reading.shape.expect("has load"), load));
            }
        }
        let expected: BTreeMap<String, _> = expected
            .iter()
            .map(|(instance, shape, load)| ((*instance).to_owned(), (*shape, *load)))
            .collect();
        assert_eq!(found, expected, "{file}");
    }
    let fixed = (3, 100, 7, 42, 100, 0.42, 0.25);
    check(
        OLD,
        &[
            ("5hkwDmgBoxjEJ8rEm7jqE7", StatsShape::Flat, fixed),
            ("tdLO3e6QfymJOmexcdwIEu", StatsShape::Flat, fixed),
            ("OMovgyEx6p9OpiTsmUR4bj", StatsShape::Flat, fixed),
            ("uvaruvuyPDviPLKr5IvEs3", StatsShape::Flat, fixed),
        ],
    );
    // The ratios were 32-bit floats in the worker and are read as they were widened.
    check(
        MIDDLE,
        &[
            (
                "OoR5tuLm7brFTUDdk2HqNm",
                StatsShape::Nested,
                (
                    15,
                    100,
                    52,
                    21,
                    100,
                    0.551_920_175_552_368_2,
                    0.916_491_627_693_176_3,
                ),
            ),
            (
                "8nhfHrFD3ZrqpqwTtm1llt",
                StatsShape::Nested,
                (
                    53,
                    100,
                    47,
                    35,
                    100,
                    0.508_076_667_785_644_5,
                    0.565_357_446_670_532_2,
                ),
            ),
        ],
    );
    check(NEW, &[]);
}

#[test]
fn recorded_events_are_read_value_by_value_and_other_events_are_not_taken_for_them() {
    for recording in recordings::all() {
        for event in &recording.events {
            let readings = EventSubject::read(&event.subject);
            let is = |topic| readings.first().is_some_and(|reading| reading.topic == topic);
            let hit_rate = KvHitRate::decode(None, &event.payload);
            let load = KvMetrics::decode(None, &event.payload);
            assert_eq!(hit_rate.is_ok(), is(Topic::KvHitRate), "{event:?}");
            assert_eq!(load.is_ok(), is(Topic::KvMetrics), "{event:?}");
        }
    }
}

#[test]
fn recorded_hit_rates_have_their_exact_values() {
    fn check(file: &str, expected: &[(u64, u64, u64, f64)]) {
        let found: Vec<_> = recording(file)
            .events
            .iter()
            .filter_map(|event| KvHitRate::decode(None, &event.payload).ok())
            .map(|event| {
                assert_eq!(event.dp_rank(), 0);
                (
                    event.worker_id().get(),
                    event.isl_blocks(),
                    event.overlap_blocks(),
                    event.hit_ratio().expect("blocks were looked up"),
                )
            })
            .collect();
        assert_eq!(found, expected, "{file}");
    }
    check(
        OLD,
        &[
            (4_111_120_194_158_748_172, 10, 4, 0.4),
            (4_111_120_194_158_748_168, 10, 4, 0.4),
            (4_111_120_194_158_748_166, 10, 4, 0.4),
            (4_111_120_194_158_748_166, 10, 4, 0.4),
        ],
    );
    check(MIDDLE, &[(620, 26, 22, 22.0 / 26.0), (680, 31, 4, 4.0 / 31.0)]);
    check(
        NEW,
        &[
            (3_432_663_546_288_246_220, 10, 4, 0.4),
            (12_396_905_669_333_211_951, 10, 4, 0.4),
        ],
    );
}

#[test]
fn recorded_load_events_have_their_exact_values() {
    fn check(file: &str, expected: &[u64]) {
        let mut found = Vec::new();
        for event in recording(file).events {
            if let Ok(event) = KvMetrics::decode(None, &event.payload) {
                let known = WorkerStats::builder()
                    .kv_blocks_active(42)
                    .build()
                    .expect("in range");
                assert_eq!((event.dp_rank, event.stats, event.refused), (0, known, vec![]));
                found.push(event.worker_id.get());
            }
        }
        assert_eq!(found, expected, "{file}");
    }
    check(OLD, &[]);
    check(MIDDLE, &[]);
    check(NEW, &[3_432_663_546_288_246_220, 12_396_905_669_333_211_951]);
}

#[test]
fn subjects_are_those_of_every_runtime_that_was_seen() {
    fn check(layout: Layout, path: &str, id: Option<u64>, expected: &str) {
        let path: EndpointPath = path.parse().expect(path);
        let id = id.map(WorkerId::new);
        let subject = WorkerSubject::new(&path, layout, id).expect("has a service name");
        assert_eq!(subject.to_string(), expected);
        let parts = SubjectParts::split(expected).expect("has a dot");
        assert_eq!(parts.service, subject.service().as_str());
        assert_eq!(
            parts.read(&path.endpoint),
            Ok(id.map_or(Instance::Static, Instance::Worker))
        );
    }
    use Layout::{Hashed, HashedPipe, Plain};
    check(
        HashedPipe,
        "dynamo/backend/my_endpoint",
        Some(4_111_120_194_704_496_446),
        "dynamo_backend_020af9f2.my_endpoint-390da209124bd73e",
    );
    check(
        Hashed,
        "dynamo/my_component/my_endpoint",
        Some(4_111_120_194_158_748_168),
        "dynamo_my_component_1854ce00.my_endpoint-390da208f1c46208",
    );
    check(
        Hashed,
        "dynamo/MyComponent/my_endpoint",
        Some(4_111_120_194_158_748_170),
        "dynamo_mycomponent_593024f1.my_endpoint-390da208f1c4620a",
    );
    check(
        Hashed,
        "dynamo/backend/generate",
        Some(4_111_120_194_158_748_177),
        "dynamo_backend_9ce3f3b7.generate-390da208f1c46211",
    );
    check(
        Hashed,
        "dynamo/my_component/my_endpoint",
        None,
        "dynamo_my_component_1854ce00.my_endpoint",
    );
    check(
        Plain,
        "dynamo/MyComponent/my_endpoint",
        Some(4_111_120_194_158_748_263),
        "dynamo_mycomponent.my_endpoint-390da208f1c46267",
    );
    check(
        Plain,
        "My-NS.x/back-end/gen-erate",
        Some(4_111_120_194_704_496_476),
        "my-ns_x_back-end.gen-erate-390da209124bd75c",
    );
    check(
        Plain,
        "_a.b/c d/e",
        Some(4_111_120_194_704_496_479),
        "a_b_c_d.e-390da209124bd75f",
    );
    check(
        Plain,
        "dynamo/my_component/my_endpoint",
        Some(12_396_905_669_333_211_951),
        "dynamo_my_component.my_endpoint-ac0aa8064ea1db2f",
    );
    check(
        Plain,
        "dynamo/my_component/my_endpoint",
        Some(188_560_438_806_083_792),
        "dynamo_my_component.my_endpoint-29de6b855ba78d0",
    );
}

/// An event of Dynamo 0.9 as it was on the wire.
const ENVELOPE: &str = "85ac7075626c69736865725f6964cf390da208f1c46255a873657175656e636505ac7075626c69736865645f6174cf000001a20909af3da5746f706963ab6b762d6869742d72617465a77061796c6f6164c43984a9776f726b65725f6964cf390da208f1c46255a764705f72616e6b00aa69736c5f626c6f636b730aae6f7665726c61705f626c6f636b7304";

#[test]
fn the_envelope_of_a_real_publisher_is_opened() {
    let bytes: Vec<u8> = (0..ENVELOPE.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&ENVELOPE[at..at + 2], 16).expect("hexadecimal"))
        .collect();
    for content_type in [
        None,
        Some("application/msgpack"),
        Some("application/octet-stream"),
    ] {
        let event = KvHitRate::decode(content_type, &bytes).expect("readable");
        assert_eq!(event.worker_id(), WorkerId::new(4_111_120_194_158_748_245));
        assert_eq!(
            (event.isl_blocks(), event.overlap_blocks(), event.dp_rank()),
            (10, 4, 0)
        );
        assert_eq!(event.hit_ratio(), Some(0.4));
    }

    let envelope: Envelope = rmp_serde::from_slice(&bytes).expect("readable");
    assert_eq!(envelope.publisher_id, 4_111_120_194_158_748_245);
    assert_eq!((envelope.sequence, envelope.published_at), (5, 1_795_447_959_357));
    assert_eq!(envelope.topic, Topic::KvHitRate.as_str());
    assert_eq!(
        codec::Encoding::MessagePack.encode(&envelope),
        Ok(bytes),
        "written as it was read"
    );
}

const OLD: &str = "dynamo-0.1.1.json";
const MIDDLE: &str = "dynamo-0.5.1.json";
const NEW: &str = "dynamo-0.8.1-filekv.json";

fn recording(file: &str) -> Recording {
    recordings::all()
        .into_iter()
        .find(|recording| recording.file == file)
        .expect(file)
}

fn stats_reply(text: &str) -> StatsReply {
    StatsReply::decode(text.as_bytes()).expect(text)
}

/// What each recorded service instance says of itself.
fn descriptions(recording: &Recording) -> BTreeMap<String, Description> {
    let described = |text: &String| {
        let reply: Value = serde_json::from_str(text).expect(text);
        let instance = reply["id"].as_str().expect(text).to_owned();
        (
            instance,
            Description::from_info_reply(text.as_bytes()).expect(text),
        )
    };
    recording.info_replies.iter().map(described).collect()
}
