//! KV-cache events in every form, and what is refused.

use serde_json::{Value, json};

use super::{KvChange, KvEvent, MAX_KV_EVENTS, StorageTier};
use crate::codec::open;
use crate::{EventError, WorkerId};

fn read(value: &Value) -> Result<Vec<KvEvent>, EventError> {
    let text = value.to_string();
    let packed = rmp_serde::to_vec(value).expect("encodes");
    let of_json = KvEvent::read_all(&open(None, text.as_bytes()).expect("opens"));
    let of_message_pack = KvEvent::read_all(&open(Some("application/msgpack"), &packed).expect("opens"));
    assert_eq!(of_json, of_message_pack, "{value}");
    of_json
}

fn event(worker: &Value, data: &Value) -> Value {
    json!({"worker_id": worker, "storage_tier": "disk", "event": {"event_id": 3, "data": data, "dp_rank": 1}})
}

#[test]
fn an_event_is_read_alone_or_in_an_array_as_map_or_array() {
    let blocks = json!([{"block_hash": 1, "tokens_hash": 2, "mm_extra_info": {"mm": [1]}}, {}]);
    for (form, tier) in [
        (
            event(
                &json!(u64::MAX),
                &json!({"stored": {"parent_hash": null, "blocks": blocks}}),
            ),
            StorageTier::Disk,
        ),
        (
            event(
                &json!(u64::MAX.to_string()),
                &json!({"stored": [null, 0, blocks]}),
            ),
            StorageTier::Disk,
        ),
        (
            json!([u64::MAX, "device", "worker", [3, {"stored": [null, blocks]}, 1], null, "s"]),
            StorageTier::Device,
        ),
        (
            json!([u64::MAX.to_string(), "hbm", [3, {"stored": {"blocks": blocks}}, 1]]),
            StorageTier::Other,
        ),
    ] {
        let expected = KvEvent {
            worker_id: WorkerId::new(u64::MAX),
            dp_rank: 1,
            event_id: 3,
            tier: Some(tier),
            change: KvChange::Stored(2),
        };
        assert_eq!(read(&form), Ok(vec![expected]), "{form}");
        assert_eq!(read(&json!([form])), Ok(vec![expected]), "{form}");
        assert_eq!(read(&json!([form, form])), Ok(vec![expected; 2]), "{form}");
    }
    assert_eq!(read(&json!([])), Ok(Vec::new()));
}

#[test]
fn every_change_is_read() {
    fn check(data: &Value, expected: KvChange) {
        let events = read(&event(&json!(7), data)).expect("readable");
        assert_eq!(events[0].change, expected);
    }
    check(&json!("cleared"), KvChange::Cleared);
    check(&json!({"cleared": null}), KvChange::Cleared);
    check(
        &json!({"removed": {"block_hashes": [1, u64::MAX, 3]}}),
        KvChange::Removed(3),
    );
    check(&json!({"removed": [[1]]}), KvChange::Removed(1));
    check(
        &json!({"stored": {"blocks": [], "later": {}}}),
        KvChange::Stored(0),
    );
}

#[test]
fn an_event_that_cannot_be_is_refused_by_name_with_its_whole_message() {
    fn check(value: &Value, expected: &str, is_out_of_range: bool) {
        let good = event(&json!(7), &json!("cleared"));
        for value in [value.clone(), json!([good, value])] {
            let error = read(&value).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.is_out_of_range(), is_out_of_range, "{error}");
        }
    }
    check(
        &event(&json!(-7), &json!("cleared")),
        "worker_id is negative",
        true,
    );
    check(
        &event(&json!("x"), &json!("cleared")),
        "worker_id is missing",
        false,
    );
    check(
        &event(&json!(7), &json!("paused")),
        "data is missing or has an unknown value",
        false,
    );
    check(
        &event(&json!(7), &json!({"paused": {}})),
        "data is missing",
        false,
    );
    check(
        &event(&json!(7), &json!({"stored": {"blocks": 7}})),
        "blocks is missing or not a list",
        false,
    );
    check(
        &event(&json!(7), &json!({"removed": {}})),
        "block_hashes is missing",
        false,
    );
    check(&json!({"worker_id": 7}), "event is missing", false);
    check(
        &json!({"worker_id": 7, "event": "cleared"}),
        "event is missing",
        false,
    );
    check(
        &json!({"worker_id": 7, "event": {"data": "cleared"}}),
        "event_id is missing",
        false,
    );
    check(&json!("text"), "not an object", false);
    check(&json!(null), "not an object", false);
    check(&json!([[]]), "not an object", false);
}

#[test]
fn a_message_holds_no_more_events_than_dynamo_writes() {
    let one = event(&json!(7), &json!("cleared"));
    let most = read(&json!(vec![&one; MAX_KV_EVENTS])).expect("readable");
    assert_eq!(most.len(), MAX_KV_EVENTS);
    let error = read(&json!(vec![&one; MAX_KV_EVENTS + 1]));
    assert_eq!(error, Err(EventError::TooMany(MAX_KV_EVENTS)));
}
