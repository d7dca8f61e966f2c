//! What `explain` prints of plain services.

use fleet::NameGlob;

use super::super::service::{Report, matching};
use super::*;

fn plan(glob: &str, mappings: &[&str]) -> Plan {
    let parsed = mappings
        .iter()
        .map(|text| crate::mapping::parse(text).expect(text));
    Plan {
        mappings: parsed.collect(),
        ..Plan::watching(vec![Selector::Services(NameGlob::new(glob))])
    }
}

fn report(name: &str, mappings: &[&str], excluded: &str, services: &[Service], all: bool) -> Report {
    let (mut core, now) = looked(plan(name, mappings), services);
    let seen = core.inspect(None, Some(fleet::Finish::Stall), now);
    let copied = Copied::new([("server", Some("nats://nats:4222"))]);
    let excluded = [NameGlob::new(excluded)];
    let link = (&Denials::default(), &Grants::default());
    Report::new(name, &excluded, &seen, link, &copied, all)
}

/// So many instances of `orders`, whose data differs by their parity.
fn shop(count: usize) -> Vec<Service> {
    let instance = |n: usize| Service {
        requests: n as u64,
        data: match n % 2 {
            0 => json!({"depth": n, "mode": "auto", "queue": {"eu": 1, "us": 99}}),
            _ => json!({"depth": n, "mode": "\u{1b}[31m", "queue": {"eu": 1, "us": 2}}),
        },
        ..orders(&format!("i{n:02}"), "orders.create")
    };
    let mut services: Vec<Service> = (1..=count).map(instance).collect();
    services.push(Service {
        name: "billing-eu",
        ..orders("z", "billing.pay")
    });
    services
}

const MAPPINGS: [&str; 4] = [
    r#"{ service = "orders", pointer = "/depth", name = "orders_depth", type = "gauge", help = "Depth." }"#,
    r#"{ service = "ord*", pointer = "/mode", name = "orders_mode", type = "gauge", help = "Mode." }"#,
    r#"{ service = "orders", pointer = "/queue/*", name = "orders_queue", type = "gauge", help = "Queue.", labels = ["region"], max = 10.0 }"#,
    r#"{ service = "orders", pointer = "/rare", name = "orders_rare", type = "gauge", help = "Rare.", optional = true }"#,
];

#[test]
fn a_service_is_explained_by_endpoint_with_what_mappings_find_and_cannot_read() {
    let report = report("orders", &MAPPINGS, "x", &shop(3), false);
    assert!(report.has_endpoints());
    insta::assert_snapshot!("service_present", report);
}

#[test]
fn many_instances_are_shown_on_demand_and_json_has_all_of_them() {
    let short = report("orders", &[], "x", &shop(40), false);
    let text = short.to_string();
    assert!(text.lines().count() < 12, "{text}");
    assert!(text.contains("--all shows the 40 instances"), "{text}");
    let json = serde_json::to_value(&short).expect("JSON");
    assert_eq!(json["instances"].as_array().map(Vec::len), Some(40), "{json}");
    assert_eq!(json["endpoints"][0]["requests"], 820.0, "{json}");
    let all = report("orders", &[], "x", &shop(40), true).to_string();
    assert!(all.contains("\ni39  "), "{all}");
}

#[test]
fn a_service_that_is_not_there_comes_with_what_is_and_what_may_have_been_meant() {
    let slip = report("billing_eu", &[], "x", &shop(2), false);
    assert!(!slip.has_endpoints());
    insta::assert_snapshot!("service_slip", slip);
    let none = report("payments", &[], "x", &shop(2), false);
    insta::assert_snapshot!("service_none", none);
    let json = serde_json::to_value(&none).expect("JSON");
    assert_eq!(json["services"][1]["name"], "orders", "{json}");
    let alone = report("orders", &[], "x", &[], false).to_string();
    assert!(
        alone.starts_with("No instance of orders answers, and no other service does."),
        "{alone}"
    );
}

#[test]
fn what_the_collector_leaves_out_by_its_configuration_is_said() {
    let text = report("orders", &[], "ord*", &shop(1), false).to_string();
    assert!(text.contains("because of --exclude-service ord*"), "{text}");
}

#[test]
fn a_pattern_is_each_service_that_it_matches() {
    let (mut core, now) = looked(plan("*", &[]), &shop(2));
    let seen = core.inspect(None, None, now);
    let of = |glob: &str| Vec::from_iter(matching(&NameGlob::new(glob), &seen));
    assert_eq!(of("*"), ["billing-eu", "orders"]);
    assert_eq!(of("ord*"), ["orders"]);
    assert_eq!(of("x*"), [""; 0]);
}
