//! What events cost before the state machine sees them: reading each, and adding it up within a batch.
//!
//! `cargo bench -p fleet --bench events`

use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use fleet::EventReader;
use protocol::codec::{Encoding, Envelope, Publisher};
use protocol::events::write::{Release, RequestEnd, TraceWorkers, TracedRequest};
use protocol::events::{ForwardPass, Queued, Scheduled, Topic};
use protocol::subject::EventSubject;

/// Ranks that report, each as a publisher of its own.
const RANKS: u64 = 500;

/// Messages of a batch: 50,000 a second for 50 ms.
const BATCH: u64 = 2_500;

/// When they come.
const ARRIVED: Duration = Duration::from_millis(1_795_578_043_650);

fn main() {
    divan::main();
}

/// Forward passes of all ranks in turn.
fn passes() -> Vec<Vec<u8>> {
    let pass = |number: u64| {
        let publisher = Publisher {
            id: 4_554_217_106_899_504 + number % RANKS,
            sequence: number / RANKS,
            published_at_ms: 1_795_578_043_641,
        };
        let scheduled = Scheduled {
            decode_requests: 8,
            decode_kv_tokens: 567,
            decode_kv_variance: 110.25,
            ..Scheduled::default()
        };
        let pass = ForwardPass {
            worker_id: (15_705_145_118_167_495_750 + number % RANKS).into(),
            dp_rank: 0,
            counter_id: number / RANKS,
            wall_time: 0.006275,
            scheduled,
            queued: Queued::default(),
        };
        let envelope = Envelope::around(publisher, Topic::ForwardPass, &pass).expect("encodes");
        Encoding::MessagePack.encode(&envelope).expect("encodes")
    };
    (0..BATCH).map(pass).collect()
}

#[divan::bench]
fn forward_passes(bencher: Bencher<'_, '_>) {
    let path = "dynamo/backend/generate".parse().expect("a path");
    let subject = EventSubject::published(&path, Topic::ForwardPass, Release::V1_5).expect("a subject");
    let messages = passes();
    let mut reader = EventReader::default();
    bencher.counter(ItemsCount::new(messages.len())).bench_local(|| {
        for message in &messages {
            reader.add(black_box(&subject), None, black_box(message), ARRIVED);
        }
        reader.take()
    });
}

#[divan::bench]
fn requests(bencher: Bencher<'_, '_>) {
    let worker = 15_705_145_118_167_495_750.into();
    let record = RequestEnd {
        event_time_unix_ms: 1_795_578_164_347,
        request: TracedRequest {
            request_id: "1bbeed66-ed9c-40cc-b7a5-333a70d5dc55".to_owned(),
            input_tokens: Some(37),
            output_tokens: Some(20),
            cached_tokens: Some(0),
            prefill_wait_time_ms: Some(2.889563),
            prefill_time_ms: Some(21.024155999999998),
            ttft_ms: Some(23.913719),
            total_time_ms: Some(163.117728),
            avg_itl_ms: Some(7.326526789473683),
            queue_depth: Some(0),
            worker: Some(TraceWorkers {
                prefill_worker_id: Some(worker),
                prefill_dp_rank: Some(0),
                decode_worker_id: Some(worker),
                decode_dp_rank: Some(0),
            }),
            ..TracedRequest::default()
        },
    };
    let record = Encoding::Json.encode(&record).expect("encodes");
    let mut reader = EventReader::default();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            reader.add_trace(black_box(&record));
        }
        reader.take()
    });
}
