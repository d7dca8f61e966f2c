//! What one message costs to read: STATS replies by both readers, and events in both encodings.
//!
//! `cargo bench -p protocol --bench decode`

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use protocol::codec::Envelope;
use protocol::{Encoding, KvHitRate, KvMetrics, LoadReply, StatsReply, WorkerId, WorkerStats};

fn main() {
    divan::main();
}

/// The reply of a worker in the simulator's `fleet-10k`: 671 bytes with nested data.
const NESTED: &str = r#"{"type":"io.nats.micro.v1.stats_response","name":"dynamo_my_component_1854ce00","id":"5hkwDmgBoxjEJ8rEm7jqE7","version":"0.1.0","metadata":{},"started":"2026-11-23T15:06:34.958694542Z","endpoints":[{"name":"dynamo_my_component_1854ce00-my_endpoint-390da208f1c46208","subject":"dynamo_my_component_1854ce00.my_endpoint-390da208f1c46208","queue_group":"q","num_requests":11893,"num_errors":0,"last_error":"","processing_time":120383823912,"average_processing_time":10122241,"data":{"worker_stats":{"request_active_slots":3,"request_total_slots":100,"num_requests_waiting":7},"kv_stats":{"kv_active_blocks":421,"kv_total_blocks":1000,"gpu_cache_usage_perc":0.421},"spec_decode_stats":null}}]}"#;

/// The reply of a Dynamo 0.1.1 worker with flat data.
const FLAT: &str = r#"{"type":"io.nats.micro.v1.stats_response","name":"dynamo_my_component_1854ce00","id":"5hkwDmgBoxjEJ8rEm7jqE7","version":"0.0.1","started":"2026-11-23T15:06:34.958694542Z","endpoints":[{"name":"dynamo_my_component_1854ce00-my_endpoint-390da208f1c46208","subject":"dynamo_my_component_1854ce00.my_endpoint-390da208f1c46208","num_requests":0,"num_errors":0,"processing_time":0,"average_processing_time":0,"last_error":"","data":{"gpu_cache_usage_perc":0.42,"gpu_prefix_cache_hit_rate":0.25,"kv_active_blocks":42,"kv_total_blocks":100,"num_requests_waiting":7,"request_active_slots":3,"request_total_slots":100},"queue_group":"q"}]}"#;

const REPLIES: [(&str, &str); 2] = [("nested", NESTED), ("flat", FLAT)];

fn reply(name: &str) -> &'static [u8] {
    let found = REPLIES.into_iter().find(|(known, _)| *known == name);
    found.expect("one of the names").1.as_bytes()
}

fn each<T>(bencher: Bencher<'_, '_>, payload: &[u8], read: impl Fn(&[u8]) -> T + Sync) {
    bencher
        .counter(ItemsCount::new(1_usize))
        .counter(BytesCount::new(payload.len()))
        .bench(|| drop(black_box(read(black_box(payload)))));
}

#[divan::bench(args = ["nested", "flat"])]
fn reply_fast(bencher: Bencher<'_, '_>, name: &str) {
    each(bencher, reply(name), |payload| {
        LoadReply::read(payload).map(|reply| reply.endpoints.len())
    });
}

#[divan::bench(args = ["nested", "flat"])]
fn reply_lenient(bencher: Bencher<'_, '_>, name: &str) {
    each(bencher, reply(name), |payload| {
        StatsReply::decode(payload).map(|reply| LoadReply::from(reply).endpoints.len())
    });
}

#[divan::bench]
fn hit_rate_json(bencher: Bencher<'_, '_>) {
    let event = KvHitRate::new(WorkerId::new(4_111_120_194_158_748_168), 26, 22).expect("in range");
    let payload = Encoding::Json.encode(&event).expect("encodes");
    each(bencher, &payload, |payload| KvHitRate::decode(None, payload));
}

#[divan::bench]
fn hit_rate_envelope(bencher: Bencher<'_, '_>) {
    let event = KvHitRate::new(WorkerId::new(4_111_120_194_158_748_168), 26, 22).expect("in range");
    let payload = enveloped("kv-hit-rate", &event);
    each(bencher, &payload, |payload| KvHitRate::decode(None, payload));
}

#[divan::bench]
fn kv_metrics_json(bencher: Bencher<'_, '_>) {
    let payload = Encoding::Json.encode(&load()).expect("encodes");
    each(bencher, &payload, |payload| KvMetrics::decode(None, payload));
}

#[divan::bench]
fn kv_metrics_envelope(bencher: Bencher<'_, '_>) {
    let payload = enveloped("kv_metrics", &load());
    each(bencher, &payload, |payload| KvMetrics::decode(None, payload));
}

fn load() -> KvMetrics {
    let stats = WorkerStats::builder().requests(3, 100, 7).kv_blocks(42, 100);
    KvMetrics::new(
        WorkerId::new(4_111_120_194_158_748_168),
        stats.build().expect("in range"),
    )
}

fn enveloped(topic: &str, event: &impl serde::Serialize) -> Vec<u8> {
    let envelope = Envelope {
        publisher_id: 4_111_120_194_158_748_245,
        sequence: 5,
        published_at: 1_795_447_959_357,
        topic: topic.to_owned(),
        payload: Encoding::MessagePack.encode(event).expect("encodes"),
    };
    Encoding::MessagePack.encode(&envelope).expect("encodes")
}
