//! Capacities that are read from a real etcd: as real workers register them, and as they change and vanish.

use futures_util::{StreamExt, stream};
use protocol::{Layout, WorkerId};
use serde_json::{Value, json};
use tests::{Collector, Etcd, Micro, NatsServer, Page, TestFleet, finish, metrics};

const TARGET: &str = "dynamo/backend/generate";

const CONNECTED: &str = "llm_collector_etcd_connected";
const WORKERS: &str = "llm_collector_etcd_workers";

/// A model card that a real worker registered: its key, its value, and the worker's id.
struct Card {
    key: String,
    value: String,
    id: u64,
}

/// The cards that were recorded, the newest release first.
fn cards() -> Vec<Card> {
    let recorded = include_str!("../../crates/protocol/tests/fixtures/model-cards/dynamo-1.x.json");
    let recorded: Value = serde_json::from_str(recorded).expect("JSON");
    let card = |card: &Value| {
        let text = |name: &str| card[name].as_str().expect("a text").to_owned();
        let key = text("key");
        let id = key.rsplit('/').next().and_then(|id| WorkerId::from_hex(id).ok());
        Card {
            value: text("value"),
            id: id.expect("an id").get(),
            key,
        }
    };
    recorded["cards"]
        .as_array()
        .expect("cards")
        .iter()
        .map(card)
        .collect()
}

/// A worker that reports 250 active blocks and no capacity.
fn worker(id: u64) -> Micro {
    Micro::worker(TARGET, Layout::Hashed, Some(id)).with_data(json!({"kv_active_blocks": 250}))
}

/// Slots, blocks, and who says so, of one worker.
fn capacity(page: &Page, id: u64) -> (Option<f64>, Option<f64>, String) {
    let id = id.to_string();
    let labels = [("worker_id", id.as_str())];
    let info = page.samples("llm_worker_info", &labels);
    (
        page.value("llm_worker_request_slots_capacity", &labels),
        page.value("llm_worker_kv_blocks_capacity", &labels),
        info.into_iter()
            .map(|info| info.labels["capacity_source"].clone())
            .collect(),
    )
}

fn etcd_says(slots: f64, blocks: f64) -> (Option<f64>, Option<f64>, String) {
    (Some(slots), Some(blocks), "etcd".to_owned())
}

fn unknown() -> (Option<f64>, Option<f64>, String) {
    (None, None, "none".to_owned())
}

#[tokio::test]
async fn capacities_are_read_as_real_workers_register_them_and_followed() {
    let Some(etcd) = Etcd::start("capacities are read and followed").await else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let cards = cards();
    let [first, .., two_ranks] = cards.as_slice() else {
        panic!("too few cards");
    };
    for card in &cards {
        fleet.join(&worker(card.id));
        if card.id != two_ranks.id {
            etcd.put(&card.key, &card.value).await;
        }
    }
    let collector = Collector::watching(&server, TARGET, &["--etcd", &etcd.url()]).await;
    collector.has_workers(4).await;
    let page = collector.has(WORKERS, &[], 3.0).await;
    assert_eq!(page.value(CONNECTED, &[]), Some(1.0), "{page}");
    for card in &cards[..3] {
        collector
            .shows("it has what etcd says", |page| {
                capacity(page, card.id) == etcd_says(8.0, 1000.0)
            })
            .await;
    }
    let page = collector.page().await;
    assert_eq!(capacity(&page, two_ranks.id), unknown(), "{page}");
    let id = first.id.to_string();
    let usage = page.value("llm_worker_kv_usage_ratio", &[("worker_id", &id)]);
    assert_eq!(usage, Some(0.25), "{page}");

    etcd.put(&two_ranks.key, &two_ranks.value).await;
    collector
        .shows("a worker that registers later is seen", |page| {
            capacity(page, two_ranks.id) == etcd_says(16.0, 2000.0)
        })
        .await;
    let larger = first.value.replace(r#""max_num_seqs":8"#, r#""max_num_seqs":9"#);
    etcd.put(&first.key, &larger).await;
    collector
        .shows("a change is followed", |page| {
            capacity(page, first.id) == etcd_says(9.0, 1000.0)
        })
        .await;
    etcd.delete(&first.key).await;
    collector
        .shows("what vanishes is followed", |page| {
            capacity(page, first.id) == unknown()
        })
        .await;
}

#[tokio::test]
async fn the_worker_counts_first_then_its_operator_then_etcd() {
    let Some(etcd) = Etcd::start("the order of sources").await else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let cards = cards();
    let own = json!({"kv_active_blocks": 250, "kv_total_blocks": 500});
    fleet.join(&worker(cards[0].id));
    fleet.join(&worker(cards[1].id).with_data(own));
    for card in &cards {
        etcd.put(&card.key, &card.value).await;
    }
    let flags = ["--etcd", &etcd.address(), "--capacity", "dynamo/*/*:slots=32"];
    let collector = Collector::watching(&server, TARGET, &flags).await;
    collector.has(WORKERS, &[], 4.0).await;
    collector
        .shows("each source counts in its turn", |page| {
            let by_operator = (Some(32.0), Some(1000.0), "configured".to_owned());
            let by_worker = (Some(32.0), Some(500.0), "reported".to_owned());
            capacity(page, cards[0].id) == by_operator && capacity(page, cards[1].id) == by_worker
        })
        .await;
}

#[tokio::test]
async fn an_etcd_that_goes_away_ends_nothing_and_is_read_again() {
    let Some(mut etcd) = Etcd::prepare("etcd goes away") else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let card = cards().remove(0);
    fleet.join(&worker(card.id));
    let mut collector = Collector::watching(&server, TARGET, &["--etcd", &etcd.url()]).await;
    let line = collector
        .program()
        .says(&["WARN", "etcd cannot be read", "is etcd running?"])
        .await;
    assert!(line.contains(&etcd.url()), "{line}");
    collector.has(CONNECTED, &[], 0.0).await;

    etcd.start_again().await;
    collector.has(CONNECTED, &[], 1.0).await;
    etcd.put(&card.key, &card.value).await;
    let has_it = |page: &Page| capacity(page, card.id) == etcd_says(8.0, 1000.0);
    collector.shows("it has what etcd says", has_it).await;

    etcd.stop().await;
    collector.has(CONNECTED, &[], 0.0).await;
    collector
        .keeps("capacities stay while etcd is away", 3, has_it)
        .await;
    etcd.start_again().await;
    collector.has(CONNECTED, &[], 1.0).await;
    etcd.delete(&card.key).await;
    collector
        .shows("etcd is followed again", |page| {
            capacity(page, card.id) == unknown()
        })
        .await;
    let complaints = collector.program().lines_with(&["etcd cannot be read"]);
    assert_eq!(complaints.len(), 1, "at most once a minute: {complaints:?}");
}

#[tokio::test]
async fn an_etcd_that_does_not_answer_any_longer_is_noticed() {
    let Some(etcd) = Etcd::start("etcd is silent").await else {
        return;
    };
    let server = NatsServer::start().await;
    let collector = Collector::watching(&server, TARGET, &["--etcd", &etcd.url()]).await;
    collector.has(CONNECTED, &[], 1.0).await;
    etcd.pause();
    collector.has(CONNECTED, &[], 0.0).await;
    etcd.resume();
    collector.has(CONNECTED, &[], 1.0).await;
}

#[tokio::test]
async fn hostile_entries_are_counted_and_harm_nothing() {
    let Some(etcd) = Etcd::start("hostile entries").await else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let card = cards().remove(0);
    fleet.join(&worker(card.id));
    let refused = ("llm_collector_etcd_refused_total", [("reason", "malformed")]);
    let other = |id: &str| format!("v1/mdc/dynamo/backend/generate/{id}");
    let before: [(Vec<u8>, Vec<u8>); 4] = [
        (b"v1/mdc/".to_vec(), b"{}".to_vec()),
        (b"v1/mdc/\xff\xfe".to_vec(), card.value.clone().into()),
        (other("1").into(), b"\0".to_vec()),
        (
            other("2").into(),
            [card.value.as_bytes(), &vec![b' '; 1 << 20]].concat(),
        ),
    ];
    for (key, value) in &before {
        etcd.put(key, value).await;
    }
    etcd.put(&card.key, &card.value).await;
    etcd.put("v1/mdd/dynamo/backend/generate/3", "{}").await;
    let collector = Collector::watching(&server, TARGET, &["--etcd", &etcd.url()]).await;
    collector.has(refused.0, &refused.1, 4.0).await;
    collector.has(WORKERS, &[], 1.0).await;

    let deep = format!(r#"{{"card_json":{}"#, "[".repeat(100_000));
    etcd.put(other("4"), deep).await;
    let negative = card
        .value
        .replace(r#""total_kv_blocks":1000"#, r#""total_kv_blocks":-1"#);
    etcd.put(other("5"), negative).await;
    collector.has(refused.0, &refused.1, 6.0).await;
    collector
        .shows("the good one is there", |page| {
            capacity(page, card.id) == etcd_says(8.0, 1000.0)
        })
        .await;
    // A card that becomes unreadable says nothing any longer.
    etcd.put(&card.key, "null").await;
    collector
        .shows("the good one is no more", |page| {
            capacity(page, card.id) == unknown()
        })
        .await;
}

#[tokio::test]
async fn many_and_large_cards_are_read_in_parts() {
    let Some(etcd) = Etcd::start("many and large cards").await else {
        return;
    };
    let server = NatsServer::start().await;
    let value = cards().remove(0).value;
    // Of the large ones, no more than about twenty fit one answer that is read.
    let large = format!("{value}{}", " ".repeat(1_000_000));
    let put = async |id: u32| {
        let key = format!("v1/mdc/dynamo/backend/generate/{id:x}");
        let value = if id <= 40 { &large } else { &value };
        etcd.put(key, value).await;
    };
    stream::iter(1..=600).map(put).buffer_unordered(16).count().await;
    let mut collector = Collector::watching(&server, TARGET, &["--etcd", &etcd.url()]).await;
    collector.has(WORKERS, &[], 600.0).await;
    etcd.delete("v1/mdc/dynamo/backend/generate/1").await;
    collector.has(WORKERS, &[], 599.0).await;
    assert!(
        collector
            .program()
            .lines_with(&["etcd cannot be read"])
            .is_empty()
    );
}

#[tokio::test]
async fn a_password_opens_etcd_and_is_never_shown() {
    let Some(etcd) = Etcd::start("etcd with a password").await else {
        return;
    };
    let card = cards().remove(0);
    etcd.put(&card.key, &card.value).await;
    let server = NatsServer::start().await;
    let url = |login: &str| format!("http://{login}{}", etcd.address());
    // A store without users accepts any password.
    let early = Collector::watching(&server, TARGET, &["--etcd", &url("root:topsecret@")]).await;
    early.has(WORKERS, &[], 1.0).await;
    drop(early);

    etcd.demand_password("topsecret").await;
    for login in ["", "root:wrongsecret@"] {
        let mut collector = Collector::watching(&server, TARGET, &["--etcd", &url(login)]).await;
        collector
            .program()
            .says(&["WARN", "it refuses this user", "with a user that may read"])
            .await;
        collector.has(CONNECTED, &[], 0.0).await;
        let shown = collector.program().lines_with(&["secret"]);
        assert_eq!(shown, Vec::<String>::new());
    }
    let flags = ["--log", "debug", "--etcd", &url("root:topsecret@")];
    let mut collector = Collector::watching(&server, TARGET, &flags).await;
    collector.has(CONNECTED, &[], 1.0).await;
    collector.has(WORKERS, &[], 1.0).await;
    let shown = collector.program().lines_with(&["topsecret"]);
    assert_eq!(shown, Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_address_of_etcd_is_refused_without_its_password() {
    let wrong = [
        ("https://me:topsecret@etcd:2379", "TLS is not supported"),
        ("http://me:topsecret@etcd:2379/v3", "more than a host and a port"),
        ("http://topsecret@etcd:2379", "both user and password"),
        ("http://me:top/secret@etcd:2379", "percent-encode"),
    ];
    for (address, reason) in wrong {
        let ended = finish(metrics(&["--target", TARGET, "--etcd", address])).await;
        assert_eq!(ended.code, Some(2), "{address}: {}", ended.stderr);
        assert!(ended.stderr.contains(reason), "{address}: {}", ended.stderr);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
}
