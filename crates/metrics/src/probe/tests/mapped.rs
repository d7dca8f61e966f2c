//! What `explain`, `list` and `doctor` say of mappings and labels for pools of workers.

use fleet::{Labelled, Scope};

use super::*;

const MAPPINGS: [&str; 3] = [
    r#"{ target = "dynamo/*/*", pointer = "/gpu/celsius", name = "gpu_celsius", type = "gauge", help = "Heat." }"#,
    r#"{ target = "dynamo/my_component/*", pointer = "/kv_total_blocks", name = "kv_blocks", type = "gauge", help = "Blocks." }"#,
    r#"{ target = "prod/*/*", pointer = "/x", name = "x", type = "gauge", help = "X." }"#,
];

fn plan() -> Plan {
    let parsed = MAPPINGS
        .iter()
        .map(|text| crate::mapping::parse(text).expect(text));
    let mappings: Vec<_> = parsed.collect();
    assert!(matches!(mappings[0].scope, Scope::Workers(_)));
    Plan {
        mappings,
        labels: vec![Labelled {
            pools: TARGET.parse().expect("a path"),
            labels: [("team".to_owned(), "search".to_owned())].into(),
        }],
        ..Plan::watching(vec![
            TARGET.parse().expect("a path"),
            "*/*/*".parse().expect("a glob"),
        ])
    }
}

/// Three workers, of which one reports its temperature, one as a text, and one not at all.
fn workers() -> Vec<Service> {
    let mut workers: Vec<Service> = (1..=3)
        .map(|id| worker("my_component", "my_endpoint", id))
        .collect();
    workers[0].data["gpu"] = json!({"celsius": 61});
    workers[1].data["gpu"] = json!({"celsius": "hot"});
    workers
}

#[test]
fn explain_says_for_each_mapping_from_how_many_workers_it_is_read_and_why_not() {
    let (mut core, now) = looked(plan(), &workers());
    let target = Target::new(TARGET.parse().expect("a path"), &[]);
    let seen = core.inspect(Some(&target), None, now);
    let link = (&Denials::default(), &Grants::default());
    let report = explain::Report::new(&target, &seen, link, Duration::ZERO, &Copied::default(), false);
    insta::assert_snapshot!("explain_mappings", report);
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["mappings"][0]["faults"][1]["example"], "\"hot\"", "{json}");
}

#[test]
fn a_list_shows_labels_and_which_mappings_cannot_read_every_value() {
    let (mut core, now) = looked(plan(), &workers());
    let seen = core.inspect(None, None, now);
    let link = (&Denials::default(), &Grants::default());
    insta::assert_snapshot!("list_mappings", list::Report::new(&seen, link));
}
