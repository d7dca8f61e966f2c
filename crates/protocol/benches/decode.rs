//! What one message costs to read: STATS replies by both readers, and events in both encodings.
//!
//! `cargo bench -p protocol --bench decode`

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use protocol::codec::{Envelope, Publisher, open};
use protocol::events::write::{self, AddRequest, LoadCounts, Release, ResidencyDomain, StoredBlock};
use protocol::events::{
    ForwardPass, KvEvent, Queued, RequestTrace, Scheduled, SequenceEvent, StorageTier, Topic,
};
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
    let payload = enveloped(Topic::KvHitRate, &event);
    each(bencher, &payload, |payload| KvHitRate::decode(None, payload));
}

#[divan::bench]
fn kv_metrics_json(bencher: Bencher<'_, '_>) {
    let payload = Encoding::Json.encode(&load()).expect("encodes");
    each(bencher, &payload, |payload| KvMetrics::decode(None, payload));
}

#[divan::bench]
fn kv_metrics_envelope(bencher: Bencher<'_, '_>) {
    let payload = enveloped(Topic::KvMetrics, &load());
    each(bencher, &payload, |payload| KvMetrics::decode(None, payload));
}

#[divan::bench]
fn kv_metrics_short_envelope(bencher: Bencher<'_, '_>) {
    let load = LoadCounts {
        worker_id: WorkerId::new(4_111_120_194_158_748_168),
        kv_used_blocks: Some(42),
        ..LoadCounts::default()
    };
    let payload = enveloped(Topic::KvMetrics, &load.of(Release::V1_5));
    each(bencher, &payload, |payload| KvMetrics::decode(None, payload));
}

/// A pass as a busy engine reports it: 526 bytes.
fn pass() -> ForwardPass {
    ForwardPass {
        worker_id: WorkerId::new(6_109_318_968_951_222_548),
        dp_rank: 0,
        counter_id: 266,
        wall_time: 0.007_621_655_000_002_647,
        scheduled: Scheduled {
            decode_requests: 8,
            decode_kv_tokens: 567,
            decode_kv_variance: 114.109_375,
            ..Scheduled::default()
        },
        queued: Queued {
            prefill_requests: 4,
            prefill_tokens: 211,
            prefill_length_variance: 33.6875,
            ..Queued::default()
        },
    }
}

#[divan::bench]
fn forward_pass_envelope(bencher: Bencher<'_, '_>) {
    let payload = enveloped(Topic::ForwardPass, &pass());
    each(bencher, &payload, |payload| {
        ForwardPass::read(&open(None, payload).expect("opens"))
    });
}

/// Another layout than that of the engines, which the general reader reads.
#[divan::bench]
fn forward_pass_json(bencher: Bencher<'_, '_>) {
    let payload = Encoding::Json.encode(&pass()).expect("encodes");
    each(bencher, &payload, |payload| {
        ForwardPass::read(&open(None, payload).expect("opens"))
    });
}

#[divan::bench]
fn kv_events_envelope(bencher: Bencher<'_, '_>) {
    let block = |block_hash| StoredBlock {
        block_hash,
        tokens_hash: 14_643_705_804_678_351_452,
    };
    let event = write::KvEvent {
        worker_id: WorkerId::new(16_600_053_303_105_978_564),
        dp_rank: 1,
        event_id: 1,
        tier: StorageTier::Device,
        domain: ResidencyDomain::Worker,
        change: write::KvChange::Stored {
            parent_hash: None,
            start_position: None,
            blocks: vec![block(111), block(u64::MAX - 1)],
        },
    };
    let events = [event];
    let messages = write::KvEvent::messages(&events, Release::V1_5);
    let payload = enveloped(Topic::KvEvents, &messages[0]);
    each(bencher, &payload, |payload| {
        KvEvent::read_all(&open(None, payload).expect("opens"))
    });
}

#[divan::bench]
fn sequence_envelope(bencher: Bencher<'_, '_>) {
    let event = write::SequenceEvent {
        request_id: "3134d92a-7fcd-47dc-a6cc-543ce31d53d6".to_owned(),
        worker_id: WorkerId::new(6_109_318_968_951_222_548),
        dp_rank: 0,
        change: write::SequenceChange::AddRequest(AddRequest {
            token_sequence: Some(vec![12_113_922_536_291_636_016, 7_961_674_623_678_848_264]),
            ..AddRequest::default()
        }),
        router_id: 2_379_852_049_464_669_648,
        lora_name: None,
    };
    let payload = enveloped(Topic::ActiveSequences, &event.of(Release::V1_5));
    each(bencher, &payload, |payload| {
        let opened = open(None, payload).expect("opens");
        SequenceEvent::read(&opened).map(|event| event.change)
    });
}

/// A record of Dynamo 1.6.1.
const TRACE: &str = r#"{"schema":"dynamo.request.trace.v1","event_type":"request_end","event_time_unix_ms":1795578164347,"request":{"request_id":"1bbeed66-ed9c-40cc-b7a5-333a70d5dc55","input_tokens":37,"output_tokens":20,"cached_tokens":0,"request_received_ms":1795578164184,"prefill_wait_time_ms":2.889563,"prefill_time_ms":21.024155999999998,"ttft_ms":23.913719,"total_time_ms":163.117728,"avg_itl_ms":7.326526789473683,"kv_hit_rate":0.0,"queue_depth":0,"worker":{"prefill_worker_id":15705145118167495750,"prefill_dp_rank":0,"decode_worker_id":15705145118167495750,"decode_dp_rank":0},"replay":{"trace_block_size":16,"input_length":37,"input_sequence_hashes":[12113922536291636016,5828128994792046914,12524160587122649029]}}}"#;

#[divan::bench]
fn request_trace(bencher: Bencher<'_, '_>) {
    each(bencher, TRACE.as_bytes(), RequestTrace::read);
}

fn load() -> KvMetrics {
    let stats = WorkerStats::builder()
        .slots_active(3)
        .slots_capacity(100)
        .requests_waiting(7)
        .kv_blocks_active(42)
        .kv_blocks_capacity(100);
    KvMetrics::new(
        WorkerId::new(4_111_120_194_158_748_168),
        stats.build().expect("in range"),
    )
}

fn enveloped(topic: Topic, event: &impl serde::Serialize) -> Vec<u8> {
    let publisher = Publisher {
        id: 4_111_120_194_158_748_245,
        sequence: 5,
        published_at_ms: 1_795_447_959_357,
    };
    let envelope = Envelope::around(publisher, topic, event).expect("encodes");
    Encoding::MessagePack.encode(&envelope).expect("encodes")
}
