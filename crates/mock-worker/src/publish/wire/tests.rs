//! Bytes that programs of Dynamo's own releases published, written again from their values.

use protocol::events::write::{Replay, TraceWorkers, TracedRequest};
use protocol::events::{Queued, Scheduled};

use super::*;

fn check(publisher: u64, sequence: u64, at: u64, topic: Topic, event: &Event, expected: &str) {
    let publisher = Publisher {
        id: publisher,
        sequence,
        published_at_ms: at,
    };
    let bytes = envelope(publisher, topic, event);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expected);
}

/// 1.0.2 and 1.4.2 of a router, 1.6.1 of a worker, and both at once.
#[test]
fn loads_are_the_bytes_of_routers_and_workers() {
    let check =
        |publisher, sequence, at, worker, [decode, prefill]: [Option<u64>; 2], (used, release), expected| {
            let counts = LoadCounts {
                worker_id: WorkerId::new(worker),
                dp_rank: 0,
                active_decode_blocks: decode,
                active_prefill_tokens: prefill,
                kv_used_blocks: used,
            };
            let event = Event::Load(counts, release);
            check(publisher, sequence, at, Topic::KvMetrics, &event, expected);
        };
    let router = [Some(2), Some(37)];
    check(
        10077019543579748609,
        0,
        1795578426493,
        8330154556695109144,
        router,
        (None, Release::V1_0),
        L2,
    );
    let router = [Some(2), Some(44)];
    check(
        8690704511296752,
        0,
        1795578472780,
        4225959562000428041,
        router,
        (None, Release::V1_4),
        L4,
    );
    let used = (Some(42), Release::V1_5);
    check(
        4554217106899504,
        0,
        1795578043641,
        16600053303105978564,
        [None, None],
        used,
        L5,
    );
    let both = [Some(7), None];
    check(
        335184787954876,
        2,
        1795577908226,
        5918563863345270454,
        both,
        (Some(123456), Release::V1_5),
        L6,
    );
}

/// 1.6.1: a busy engine and a heartbeat.
#[test]
fn passes_are_the_bytes_of_an_engine() {
    let pass = ForwardPass {
        worker_id: WorkerId::new(6109318968951222548),
        dp_rank: 0,
        counter_id: 266,
        wall_time: 0.007621655000002647,
        scheduled: Scheduled {
            decode_requests: 8,
            decode_kv_tokens: 567,
            decode_kv_variance: 114.10937499999996,
            ..Scheduled::default()
        },
        queued: Queued {
            prefill_requests: 4,
            prefill_tokens: 211,
            prefill_length_variance: 33.6875,
            ..Queued::default()
        },
    };
    let topic = Topic::ForwardPass;
    check(
        2462689407320708,
        265,
        1795578188267,
        topic,
        &Event::Pass(pass),
        F2,
    );
    let heartbeat = ForwardPass {
        worker_id: WorkerId::new(15705145118167495750),
        counter_id: 1,
        wall_time: 0.0,
        scheduled: Scheduled::default(),
        queued: Queued::default(),
        ..pass
    };
    check(5280616775636720, 0, F3_AT, topic, &Event::Pass(heartbeat), F3);
}

/// 0.9.1.
#[test]
fn a_hit_rate_is_the_bytes_of_a_worker() {
    let worker = 4111120194158748245;
    let event = Event::HitRate(HitRate {
        worker_id: WorkerId::new(worker),
        dp_rank: Some(0),
        isl_blocks: 10,
        overlap_blocks: 4,
    });
    check(worker, 5, 1795447959357, Topic::KvHitRate, &event, HIT);
}

/// 1.6.1 and 1.4.2.
#[test]
fn traces_are_the_bytes_of_a_frontend() {
    let worker = WorkerId::new(15705145118167495750);
    let full = TracedRequest {
        request_id: "1bbeed66-ed9c-40cc-b7a5-333a70d5dc55".to_owned(),
        input_tokens: Some(37),
        output_tokens: Some(20),
        cached_tokens: Some(0),
        request_received_ms: Some(1795578164184),
        prefill_wait_time_ms: Some(2.889563),
        prefill_time_ms: Some(21.024155999999998),
        ttft_ms: Some(23.913719),
        total_time_ms: Some(163.117728),
        avg_itl_ms: Some(7.326526789473683),
        kv_hit_rate: Some(0.0),
        kv_transfer_estimated_latency_ms: None,
        queue_depth: Some(0),
        worker: Some(TraceWorkers {
            prefill_worker_id: Some(worker),
            prefill_dp_rank: Some(0),
            decode_worker_id: Some(worker),
            decode_dp_rank: Some(0),
        }),
        replay: Some(Replay {
            trace_block_size: 16,
            input_length: 37,
            input_sequence_hashes: vec![12113922536291636016, 5828128994792046914, 12524160587122649029],
        }),
    };
    let short = TracedRequest {
        request_id: "8dc616fb-2f76-46ec-85cc-9318a37a71e7".to_owned(),
        output_tokens: Some(20),
        request_received_ms: Some(1795578472778),
        replay: full.replay.clone(),
        ..TracedRequest::default()
    };
    for (at, request, expected) in [(1795578164347, full, FULL), (1795578472950, short, SHORT)] {
        let bytes = json(&Event::Trace(RequestEnd {
            event_time_unix_ms: at,
            request,
        }));
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }
}

const L2: &str = "85ac7075626c69736865725f6964cf8bd8c3e271bd6901a873657175656e636500ac7075626c69736865645f6174cf000001a210d0747da5746f706963aa6b765f6d657472696373a77061796c6f6164c44a84a9776f726b65725f6964cf739aa76f2be9de18a764705f72616e6b00b46163746976655f6465636f64655f626c6f636b7302b56163746976655f70726566696c6c5f746f6b656e7325";
const L4: &str = "85ac7075626c69736865725f6964cf001ee026533e64f0a873657175656e636500ac7075626c69736865645f6174cf000001a210d1294ca5746f706963aa6b765f6d657472696373a77061796c6f6164c45a85a9776f726b65725f6964cf3aa59fd4e0336c09a764705f72616e6b00b46163746976655f6465636f64655f626c6f636b7302b56163746976655f70726566696c6c5f746f6b656e732cae6b765f757365645f626c6f636b73c0";
const L5: &str = "85ac7075626c69736865725f6964cf00102e094ce30230a873657175656e636500ac7075626c69736865645f6174cf000001a210ca9cf9a5746f706963aa6b765f6d657472696373a77061796c6f6164c45a85a9776f726b65725f6964cfe65f3c87402e80c4a764705f72616e6b00b46163746976655f6465636f64655f626c6f636b73c0b56163746976655f70726566696c6c5f746f6b656e73c0ae6b765f757365645f626c6f636b732a";
const L6: &str = "85ac7075626c69736865725f6964cf000130d94a385cbca873657175656e636502ac7075626c69736865645f6174cf000001a210c88c02a5746f706963aa6b765f6d657472696373a77061796c6f6164c45e85a9776f726b65725f6964cf5222f679cf288eb6a764705f72616e6b00b46163746976655f6465636f64655f626c6f636b7307b56163746976655f70726566696c6c5f746f6b656e73c0ae6b765f757365645f626c6f636b73ce0001e240";
const F2: &str = "85ac7075626c69736865725f6964cf0008bfcd8f50c284a873657175656e6365cd0109ac7075626c69736865645f6174cf000001a210ccd1eba5746f706963b4666f72776172642d706173732d6d657472696373a77061796c6f6164c501af87a776657273696f6e01a9776f726b65725f6964b336313039333138393638393531323232353438a764705f72616e6b00aa636f756e7465725f6964cd010aa977616c6c5f74696d65cb3f7f37e26f766666b27363686564756c65645f726571756573747387b46e756d5f70726566696c6c5f726571756573747300b273756d5f70726566696c6c5f746f6b656e7300b27661725f70726566696c6c5f6c656e677468cb0000000000000000b573756d5f70726566696c6c5f6b765f746f6b656e7300b36e756d5f6465636f64655f726571756573747308b473756d5f6465636f64655f6b765f746f6b656e73cd0237b47661725f6465636f64655f6b765f746f6b656e73cb405c86fffffffffdaf7175657565645f726571756573747386b46e756d5f70726566696c6c5f726571756573747304b273756d5f70726566696c6c5f746f6b656e73ccd3b27661725f70726566696c6c5f6c656e677468cb4040d80000000000b36e756d5f6465636f64655f726571756573747300b473756d5f6465636f64655f6b765f746f6b656e7300b47661725f6465636f64655f6b765f746f6b656e73cb0000000000000000";
const F3: &str = "85ac7075626c69736865725f6964cf0012c2b1671b56f0a873657175656e636500ac7075626c69736865645f6174cf000001a210cbfc0aa5746f706963b4666f72776172642d706173732d6d657472696373a77061796c6f6164c501ab87a776657273696f6e01a9776f726b65725f6964b43135373035313435313138313637343935373530a764705f72616e6b00aa636f756e7465725f696401a977616c6c5f74696d65cb0000000000000000b27363686564756c65645f726571756573747387b46e756d5f70726566696c6c5f726571756573747300b273756d5f70726566696c6c5f746f6b656e7300b27661725f70726566696c6c5f6c656e677468cb0000000000000000b573756d5f70726566696c6c5f6b765f746f6b656e7300b36e756d5f6465636f64655f726571756573747300b473756d5f6465636f64655f6b765f746f6b656e7300b47661725f6465636f64655f6b765f746f6b656e73cb0000000000000000af7175657565645f726571756573747386b46e756d5f70726566696c6c5f726571756573747300b273756d5f70726566696c6c5f746f6b656e7300b27661725f70726566696c6c5f6c656e677468cb0000000000000000b36e756d5f6465636f64655f726571756573747300b473756d5f6465636f64655f6b765f746f6b656e7300b47661725f6465636f64655f6b765f746f6b656e73cb0000000000000000";
const HIT: &str = "85ac7075626c69736865725f6964cf390da208f1c46255a873657175656e636505ac7075626c69736865645f6174cf000001a20909af3da5746f706963ab6b762d6869742d72617465a77061796c6f6164c43984a9776f726b65725f6964cf390da208f1c46255a764705f72616e6b00aa69736c5f626c6f636b730aae6f7665726c61705f626c6f636b7304";
const F3_AT: u64 = 1795578133514;
const FULL: &str = r#"{"schema":"dynamo.request.trace.v1","event_type":"request_end","event_time_unix_ms":1795578164347,"request":{"request_id":"1bbeed66-ed9c-40cc-b7a5-333a70d5dc55","input_tokens":37,"output_tokens":20,"cached_tokens":0,"request_received_ms":1795578164184,"prefill_wait_time_ms":2.889563,"prefill_time_ms":21.024155999999998,"ttft_ms":23.913719,"total_time_ms":163.117728,"avg_itl_ms":7.326526789473683,"kv_hit_rate":0.0,"queue_depth":0,"worker":{"prefill_worker_id":15705145118167495750,"prefill_dp_rank":0,"decode_worker_id":15705145118167495750,"decode_dp_rank":0},"replay":{"trace_block_size":16,"input_length":37,"input_sequence_hashes":[12113922536291636016,5828128994792046914,12524160587122649029]}}}"#;
const SHORT: &str = r#"{"schema":"dynamo.request.trace.v1","event_type":"request_end","event_time_unix_ms":1795578472950,"request":{"request_id":"8dc616fb-2f76-46ec-85cc-9318a37a71e7","output_tokens":20,"request_received_ms":1795578472778,"replay":{"trace_block_size":16,"input_length":37,"input_sequence_hashes":[12113922536291636016,5828128994792046914,12524160587122649029]}}}"#;
