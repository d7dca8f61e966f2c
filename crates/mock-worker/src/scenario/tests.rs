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

const TWO: &str = "description = 'two'
duration = '30s'

[[pool]]
path = 'dynamo/prefill/generate'
workers = 2
[pool.traffic]
rate = 3.0

[[pool]]
path = 'dynamo/decode/generate'
[[pool.fault]]
kind = 'late'
";

#[test]
fn a_scenario_may_have_several_pools_each_with_what_it_says_itself() {
    let scenario = Scenario::read("two.toml", TWO).expect("it can be run");
    let pools = scenario.pools().expect("paths");
    let shown: Vec<_> = pools
        .iter()
        .map(|(path, pool)| {
            let path = path.as_ref().map(ToString::to_string).unwrap_or_default();
            (
                path,
                pool.workers,
                pool.traffic.rate,
                pool.fault.len(),
                pool.duration.0,
            )
        })
        .collect();
    let second = 1_000_000_000;
    assert_eq!(
        shown,
        [
            ("dynamo/prefill/generate".to_owned(), 2, Some(3.0), 0, 30 * second),
            ("dynamo/decode/generate".to_owned(), 4, None, 1, 30 * second),
        ]
    );
}

#[test]
fn pools_that_cannot_be_are_named() {
    let check = |text: &str, expected: &str| {
        let error = Scenario::read("two.toml", text).expect_err(text).to_string();
        assert!(error.contains("two.toml") && error.contains(expected), "{error}");
    };
    check(
        &TWO.replace("prefill", "decode"),
        "pool 2: another pool has its path",
    );
    check(
        &TWO.replace("dynamo/prefill/generate", "dynamo"),
        "pool 1: path: ",
    );
    check(
        &TWO.replace("rate = 3.0", "rate = -3.0"),
        "pool 1: traffic.rate is -3",
    );
    check(
        &TWO.replace("duration", "workers = 2\nduration"),
        "belong into each [[pool]]",
    );
    check(&TWO.replace("workers", "wokers"), "did you mean `workers`?");
}

#[test]
fn traffic_of_one_pool_is_set_for_that_one_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("two.toml");
    std::fs::write(&file, TWO).expect("a file");
    let set: Setting = "pool.0.workers=7".parse().expect("a setting");
    let scenario = Scenario::load(file.to_str().expect("UTF-8"), &[set]).expect("it can be run");
    let mut pools = scenario.pools().expect("paths");
    let rate: Setting = "traffic.rate=9".parse().expect("a setting");
    let changed = pools.remove(1).1.with(&[rate]).expect("it can be set");
    assert_eq!((changed.workers, changed.traffic.rate), (4, Some(9.0)));
    assert_eq!((pools[0].1.workers, pools[0].1.traffic.rate), (7, Some(3.0)));
}
