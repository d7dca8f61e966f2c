//! Model cards that real workers registered in etcd.

use protocol::WorkerId;
use protocol::model_card::{read_key, read_limits};
use serde_json::Value;

#[test]
fn cards_of_every_release_name_their_worker_and_what_it_can_hold() {
    let recorded: Value =
        serde_json::from_str(include_str!("../fixtures/model-cards/dynamo-1.x.json")).expect("JSON");
    let cards = recorded["cards"].as_array().expect("cards");
    let mut seen = Vec::new();
    for card in cards {
        let text = |name: &str| card[name].as_str().expect("a text");
        let (path, worker) = read_key(text("key")).expect("a key").expect("a worker's");
        let inside: Value = serde_json::from_str(text("value")).expect("JSON");
        assert_eq!(path.to_string(), "dynamo/backend/generate");
        assert_eq!(
            Some(worker),
            inside["instance_id"].as_u64().map(WorkerId::new),
            "the key has the id that the worker's own events have"
        );
        let limits = read_limits(text("value").as_bytes()).expect("a card");
        seen.push((text("dynamo"), limits.slots, limits.kv_blocks));
    }
    let one = |version| (version, Some(8), Some(1000));
    let two_ranks = ("1.6.1", Some(16), Some(2000));
    assert_eq!(seen, [one("1.6.1"), one("1.4.2"), one("1.2.1"), two_ranks]);
}
