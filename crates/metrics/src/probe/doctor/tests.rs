//! What the doctor prints about connections of every kind.

use std::time::Duration;

use link::{Denials, Grants};
use protocol::{ServicePrefix, subject};

use super::super::level::Level;
use super::attempt::{Attempts, Outcome};
use super::finding::{Check, Finding, Report};
use super::{fleet_checks, health, link_checks};
use crate::probe::Health;

fn attempts() -> Attempts {
    Attempts {
        stats: Outcome::Allowed,
        stats_of_one: Outcome::Allowed,
        info: Outcome::Allowed,
        inbox: Outcome::Allowed,
        round_trip: Some(Duration::from_micros(420)),
    }
}

fn grants() -> Grants {
    Grants::new(ServicePrefix::default().asking(), ["_INBOX.>", subject::EVENTS])
}

fn report(attempts: &Attempts, denials: &Denials) -> Report {
    let mut findings: Vec<Finding> = link_checks::round_trip(attempts).into_iter().collect();
    findings.extend(link_checks::permissions(
        attempts,
        denials,
        (&ServicePrefix::default(), "_INBOX"),
        &grants(),
    ));
    Report::new(findings, false)
}

#[test]
fn with_all_permissions_there_is_nothing_to_mend() {
    let report = report(&attempts(), &Denials::default());
    assert!(report.is_clean());
    insta::assert_snapshot!(report);
}

#[test]
fn the_lines_that_grant_what_is_missing_follow_it() {
    let mut denials = Denials::default();
    denials.publish.insert(ServicePrefix::default().stats());
    denials.subscribe.insert("events.of.others".to_owned());
    denials.subscribe.insert(subject::REQUEST_TRACE.to_owned());
    let denied = Attempts {
        stats: Outcome::Denied,
        ..attempts()
    };
    let report = report(&denied, &denials);
    assert_eq!(health(&report), Health::Denied);
    insta::assert_snapshot!(report);
}

#[test]
fn permissions_are_those_of_the_prefix_under_which_services_are_asked() {
    let prefix: ServicePrefix = "acct.$SRV".parse().expect("a prefix");
    let grants = Grants::new(prefix.asking(), ["_INBOX.>", subject::EVENTS]);
    let denied = Attempts {
        info: Outcome::Denied,
        ..attempts()
    };
    let findings = link_checks::permissions(&denied, &Denials::default(), (&prefix, "_INBOX"), &grants);
    let text = Report::new(findings, false).to_string();
    for part in [
        "may publish to acct.$SRV.STATS\n",
        "may publish to acct.$SRV.STATS.>",
        "may not publish to acct.$SRV.INFO.>",
        r#"publish: ["acct.$SRV.STATS", "acct.$SRV.STATS.>", "acct.$SRV.INFO.>"]"#,
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn a_denied_inbox_is_not_blamed_on_the_subjects_that_are_asked() {
    let denied = Attempts {
        inbox: Outcome::Denied,
        ..attempts()
    };
    let report = report(&denied, &Denials::default());
    assert_eq!(health(&report), Health::Denied);
    insta::assert_snapshot!(report);
}

#[test]
fn limits_are_too_small_for_a_large_fleet() {
    let report = Report::new(fleet_checks::limits(100_000, 64 << 10), false);
    assert_eq!(health(&report), Health::Unwell);
    insta::assert_snapshot!(report);
    let report = Report::new(fleet_checks::limits(10, 1 << 20), false);
    assert!(report.is_clean(), "{report}");
}

#[test]
fn levels_have_colours_where_they_are_wanted_and_nowhere_else() {
    let findings = || vec![Finding::new(Level::Error, Check::Limits, "x\u{1b}[2J")];
    let coloured = Report::new(findings(), true).to_string();
    assert!(
        coloured.starts_with("\u{1b}[1m\u{1b}[31merror  \u{1b}[0m"),
        "{coloured:?}"
    );
    assert!(!coloured.contains("\u{1b}[2J"), "{coloured:?}");
    assert!(!Report::new(findings(), false).to_string().contains('\u{1b}'));
}
