//! Aggregates that Dynamo's own collector published, written again.

use protocol::aggregate::upstream::{self, Endpoint};
use protocol::{EndpointPath, WorkerStats, subject};
use serde_json::Value;

use crate::recordings;

#[test]
fn an_aggregate_that_dynamos_collector_published_is_written_again_byte_for_byte() {
    let path: EndpointPath = "dynamo/MyComponent/my_endpoint".parse().expect("a path");
    let mut seen = 0;
    for recording in recordings::all() {
        for event in &recording.events {
            if event.subject != subject::aggregate(&path) {
                continue;
            }
            let payload = &event.payload;
            let recorded: Value = serde_json::from_slice(payload).expect("JSON");
            let workers: Vec<(u64, String, WorkerStats)> = (recorded["endpoints"].as_object())
                .expect("a map")
                .iter()
                .map(|(id, worker)| {
                    let load = &worker["data"]["engine_load_metrics"];
                    let load = WorkerStats::read(load).expect("a load").stats.expect("numbers");
                    let subject = worker["subject"].as_str().expect("text").to_owned();
                    (id.parse().expect("an id"), subject, load)
                })
                .collect();
            // serde_json sorts the keys, and these ids are of one length, so the order is that of the recording.
            let endpoints = workers.iter().map(|(id, subject, stats)| Endpoint {
                id: protocol::WorkerId::new(*id),
                subject,
                stats,
            });
            let (text, listed) = upstream::write(endpoints);
            assert_eq!(String::from_utf8_lossy(&text), String::from_utf8_lossy(payload));
            assert_eq!(listed, 2);
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen} aggregates were recorded");
}
