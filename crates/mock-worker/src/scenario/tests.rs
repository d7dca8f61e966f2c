//! Scenarios as they are shipped, changed and refused.

use super::*;

fn load(name: &str, settings: &[&str]) -> Result<Scenario, ScenarioError> {
    let settings: Vec<Setting> = settings
        .iter()
        .map(|text| text.parse().expect("key=value"))
        .collect();
    Scenario::load(name, &settings)
}

#[test]
fn every_shipped_scenario_can_be_run_and_promises_something() {
    for (name, _) in SHIPPED {
        let scenario = load(name, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ids: Vec<_> = (0..u64::from(scenario.workers))
            .map(protocol::WorkerId::new)
            .collect();
        let config = scenario.fleet(1, &ids, Steps::AtOnce).expect(name);
        sim::Fleet::new(&config).expect(name);
        assert!(!scenario.expect.bound.is_empty(), "{name} has no bounds");
    }
}

#[test]
fn settings_go_over_the_file_and_are_checked_like_it() {
    let scenario = load(
        "steady",
        &["traffic.rate=2.5", "workers=7", "worker.preset=h100-70b-tp8"],
    )
    .expect("valid");
    assert_eq!((scenario.traffic.rate, scenario.workers), (Some(2.5), 7));
    let faulty = load("malformed-one", &["fault.0.kind=garbage", "fault.0.field=[]"]);
    assert!(faulty.is_err(), "a field is no list");
    assert_eq!(load("malformed-one", &["fault=[]"]).expect("valid").fault, []);
    let fixed = [
        "traffic.output.fixed=7",
        "traffic.output.uniform.min=1",
        "traffic.output.uniform.max=9",
    ];
    let uniform = Lengths::Uniform { min: 1, max: 9 };
    let scenario = load("spike", &fixed).expect("each takes the place of the one before");
    assert_eq!(scenario.traffic.output, uniform);
}

#[test]
fn a_trace_takes_the_place_of_the_rate_that_the_file_has() {
    let trace = ["traffic.trace.format=azure", "traffic.router=round_robin"];
    assert_eq!(load("steady", &trace).expect("valid").traffic.rate, None);
    let both = [&trace[..], &["traffic.rate=3"]].concat();
    let error = load("steady", &both).expect_err("only one of them").to_string();
    assert!(error.contains("traffic.rate has no meaning here"), "{error}");
}

#[test]
fn a_change_of_the_traffic_changes_nothing_else() {
    let setting = |text: &str| -> Setting { text.parse().expect("a setting") };
    let mut scenario = load("steady", &["workers=7"]).expect("valid");
    scenario.connections = 3;
    let changed = scenario.with(&[setting("traffic.rate=2")]).expect("valid");
    let changed = changed.with(&[setting("traffic.output.fixed=9")]).expect("valid");
    assert_eq!((changed.workers, changed.connections), (7, 3));
    assert_eq!(changed.traffic.rate, Some(2.0), "the first change lasts");
    assert_eq!(changed.traffic.output, Lengths::Fixed(9));
    assert!(scenario.with(&[setting("traffic.rate=-2")]).is_err());
}

#[test]
fn what_cannot_be_is_refused_with_key_and_remedy() {
    let check = |settings: &[&str], expected: &[&str]| {
        let error = load("steady", settings).expect_err("wrong").to_string();
        for part in expected {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    };
    check(&["workers=0"], &["workers is 0", "between 1 and 100000"]);
    check(
        &["traffic.rat=3"],
        &["traffic.rat=3", "unknown field `rat`", "did you mean `rate`?"],
    );
    check(&["traffic.rate=-1"], &["traffic.rate is -1"]);
    let variant = "variant=[{select={first=1},worker={block_size=32}}]";
    check(
        &["traffic.router=random", variant],
        &["variant 1", "block_size", "one size"],
    );
    check(&["worker.slots=0"], &["worker: slots is 0"]);
    check(&["traffic.process.gamma.cv=0"], &["traffic.process: cv is 0"]);
    check(
        &["traffic.trace.format=azure", "traffic.router=none", "workers=2"],
        &["traffic.trace", "round_robin"],
    );
    check(&["workers.x=1"], &["workers.x=1", "workers is not a table"]);
}

#[test]
fn a_bound_on_what_the_collector_does_not_have_is_refused_with_what_was_meant() {
    let check = |bound: &str, expected: &str| {
        let error = load("steady", &[&format!("expect.bound=[{bound}]")])
            .expect_err(bound)
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        "{metric=\"llm_pool_wrkers\",min=1}",
        "did you mean `llm_pool_workers`?",
    );
    check(
        "{metric=\"llm_nothing_alike_at_all\",min=1}",
        "no metric llm_nothing_alike_at_all; docs/metrics.md",
    );
    check(
        "{metric=\"llm_pool_workers\",labels={stat=\"fresh\"},min=1}",
        "llm_pool_workers has no label stat; did you mean `state`?",
    );
    let own = "{metric=\"orders_open\",labels={team=\"search\"},min=1}";
    load("steady", &[&format!("expect.bound=[{own}]")]).expect("a mapping and an operator name as they like");
}
