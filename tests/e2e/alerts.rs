//! The alerts of deploy/prometheus/rules.yml: judged by promtool, documented, and fired by a real Prometheus while
//! scenarios run.

mod outages;
mod rehearsal;
mod shortened;

use std::collections::BTreeSet;
use std::path::Path;

use mock_worker::expect::Alert;
use mock_worker::scenario::{SHIPPED, Scenario};
use tests::{Finished, finish, repository, tools};
use tokio::process::Command;

use self::rehearsal::rehearse;
pub(crate) use self::rehearsal::scraping;
use self::shortened::shortened;

/// The names of alerts that only services which are not workers can cause.
const OF_SERVICES: [&str; 3] = ["NatsServiceDown", "NatsServiceErrors", "NatsServiceSlow"];

/// Larger fleets take too much of a machine for a test.
const MOST_WORKERS: u32 = 64;

/// The rules as they are shipped.
pub(crate) fn rules() -> String {
    std::fs::read_to_string(repository().join("deploy/prometheus/rules.yml")).expect("there are rules")
}

/// The values of a key in the rules, in their order.
fn values_of<'a>(rules: &'a str, key: &str) -> Vec<&'a str> {
    rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix(key))
        .collect()
}

/// The shipped scenarios that last at least, and less than, so many seconds.
fn scenarios(from: f64, until: f64) -> Vec<&'static str> {
    let chosen = |name: &&str| {
        let scenario = Scenario::load(name, &[]).expect("it is shipped");
        (from..until).contains(&scenario.duration.seconds()) && scenario.workers <= MOST_WORKERS
    };
    SHIPPED.iter().map(|(name, _)| *name).filter(chosen).collect()
}

#[tokio::test]
async fn scenarios_fire_exactly_the_alerts_that_they_expect() {
    let test = "scenarios_fire_exactly_the_alerts_that_they_expect";
    if let Some(prometheus) = tools::program("E2E_PROMETHEUS", test) {
        rehearse(&prometheus, &scenarios(0.0, 901.0), 10).await;
    }
}

#[tokio::test]
async fn scenarios_of_an_hour_fire_exactly_the_alerts_that_they_expect() {
    let test = "scenarios_of_an_hour_fire_exactly_the_alerts_that_they_expect";
    if let Some(prometheus) = tools::program("E2E_PROMETHEUS", test) {
        rehearse(&prometheus, &scenarios(901.0, 7200.0), 60).await;
    }
}

#[tokio::test]
async fn promtool_finds_every_alert_where_it_has_to_fire_and_nowhere_else() {
    let test = "promtool_finds_every_alert_where_it_has_to_fire_and_nowhere_else";
    let Some(promtool) = tools::program("E2E_PROMTOOL", test) else {
        return;
    };
    let folder = repository().join("deploy/prometheus");
    for arguments in [
        ["check", "rules", "rules.yml"],
        ["test", "rules", "rules.test.yml"],
    ] {
        let done = run(&promtool, &arguments, &folder).await;
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    let short = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(short.path().join("rules.yml"), shortened(&rules(), 10)).expect("writes rules");
    let done = run(&promtool, &["check", "rules", "rules.yml"], short.path()).await;
    assert_eq!(done.code, Some(0), "{done:?}");
}

async fn run(program: &Path, arguments: &[&str], folder: &Path) -> Finished {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    finish(command).await
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_must_not() {
    let cases = std::fs::read_to_string(repository().join("deploy/prometheus/rules.test.yml")).unwrap();
    let names = values_of(&cases, "- name: ");
    for alert in values_of(&rules(), "- alert: ") {
        for verb in [" fires", " does not fire"] {
            assert!(
                names
                    .iter()
                    .any(|name| name.starts_with(&format!("{alert}{verb}"))),
                "{alert}{verb}"
            );
        }
    }
}

#[test]
fn scenarios_can_name_every_alert_about_workers_and_no_other() {
    let rules = rules();
    let of_rules: BTreeSet<&str> = values_of(&rules, "- alert: ").into_iter().collect();
    let known = Alert::ALL.map(|alert| alert.to_string());
    let known: BTreeSet<&str> = known.iter().map(String::as_str).chain(OF_SERVICES).collect();
    assert_eq!(of_rules, known);
}

#[test]
fn every_alert_links_to_the_section_of_its_name() {
    let rules = rules();
    let sections = std::fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let links: Vec<String> = values_of(&rules, "- alert: ")
        .into_iter()
        .map(|alert| {
            let heading = format!("\n### {alert}\n");
            assert_eq!(sections.matches(&heading).count(), 1, "{alert} has no section");
            format!("docs/operations.md#{}", alert.to_lowercase())
        })
        .collect();
    assert_eq!(values_of(&rules, "runbook_url: "), links);
}
