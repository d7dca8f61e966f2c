//! What the connection shows: the server, the round trip, and each permission.

use std::time::Duration;

use async_nats::ServerInfo;
use link::{Denials, Grants};
use protocol::text::Shown;
use protocol::{ServicePrefix, subject};

use super::super::level::Level;
use super::attempt::{Attempts, Outcome};
use super::finding::{Check, Finding};

/// The oldest server that is tested.
const OLDEST: (i64, i64, i64) = (2, 9, 10);

/// A round trip that is long for a collector that asks every other second.
const LONG: Duration = Duration::from_millis(250);

/// Which server it is.
pub(super) fn server(info: &ServerInfo, is_compatible: bool) -> Finding {
    let cluster = info
        .cluster
        .as_ref()
        .map_or_else(String::new, |cluster| format!(", cluster {cluster}"));
    let text = format!("{} is nats-server {}{cluster}", info.server_name, info.version);
    match is_compatible {
        true => Finding::new(Level::Ok, Check::Server, text),
        false => {
            let (major, minor, patch) = OLDEST;
            Finding::new(Level::Warning, Check::Server, text).with_remedy(format!(
                "update it to {major}.{minor}.{patch} or later: older ones are not tested"
            ))
        }
    }
}

/// Whether the server is not older than what is tested.
pub(super) fn is_compatible(client: &async_nats::Client) -> bool {
    let (major, minor, patch) = OLDEST;
    client.is_server_compatible(major, minor, patch)
}

/// How long an answer of the server takes.
pub(super) fn round_trip(attempts: &Attempts) -> Option<Finding> {
    let time = attempts.round_trip?;
    let text = format!("{:.1} ms", time.as_secs_f64() * 1e3);
    Some(match time > LONG {
        false => Finding::new(Level::Ok, Check::RoundTrip, text),
        true => Finding::new(Level::Warning, Check::RoundTrip, text).with_remedy(
            "run the collector nearer to this server, or raise --poll-interval and --round-timeout",
        ),
    })
}

/// Each permission; the lines that grant all of them follow the last that is missing.
pub(super) fn permissions(
    attempts: &Attempts,
    denials: &Denials,
    (prefix, inbox): (&ServicePrefix, &str),
    grants: &Grants,
) -> Vec<Finding> {
    let answers = [
        (
            attempts.stats,
            prefix.stats(),
            "no worker that answers requests is found",
        ),
        (
            attempts.stats_of_one,
            prefix.stats_of_any(),
            "workers that answer late or share a queue group are not asked again",
        ),
        (
            attempts.info,
            prefix.info_of_any(),
            "services are not asked what they are, so workers are missed or mistaken for others",
        ),
    ];
    let mut findings: Vec<Finding> = Vec::new();
    for (outcome, subject, without) in answers {
        findings.push(match outcome {
            Outcome::Allowed => ok(format!("may publish to {subject}")),
            Outcome::Denied => error(format!("may not publish to {subject}: {without}")),
            Outcome::Silent => Finding::new(
                Level::Warning,
                Check::Permission,
                format!("the server does not answer a request to {subject}"),
            )
            .with_remedy("it may be overloaded or hang: look at its log, and try again"),
        });
    }
    findings.push(match attempts.inbox {
        Outcome::Allowed => ok(format!("may subscribe to {inbox}.>: replies come")),
        Outcome::Denied => error(format!("may not subscribe to {inbox}.>: no reply comes")),
        Outcome::Silent if attempts.stats == Outcome::Denied => Finding::new(
            Level::Note,
            Check::Permission,
            format!("subscribing to {inbox}.> is not denied; whether replies come shows when services may be asked"),
        ),
        Outcome::Silent => Finding::new(
            Level::Warning,
            Check::Permission,
            format!("subscribing to {inbox}.> is not denied, and no reply came"),
        )
        .with_remedy("services listen and do not answer: they may hang, or may not be allowed to reply"),
    });
    let is_event = |denied: &&String| *denied != subject::REQUEST_TRACE;
    let mut events = denials.subscribe.iter().filter(is_event);
    findings.push(match events.next() {
        None => ok("may subscribe to the subjects of events".to_owned()),
        Some(first) => error(format!(
            "may not subscribe to {}{}: workers that are known by their events alone are missing",
            Shown(first),
            match events.count() {
                0 => String::new(),
                n => format!(" and {n} more"),
            }
        )),
    });
    if denials.subscribe.contains(subject::REQUEST_TRACE) {
        let text = format!(
            "may not subscribe to {}: times of requests, which frontends of Dynamo 1.5 or later can publish, are missing",
            subject::REQUEST_TRACE
        );
        findings.push(Finding::new(Level::Note, Check::Permission, text));
    }
    if let Some(last) = findings.iter_mut().rfind(|finding| finding.level == Level::Error) {
        last.remedy = Some(format!(
            "give this user these permissions in the server's configuration, and reload it:\n  {}",
            grants.lines().join("\n  ")
        ));
    }
    findings
}

fn ok(text: String) -> Finding {
    Finding::new(Level::Ok, Check::Permission, text)
}

fn error(text: String) -> Finding {
    Finding::new(Level::Error, Check::Permission, text)
}
