//! Replies that are malformed, oversized or hostile, next to good ones: each is counted under exactly one result, and
//! no good worker's numbers move.

mod neighbourhood;

use protocol::Layout;
use serde_json::{Value, json};
use tests::{Micro, load};

use self::neighbourhood::{Neighbourhood, replies};
use crate::TARGET;

const SERVICE: &str = "dynamo_my_component_1854ce00";
const SUBJECT: &str = "dynamo_my_component_1854ce00.my_endpoint-99";

fn hostile() -> Micro {
    Micro::service(SERVICE, "hostile").endpoint(SUBJECT, load(99))
}

#[tokio::test]
async fn replies_that_cannot_be_read_are_malformed() {
    let here = Neighbourhood::new().await;
    let whole = hostile().stats();
    let info = hostile().info();
    for (what, stats) in [
        ("no bytes", b"".to_vec()),
        ("no JSON", b"garbage".to_vec()),
        ("no UTF-8", b"\xff\xfe\x00\x01".to_vec()),
        ("truncated", whole.as_bytes()[..whole.len() / 2].to_vec()),
        (
            "truncated by one byte",
            whole.as_bytes()[..whole.len() - 1].to_vec(),
        ),
        ("a list", format!("[{whole}]").into_bytes()),
        ("null", b"null".to_vec()),
        ("an answer to INFO", info.into_bytes()),
        (
            "no instance id",
            whole.replace(r#""id":"hostile","#, "").into_bytes(),
        ),
        (
            "endpoints that are no list",
            whole
                .replace(r#""endpoints":["#, r#""endpoints":3,"x":["#)
                .into_bytes(),
        ),
        ("brackets without end", b"[".repeat(100_000)),
        ("9 MiB", [whole.as_bytes(), &b" ".repeat(9 << 20)].concat()),
    ] {
        let page = here.check(what, stats, "malformed").await;
        assert_eq!(
            page.sum("llm_pool_workers", &[]),
            2.0,
            "{what}: no other worker is there\n{page}"
        );
    }
}

#[tokio::test]
async fn load_that_is_no_load_is_malformed_and_its_worker_is_not_taken_in() {
    let here = Neighbourhood::new().await;
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for data in [
        r#""full""#,
        "[1, 2]",
        "true",
        r#"{"kv_active_blocks": "many"}"#,
        r#"{"kv_stats": 3}"#,
        &deep,
    ] {
        let page = here.check_data(data, "malformed").await;
        assert_eq!(
            page.sum("llm_pool_workers", &[("state", "fresh")]),
            2.0,
            "{data}\n{page}"
        );
    }
    for data in [r#"{"kv_active_blocks": -1}"#, r#"{"gpu_cache_usage_perc": NaN}"#] {
        let page = here.check_data(data, "out_of_range").await;
        assert_eq!(
            page.sum("llm_pool_workers", &[("state", "fresh")]),
            2.0,
            "{data}\n{page}"
        );
    }
}

#[tokio::test]
async fn a_field_that_is_wrong_is_left_out_and_the_others_are_shown() {
    let here = Neighbourhood::new().await;
    let bad = [("worker_id", "153")];
    for (field, metric, value, result) in [
        (
            "kv_active_blocks",
            "llm_worker_kv_blocks_active",
            "-1",
            "out_of_range",
        ),
        (
            "kv_active_blocks",
            "llm_worker_kv_blocks_active",
            "1e400",
            "out_of_range",
        ),
        (
            "kv_active_blocks",
            "llm_worker_kv_blocks_active",
            "18446744073709551616",
            "out_of_range",
        ),
        (
            "kv_active_blocks",
            "llm_worker_kv_blocks_active",
            "2.5",
            "malformed",
        ),
        (
            "kv_active_blocks",
            "llm_worker_kv_blocks_active",
            "[]",
            "malformed",
        ),
        (
            "gpu_cache_usage_perc",
            "llm_worker_kv_usage_ratio",
            "NaN",
            "out_of_range",
        ),
        (
            "gpu_cache_usage_perc",
            "llm_worker_kv_usage_ratio",
            "-Infinity",
            "out_of_range",
        ),
        (
            "gpu_cache_usage_perc",
            "llm_worker_kv_usage_ratio",
            "1.01",
            "out_of_range",
        ),
        (
            "gpu_cache_usage_perc",
            "llm_worker_kv_usage_ratio",
            "-0.1",
            "out_of_range",
        ),
        (
            "gpu_cache_usage_perc",
            "llm_worker_kv_usage_ratio",
            "\"high\"",
            "malformed",
        ),
        (
            "num_requests_waiting",
            "llm_worker_requests_waiting",
            "{}",
            "malformed",
        ),
    ] {
        let data = json!({"num_requests_waiting": 7, "request_active_slots": 3, field: "VALUE"}).to_string();
        let page = here.check_data(&data.replace(r#""VALUE""#, value), result).await;
        assert!(page.absent(metric, &bad), "{field} {value}\n{page}");
        assert_eq!(
            page.value("llm_worker_request_slots_active", &bad),
            Some(3.0),
            "{field} {value}\n{page}"
        );
        assert!(!page.text().contains("NaN"), "{field} {value}\n{page}");
    }
}

#[tokio::test]
async fn more_in_use_than_there_is_shows_neither_count() {
    let here = Neighbourhood::new().await;
    let bad = [("worker_id", "153")];
    let data = json!({"kv_active_blocks": 11, "kv_total_blocks": 10, "num_requests_waiting": 7});
    let page = here.check_data(&data.to_string(), "out_of_range").await;
    assert!(page.absent("llm_worker_kv_blocks_active", &bad), "{page}");
    assert!(page.absent("llm_worker_kv_blocks_capacity", &bad), "{page}");
    assert_eq!(
        page.value("llm_worker_requests_waiting", &bad),
        Some(7.0),
        "{page}"
    );
}

#[tokio::test]
async fn numbers_are_read_as_clients_of_many_languages_write_them() {
    let here = Neighbourhood::new().await;
    let data =
        r#"{"kv_active_blocks": 5.0, "kv_total_blocks": "9", "num_requests_waiting": null, "more": {}}"#;
    let stats = hostile()
        .with("data", Value::String("DATA".to_owned()))
        .with("num_requests", "12".into())
        .with("num_errors", Value::Null)
        .with("processing_time", "1m2.5s".into())
        .with("queue_group", Value::Null);
    let page = here
        .check(data, stats.stats().replace(r#""DATA""#, data), "ok")
        .await;
    for (name, expected) in [
        ("llm_worker_kv_blocks_active", 5.0),
        ("llm_worker_kv_blocks_capacity", 9.0),
        ("nats_service_requests_total", 12.0),
        ("nats_service_errors_total", 0.0),
        ("nats_service_processing_seconds_total", 62.5),
    ] {
        assert_eq!(
            page.value(name, &[("worker_id", "153")]),
            Some(expected),
            "{name}\n{page}"
        );
    }
}

#[tokio::test]
async fn a_subject_without_a_valid_id_is_an_invalid_subject() {
    let here = Neighbourhood::new().await;
    for id in ["xyz", "", "0ff", "FF", "10000000000000000", "+1", "1 "] {
        let subject = format!("{SERVICE}.my_endpoint-{id}");
        let stats = Micro::service(SERVICE, "hostile")
            .endpoint(&subject, load(99))
            .stats();
        let page = here.check(&subject, stats, "invalid_subject").await;
        assert_eq!(page.sum("llm_pool_workers", &[]), 2.0, "{subject}\n{page}");
    }
}

#[tokio::test]
async fn the_largest_id_is_an_id() {
    let here = Neighbourhood::new().await;
    let subject = format!("{SERVICE}.my_endpoint-ffffffffffffffff");
    let page = here
        .check(
            &subject,
            Micro::service(SERVICE, "hostile")
                .endpoint(&subject, load(99))
                .stats(),
            "ok",
        )
        .await;
    let worker = [("worker_id", "18446744073709551615")];
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &worker),
        Some(99.0),
        "{page}"
    );
}

#[tokio::test]
async fn services_of_others_are_foreign() {
    let here = Neighbourhood::new().await;
    for micro in [
        Micro::service("orders", "hostile").endpoint("orders.create", load(99)),
        Micro::service("orders", "hostile"),
        Micro::service(SERVICE, "hostile"),
        Micro::service(SERVICE, "hostile").endpoint("nodots", load(99)),
        Micro::service(">", ">").endpoint(">", load(99)),
        Micro::service("a.b", "*").endpoint("$SRV.STATS", load(99)),
    ] {
        here.check(&micro.stats(), micro.stats(), "foreign").await;
    }
}

#[tokio::test]
async fn names_full_of_quotes_braces_and_newlines_are_only_text() {
    let here = Neighbourhood::new().await;
    let id = "a\"b\\c\nd{e=\"f\"} 1\n# TYPE x gauge\u{7f}\u{1f980}";
    let mut micro = Micro::service(">", id).endpoint(&format!("{SERVICE}.my_endpoint"), load(99));
    micro.version = "v\"\n{}".to_owned();
    let page = here
        .check("a static worker with such a name", micro.stats(), "ok")
        .await;
    let worker = format!("static-{id}");
    let worker = [("worker_id", worker.as_str())];
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &worker),
        Some(99.0),
        "{page}"
    );
    assert_eq!(page.sum("llm_worker_info", &worker), 1.0, "{page}");
    let page = here.check("the same for OpenMetrics", micro.stats(), "ok").await;
    assert!(!page.text().contains("\n# TYPE x gauge"), "{page}");
}

#[tokio::test]
async fn one_bad_endpoint_costs_its_neighbours_in_the_reply_nothing() {
    let here = Neighbourhood::new().await;
    let subject = |id| format!("{SERVICE}.my_endpoint-{id}");
    let mut micro = Micro::service(SERVICE, "hostile");
    micro.endpoints.push(json!({"subject": 3}));
    micro = micro.endpoint(&subject("a"), load(10));
    micro.endpoints.push(json!("nonsense"));
    micro = micro
        .endpoint(&subject("b"), "nonsense")
        .endpoint(&subject("c"), load(12));
    let page = here.check("five endpoints", micro.stats(), "malformed").await;
    let seen: Vec<_> = ["10", "11", "12"]
        .map(|id| page.value("llm_worker_kv_blocks_active", &[("worker_id", id)]))
        .into();
    assert_eq!(seen, [Some(10.0), None, Some(12.0)], "{page}");
}

#[tokio::test]
async fn a_thousand_workers_in_one_reply_are_all_shown() {
    let here = Neighbourhood::with_interval("1s").await;
    let micro = (1000..2000).fold(Micro::service(SERVICE, "hostile"), |micro, id| {
        micro.endpoint(&format!("{SERVICE}.my_endpoint-{id:x}"), load(id % 1000))
    });
    let page = here.check("1,000 endpoints", micro.stats(), "ok").await;
    assert_eq!(page.sum("llm_pool_workers", &[("state", "fresh")]), 1002.0);
    for id in [1000_u64, 1001, 1500, 1999] {
        let worker = id.to_string();
        let blocks = page.value("llm_worker_kv_blocks_active", &[("worker_id", &worker)]);
        assert_eq!(blocks, Some((id % 1000) as f64), "{id}");
    }
}

#[tokio::test]
async fn a_reply_of_countless_endpoints_is_cut_and_counted() {
    let here = Neighbourhood::with_interval("1s").await;
    let micro = (0..5000).fold(Micro::service(SERVICE, "hostile"), |micro, at| {
        micro.endpoint(&format!("orders.create{at}"), 0)
    });
    here.check("5,000 endpoints", micro.stats(), "malformed").await;
}

#[tokio::test]
async fn an_instance_id_that_another_service_claims_costs_its_owner_nothing() {
    let here = Neighbourhood::new().await;
    let two = [("worker_id", "2")];
    // Services answer in the order of their names and ids: the impostor first, the owner last.
    let impostor = Micro::service("a-service", "i2").endpoint("a-service.call", 0);
    here.fleet.join(&impostor);
    here.collector.rounds(3).await;
    let owner = Micro::worker(TARGET, Layout::Hashed, Some(2)).with_data(load(22));
    here.fleet.join(&owner);
    let page = here
        .collector
        .has("llm_worker_kv_blocks_active", &two, 22.0)
        .await;
    assert_eq!(replies(&page, "duplicate"), 0.0, "{page}");
    assert_eq!(page.value("llm_worker_restarts_total", &two), Some(0.0), "{page}");
}
