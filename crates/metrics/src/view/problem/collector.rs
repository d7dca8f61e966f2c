//! Problems of the connection and of the rounds.

use super::{Problem, Severity, Subject};
use crate::view::Moment;

pub(super) fn find(moment: &Moment<'_>, problems: &mut Vec<Problem>) {
    let snapshot = &moment.published.snapshot;
    let link = &snapshot.link;
    let mut add = |severity, text: String, remedy: &str, command: Option<&str>| {
        problems.push(Problem {
            severity,
            subject: Subject::Collector,
            text,
            remedy: remedy.to_owned(),
            command: command.map(str::to_owned),
        });
    };
    let doctor = Some("metrics doctor");
    if !link.connected {
        let remedy =
            "no figure is current until it is back; check that NATS runs, --server and the credentials";
        let text = match snapshot.link.reconnects {
            0 if snapshot.round_age.is_none() => "there is no connection to NATS",
            _ => "the connection to NATS is lost",
        };
        add(Severity::Critical, text.to_owned(), remedy, doctor);
    }
    match moment.published.round_age() {
        None if link.connected => add(
            Severity::Note,
            "no round has ended yet".to_owned(),
            "wait for the first round",
            None,
        ),
        Some(age) if link.connected && age > moment.round_limit => add(
            Severity::Critical,
            format!("the last round ended {:.0} s ago", age.as_secs_f64()),
            "the collector may have too little processor time, or NATS does not answer",
            doctor,
        ),
        _ => {}
    }
    if link.connected && snapshot.round_age.is_some() && !snapshot.up {
        add(
            Severity::Critical,
            "the last round got no valid reply".to_owned(),
            "the services may be down, or may not be asked by this user",
            doctor,
        );
    }
    let denied = moment.history.denials();
    if denied > 0 {
        add(
            Severity::Warning,
            format!("NATS denied a permission {} in the last 5 minutes", times(denied)),
            "the log names the subject; grant it to the collector's user",
            doctor,
        );
    }
    if snapshot.endpoints_ignored > 0 {
        add(
            Severity::Warning,
            format!(
                "{} endpoints of services are left out, because there are too many pools",
                snapshot.endpoints_ignored
            ),
            "select fewer with --service and --exclude-service",
            None,
        );
    }
    if let Some(registry) = snapshot.registry.filter(|registry| !registry.connected) {
        add(
            Severity::Warning,
            "etcd cannot be read".to_owned(),
            match registry.workers {
                0 => "capacities of workers are unknown until it can; check --etcd",
                _ => "capacities are those that were read last; check --etcd",
            },
            None,
        );
    }
    let faults: u64 = snapshot.mappings.iter().flat_map(|mapping| mapping.faults).sum();
    if faults > 0 {
        let mut named: Vec<&str> = (snapshot.mappings.iter())
            .filter(|mapping| mapping.faults.iter().any(|faults| *faults > 0))
            .map(|mapping| &*mapping.metric)
            .collect();
        named.truncate(super::NAMED);
        add(
            Severity::Note,
            format!("values that mappings found are not shown: {}", named.join(", ")),
            "the log and `metrics explain` say why",
            None,
        );
    }
}

pub(super) fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}
