//! What people write, and what is refused with which words.

use super::*;

const GOOD: &str = r#"service = "orders", pointer = "/queues/*/wait_ms", name = "orders_wait_seconds", type = "gauge",
    unit = "seconds", help = "How long orders wait.", scale = 0.001, labels = ["queue"]"#;

/// The good mapping with something else added to it, or in place of what it has.
fn table(change: &str) -> MappingTable {
    let key = change.split('=').next().unwrap_or_default().trim();
    let kept = GOOD
        .split(", ")
        .filter(|pair| pair.split('=').next().map(str::trim) != Some(key));
    let pairs: Vec<&str> = kept.chain(Some(change)).filter(|pair| !pair.is_empty()).collect();
    format!("{{ {} }}", pairs.join(", ").replace('\n', " "))
        .parse()
        .expect(change)
}

#[test]
fn a_mapping_is_read_as_it_is_written() {
    let mapping = table("").check().expect("good");
    assert_eq!(mapping.pointer.to_string(), "/queues/*/wait_ms");
    assert_eq!(mapping.metric.name, "orders_wait_seconds");
    assert_eq!((mapping.scale, mapping.max_series), (0.001, MAX_SERIES));
    assert!(matches!(mapping.scope, Scope::Services { .. }));
}

#[test]
fn a_counter_is_named_with_or_without_total() {
    for name in ["orders_done", "orders_done_total"] {
        let mut table = table(r#"type = "counter""#);
        (table.name, table.unit) = (name.to_owned(), None);
        let mapping = table.check().expect(name);
        assert_eq!(mapping.metric.name, "orders_done");
        assert_eq!(mapping.range.min, Some(0.0));
    }
}

#[test]
fn what_cannot_be_on_the_page_is_refused_with_the_key_and_the_remedy() {
    fn check(change: &str, key: &str, expected: &str) {
        let error = table(change).check().expect_err(change);
        assert_eq!(error.key, key, "{change}: {error}");
        assert!(error.reason.contains(expected), "{change}: {error}");
    }
    check(r#"pointer = "queues""#, "pointer", "begins with `/`");
    check(r#"pointer = "/a/*/*""#, "labels", "2 `*`");
    check("labels = []", "labels", "1 `*`");
    check(r#"labels = ["pod"]"#, "labels", "set by Prometheus");
    check(r#"labels = ["worker_id"]"#, "labels", "this collector's");
    check(r#"labels = ["Queue"]"#, "labels", "snake_case");
    check(r#"const_labels = { queue = "x" }"#, "const_labels", "twice");
    check(r#"name = "Orders""#, "name", "snake_case");
    check(r#"name = "orders_total""#, "name", "reserved for counters");
    check(r#"name = "orders_count""#, "name", "_count");
    check(r#"name = "orders_gauge_seconds""#, "name", "type");
    check(r#"name = "orders_wait_ms""#, "name", "seconds");
    check(r#"name = "orders_wait_milliseconds""#, "name", "scale = 0.001");
    check(
        r#"name = "llm_worker_requests_waiting""#,
        "name",
        "already a metric",
    );
    check(r#"name = "llm_kv_blocks_active""#, "name", "already a metric");
    check(r#"name = "orders_wait""#, "unit", "orders_wait_seconds");
    check(r#"help = " ""#, "help", "means");
    check("scale = 0.0", "scale", "other than 0");
    check("max_series = 0", "max_series", "at least 1");
    check("min = nan", "min", "finite");
    check(r#"target = "a/b/c""#, "service", "either");
    let workers = MappingTable {
        service: None,
        target: Some("a/*".to_owned()),
        ..table("")
    };
    assert_eq!(workers.check().expect_err("two parts").key, "target");
    let nothing = MappingTable {
        service: None,
        ..table("")
    };
    assert_eq!(nothing.check().expect_err("no scope").key, "service");
}

#[test]
fn two_mappings_to_one_metric_declare_the_same() {
    let mapping = |change: &str| Arc::new(table(change).check().expect(change));
    let other_place = mapping(r#"service = "payments""#);
    assert_eq!(check_together(&[mapping(""), other_place]), Ok(()));
    let other_help = mapping(r#"help = "Another.""#);
    let why = check_together(&[mapping(""), other_help]).expect_err("help");
    assert!(why.contains("`help`"), "{why}");
}

#[test]
fn an_unknown_key_is_refused() {
    let error = r#"{ service = "a", pointer = "/b", name = "c", type = "gauge", help = "d", sacle = 2 }"#
        .parse::<MappingTable>()
        .expect_err("no such key");
    assert!(error.message().contains("sacle"), "{error}");
}
