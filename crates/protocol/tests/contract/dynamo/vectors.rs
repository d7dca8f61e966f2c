//! The table of vectors, `tests/fixtures/vectors/dynamo-1.x.json`: one message of each kind with its values spelled out.

use std::fs;
use std::path::Path;

use protocol::codec::{Opened, Publisher, open};
use protocol::events::{
    ForwardPass, KvChange, KvEvent, KvMetrics, LoadSource, Queued, Scheduled, SequenceChange, SequenceEvent,
    StorageTier, Topic,
};
use protocol::subject::EventSubject;
use protocol::{EndpointPath, WorkerId};
use serde::Deserialize;
use serde_json::Value;

use super::again;

#[derive(Deserialize)]
struct Vector {
    name: String,
    dynamo: String,
    subject: Option<String>,
    hex: String,
}

impl Vector {
    fn bytes(&self) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&self.hex[at..at + 2], 16).expect(&self.name);
        (0..self.hex.len()).step_by(2).map(byte).collect()
    }
}

fn vectors() -> Vec<Vector> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vectors/dynamo-1.x.json");
    let text = fs::read_to_string(file).expect("the table");
    serde_json::from_str(&text).expect("a list of vectors")
}

/// Calls `check` with the opened message of a vector.
fn with<T>(name: &str, check: impl FnOnce(&Opened<'_>) -> T) -> T {
    let vectors = vectors();
    let vector = vectors.iter().find(|vector| vector.name == name).expect(name);
    let bytes = vector.bytes();
    check(&open(None, &bytes).expect(name))
}

#[test]
fn every_vector_is_written_again_to_the_same_bytes() {
    let mut written = 0;
    for vector in vectors() {
        let bytes = vector.bytes();
        let opened = open(None, &bytes).expect("opens");
        let topic = match (&vector.subject, vector.name.as_str()) {
            (Some(subject), _) => EventSubject::read(subject)[0].topic,
            (None, "R1") => continue,
            (None, "R2") => Topic::ActiveSequences,
            (None, "R7") => Topic::ForwardPass,
            (None, _) => Topic::KvEvents,
        };
        let value: Value = rmp_serde::from_slice(opened.payload).expect("MessagePack");
        let payload = again::payload(topic, again::release(&vector.dynamo), &value);
        let found = match opened.publisher {
            Some(publisher) => again::message(publisher, topic, payload),
            None => payload,
        };
        assert_eq!(found, bytes, "{}", vector.name);
        written += 1;
    }
    assert_eq!(written, 19);
}

#[test]
fn subjects_are_those_of_the_release_that_published_there() {
    fn check(name: &str, path: &str) {
        let path: EndpointPath = path.parse().expect(path);
        let vectors = vectors();
        let vector = vectors.iter().find(|vector| vector.name == name).expect(name);
        let subject = vector.subject.as_deref().expect(name);
        let reading = EventSubject::read(subject).into_iter().next().expect(subject);
        assert!(reading.is_for(&path), "{reading:?}");
        let published = EventSubject::published(&path, reading.topic, again::release(&vector.dynamo));
        assert_eq!(published.as_deref(), Some(subject));
    }
    check("L2", "dynamo/backend/generate");
    check("L4", "dynamo/backend/generate");
    check("L5", "My-NS/Back_End/generate");
    check("L6", "My-NS~a/Back_End%b/gen-erate@x");
    check("F3", "dynamo/backend/generate");
    check("K1", "My-NS/Back_End/generate");
    check("K3", "My-NS/Back_End/generate");
    check("S1", "dynamo/backend/generate");
    check("S4", "dynamo/backend/generate");
}

#[test]
fn envelopes_say_who_published() {
    fn check(name: &str, id: u64, sequence: u64, published_at_ms: u64) {
        let expected = Publisher {
            id,
            sequence,
            published_at_ms,
        };
        assert_eq!(with(name, |opened| opened.publisher), Some(expected), "{name}");
    }
    check("L2", 10_077_019_543_579_748_609, 0, 1_795_578_426_493);
    check("L6", 335_184_787_954_876, 2, 1_795_577_908_226);
    check("F2", 2_462_689_407_320_708, 265, 1_795_578_188_267);
    check("S4", 6_211_970_967_435_987, 7, 1_795_578_164_349);
}

#[test]
fn loads_have_their_values() {
    fn check(name: &str, worker: u64, active: u64, tokens: Option<u64>, source: LoadSource) {
        let event = with(name, KvMetrics::read).expect(name);
        assert_eq!((event.worker_id, event.dp_rank), (WorkerId::new(worker), 0));
        assert_eq!(event.stats.kv_blocks_active(), Some(active), "{name}");
        assert_eq!((event.active_prefill_tokens, event.source), (tokens, source));
    }
    check("L2", 8_330_154_556_695_109_144, 2, Some(37), LoadSource::Router);
    check("L4", 4_225_959_562_000_428_041, 2, Some(44), LoadSource::Router);
    check("L5", 16_600_053_303_105_978_564, 42, None, LoadSource::Engine);
    check("L6", 5_918_563_863_345_270_454, 123_456, None, LoadSource::Engine);
}

#[test]
fn forward_passes_have_their_values() {
    let busy = with("F2", ForwardPass::read).expect("busy");
    let expected = ForwardPass {
        worker_id: WorkerId::new(6_109_318_968_951_222_548),
        dp_rank: 0,
        counter_id: 266,
        wall_time: 0.007_621_655_000_002_647,
        scheduled: Scheduled {
            decode_requests: 8,
            decode_kv_tokens: 567,
            decode_kv_variance: 114.109_374_999_999_96,
            ..Scheduled::default()
        },
        queued: Queued {
            prefill_requests: 4,
            prefill_tokens: 211,
            prefill_length_variance: 33.6875,
            ..Queued::default()
        },
    };
    assert_eq!(busy, expected);
    assert!(!busy.is_heartbeat());

    let heartbeat = with("F3", ForwardPass::read).expect("heartbeat");
    assert_eq!(heartbeat.worker_id, WorkerId::new(15_705_145_118_167_495_750));
    assert_eq!(heartbeat.counter_id, 1);
    assert!(heartbeat.is_heartbeat());

    let built = with("R7", ForwardPass::read).expect("built");
    assert_eq!((built.dp_rank, built.wall_time), (1, 0.025));
    assert_eq!(built.scheduled.prefill_kv_tokens, 64);
    assert_eq!(built.queued.decode_kv_tokens, 70_000);
}

#[test]
fn kv_events_have_their_values() {
    fn check(name: &str, worker: u64, rank: u64, event_id: u64, tier: Option<StorageTier>, change: KvChange) {
        let expected = KvEvent {
            worker_id: WorkerId::new(worker),
            dp_rank: rank,
            event_id,
            tier,
            change,
        };
        assert_eq!(with(name, KvEvent::read_all), Ok(vec![expected]), "{name}");
    }
    use KvChange::{Cleared, Removed, Stored};
    use StorageTier::{Device, Disk, External, HostPinned};
    check("K1", 12_085_190_716_235_858_314, 1, 0, None, Stored(2));
    check("K3", 16_600_053_303_105_978_564, 1, 1, Some(Device), Stored(2));
    check("K4", 16_600_053_303_105_978_564, 1, 2, Some(Device), Removed(1));
    check("R3", 7, 0, 1, Some(Device), Cleared);
    check("R4", 7, 0, 1, Some(HostPinned), Removed(1));
    check("R5", 7, 0, 1, Some(Disk), Stored(1));
    check("R6", 7, 0, 1, Some(External), Cleared);
}

#[test]
fn sequence_events_have_their_values() {
    fn check(
        name: &str,
        request: &str,
        worker: u64,
        router: u64,
        lora: Option<&str>,
        change: SequenceChange,
    ) {
        with(name, |opened| {
            let event = SequenceEvent::read(opened).expect(name);
            assert_eq!(
                (event.request_id.as_ref(), event.lora.as_deref()),
                (request, lora)
            );
            assert_eq!(
                (event.worker_id.get(), event.router_id),
                (worker, router),
                "{name}"
            );
            assert_eq!((event.dp_rank, event.change), (0, change), "{name}");
        });
    }
    let added = SequenceChange::Added {
        isl_tokens: Some(37),
        overlap_blocks: Some(0),
        prompt_blocks: Some(2),
        prefill_tokens: None,
        expected_output_tokens: None,
    };
    check(
        "S1",
        "a4f0e2db-b745-4d3d-9937-feedcadb2996",
        8_330_154_556_695_109_144,
        10_077_019_543_579_748_609,
        None,
        added,
    );
    let added = SequenceChange::Added {
        isl_tokens: None,
        overlap_blocks: None,
        prompt_blocks: Some(3),
        prefill_tokens: Some(51),
        expected_output_tokens: None,
    };
    check(
        "S2",
        "3134d92a-7fcd-47dc-a6cc-543ce31d53d6",
        6_109_318_968_951_222_548,
        2_379_852_049_464_669_648,
        None,
        added,
    );
    check(
        "S3",
        "1bbeed66-ed9c-40cc-b7a5-333a70d5dc55",
        15_705_145_118_167_495_750,
        15_705_145_118_167_495_750,
        None,
        SequenceChange::PrefillCompleted,
    );
    check(
        "S4",
        "1f65a836-f4fa-49b1-894b-7b7cfbb496cf",
        6_109_318_968_951_222_548,
        2_379_852_049_464_669_648,
        None,
        SequenceChange::Freed,
    );
    let added = SequenceChange::Added {
        isl_tokens: None,
        overlap_blocks: None,
        prompt_blocks: Some(1),
        prefill_tokens: Some(51),
        expected_output_tokens: Some(20),
    };
    check("R2", "r1", 7, 9, Some("my-lora"), added);
}
