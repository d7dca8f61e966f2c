//! What the collector says about each target: once when it changes, then at most once a minute.

use std::collections::HashMap;
use std::time::Duration;

use protocol::{EndpointPath, subject};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::connect::refusal;
use crate::fleet::{EventResult, NearMissCount, PoolView, WorkerState};
use crate::gather::Finish;
use crate::intake::ReplyResult;
use crate::matching::{NearMiss, Part, Reason};

/// How often an unchanged complaint is repeated.
const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// Workers whose events come and which do not answer are there, but not on NATS.
const EVENTS_HINT: &str = ". Events of workers unknown here do come: a Dynamo worker of 0.8 or later serves NATS only if it is started with DYN_REQUEST_PLANE=nats";

/// Rounds without a worker after which that is told: the first may have been too early, or just after a reconnect.
const SURE_AFTER: u32 = 2;

/// Near misses that one message names.
const NAMED_MISSES: usize = 3;

/// Remembers what was said.
#[derive(Debug, Default)]
pub struct Status {
    said: Vec<Said>,
    refused_at: Option<Instant>,
}

/// What was said of one target.
#[derive(Debug, Default)]
struct Said {
    /// Rounds without a worker, in a row.
    absent_rounds: u32,
    /// Whether the last that was told is that workers answer.
    told_present: bool,
    /// What was complained of within the last minute, whether workers had been there before, and when.
    complaints: HashMap<(bool, String), Instant>,
}

/// How the last round went, as far as it explains an absence.
#[derive(Debug, Clone, Copy)]
pub struct RoundNews<'a> {
    /// Why it ended.
    pub finish: Finish,
    /// How many replies it brought.
    pub replies: usize,
    /// What the server said when it refused the request.
    pub refusal: Option<&'a str>,
}

/// Where a target stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// Workers answer.
    Present(usize),
    /// None does, and this is why. The key changes when the reason does, not when a count does.
    Absent { key: String, text: String },
    /// Nothing can be said: the connection is lost, and that is said elsewhere.
    Unknown,
}

impl Status {
    /// Looks at all targets after a round and says what is new.
    pub fn report(&mut self, pools: &[PoolView], news: RoundNews<'_>, now: Instant) {
        if let Some(violation) = news.refusal {
            if self.refused_at.is_none_or(|at| now - at >= REPEAT_AFTER) {
                error!(%violation, "{}", refusal(violation));
                self.refused_at = Some(now);
            }
        } else if news.finish != Finish::Error {
            self.refused_at = None;
        }
        self.said.resize_with(pools.len(), Said::default);
        for (pool, said) in pools.iter().zip(&mut self.said) {
            let path = &pool.target.path;
            match said.news(standing(pool, news), now) {
                Some(Standing::Present(1)) => info!(workers = 1, "{path}: 1 worker answers now"),
                Some(Standing::Present(workers)) => info!(workers, "{path}: {workers} workers answer now"),
                Some(Standing::Absent { text, .. }) => warn!("{text}"),
                Some(Standing::Unknown) | None => {}
            }
        }
    }
}

impl Said {
    /// The standing, if it is to be told: an absence once it is sure, and again after a minute.
    fn news(&mut self, standing: Standing, now: Instant) -> Option<Standing> {
        let is_news = match &standing {
            Standing::Present(_) => {
                self.absent_rounds = 0;
                !std::mem::replace(&mut self.told_present, true)
            }
            Standing::Absent { key, .. } => {
                self.absent_rounds += 1;
                self.complaints.retain(|_, at| now - *at < REPEAT_AFTER);
                // That workers went away is news even if the same was said before they came.
                let key = (self.told_present, key.clone());
                let is_news = self.absent_rounds >= SURE_AFTER && !self.complaints.contains_key(&key);
                if is_news {
                    self.complaints.insert(key, now);
                    self.told_present = false;
                }
                is_news
            }
            Standing::Unknown => false,
        };
        is_news.then_some(standing)
    }
}

fn standing(pool: &PoolView, news: RoundNews<'_>) -> Standing {
    let path = &pool.target.path;
    let fresh = pool.count(WorkerState::Fresh);
    let has_events = pool.workers.is_empty()
        && pool.near_misses.is_empty()
        && pool.events.contains_key(&EventResult::UnknownWorker);
    let hint = if has_events { EVENTS_HINT } else { "" };
    let absent = |key: &str, why: String| Standing::Absent {
        key: format!("{key}{hint}"),
        text: format!("no worker of {path} answered; {why}{hint}"),
    };
    if fresh > 0 {
        return Standing::Present(fresh);
    }
    match news.finish {
        Finish::Error => Standing::Unknown,
        Finish::NoResponders => absent(
            "nobody",
            format!(
                "nobody answered at all: no service on this NATS server (in this account) listens on {}. Start a worker, or check --server",
                subject::STATS
            ),
        ),
        _ if news.replies == 0 && pool.replies.contains_key(&ReplyResult::Late) => absent(
            "late",
            "its replies come later than a round lasts: raise --poll-interval, and --round-timeout if you set it".to_owned(),
        ),
        _ if news.replies == 0 => absent(
            "silence",
            format!(
                "there was silence: someone listens on {}, but no reply came in time. The services may hang, or may not be allowed to reply",
                subject::STATS
            ),
        ),
        _ if !pool.near_misses.is_empty() => {
            let (key, text) = describe_misses(path, &pool.near_misses);
            absent(&key, text)
        }
        _ if !pool.workers.is_empty() => absent(
            "lost",
            format!("{} did before, and no longer do", pool.workers.len()),
        ),
        _ => absent("strangers", strangers(pool)),
    }
}

fn strangers(pool: &PoolView) -> String {
    let foreign = match pool.foreign {
        0 => String::new(),
        1 => "1 other service did, not alike. `metrics list` shows it".to_owned(),
        n => format!("{n} other services did, none of them alike. `metrics list` shows what there is"),
    };
    let unreadable = match pool.unreadable {
        0 => String::new(),
        1 => "1 reply came that cannot be read".to_owned(),
        n => format!("{n} replies came that cannot be read"),
    };
    [unreadable, foreign]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

fn describe_misses(wanted: &EndpointPath, misses: &[NearMissCount]) -> (String, String) {
    let named = &misses[..misses.len().min(NAMED_MISSES)];
    let texts: Vec<String> = named.iter().map(|miss| describe_miss(wanted, miss)).collect();
    let mut text = texts.join("; ");
    if misses.len() > named.len() {
        text.push_str(&format!(
            "; and {} more kinds, which `metrics explain {}` shows",
            misses.len() - named.len(),
            quoted(&wanted.to_string())
        ));
    }
    let key = named.iter().map(|miss| key(&miss.miss)).collect();
    (key, text)
}

/// The same for all that is the same to a reader; what a worker sends anew each time does not count.
fn key(miss: &NearMiss) -> String {
    let reason = match &miss.reason {
        Reason::DataUndecodable { .. } => "data".to_owned(),
        Reason::BadId { .. } => "id".to_owned(),
        reason => format!("{reason:?}"),
    };
    format!("{reason} {:?} {:?};", miss.part, miss.found)
}

fn describe_miss(wanted: &EndpointPath, NearMissCount { miss, count }: &NearMissCount) -> String {
    let subject = match (&miss.found, count) {
        (Some(found), 1) => format!("1 worker of {found} did"),
        (Some(found), n) => format!("{n} workers of {found} did"),
        (None, 1) => "1 that is nearly one did".to_owned(),
        (None, n) => format!("{n} that are nearly such did"),
    };
    match remedy(wanted, miss) {
        Some(remedy) => format!("{subject} ({miss}): {remedy}"),
        None => format!("{subject} ({miss})"),
    }
}

/// A name as a shell takes it: advice is copied into a terminal, and names come from outside.
fn quoted(name: &str) -> std::borrow::Cow<'_, str> {
    shlex::try_quote(name).unwrap_or_else(|_| "''".into())
}

/// What to type, or to mend, so that the near miss becomes a match.
pub fn remedy(wanted: &EndpointPath, miss: &NearMiss) -> Option<String> {
    match (&miss.reason, &miss.found) {
        (Reason::DataUndecodable { .. }, _) => {
            Some("mend what the worker puts into its statistics".to_owned())
        }
        (Reason::NoId | Reason::BadId { .. }, _) => Some(
            "the id must be lower-case hexadecimal, or decimal where a template says so, without padding"
                .to_owned(),
        ),
        (Reason::NoEndpoint, _) => Some("it may be starting, or offers its endpoint elsewhere".to_owned()),
        (Reason::HashDiffers, _) => Some(
            "the hash is that of other names, or of another runtime; `metrics list` shows whose".to_owned(),
        ),
        (Reason::UnknownLayout, _) => Some("describe its subject with --subject-pattern".to_owned()),
        (_, None) => Some("`metrics list` shows the exact names".to_owned()),
        (_, Some(found)) => {
            let changed = |part| match part {
                Part::Namespace => (found.namespace != wanted.namespace)
                    .then(|| format!("--namespace {}", quoted(found.namespace.as_str()))),
                Part::Component => (found.component != wanted.component)
                    .then(|| format!("--component {}", quoted(found.component.as_str()))),
                Part::Endpoint => (found.endpoint != wanted.endpoint)
                    .then(|| format!("--endpoint {}", quoted(found.endpoint.as_str()))),
            };
            let flags: Vec<String> = [Part::Namespace, Part::Component, Part::Endpoint]
                .into_iter()
                .filter_map(changed)
                .collect();
            (!flags.is_empty()).then(|| format!("use {}", flags.join(" ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Fleet, FleetSettings, LinkView, RoundSummary};
    use crate::matching::Target;
    use protocol::{Description, StatsReply};
    use std::sync::Arc;
    use std::time::SystemTime;

    fn after_round(replies: &[(&str, &str)], finish: Finish) -> String {
        let path = "dynamo/my_component/my_endpoint".parse().expect("a path");
        let mut fleet = Fleet::new(vec![Target::new(path, &[])], FleetSettings::DEFAULT);
        let decoded: Vec<_> = replies
            .iter()
            .enumerate()
            .map(|(id, (subject, description))| {
                let text = format!(
                    r#"{{"name": "{description}", "id": "{id}", "endpoints": [{{"subject": "{subject}"}}]}}"#
                );
                Some(Arc::new(StatsReply::decode(text.as_bytes()).expect("readable")))
            })
            .collect();
        let summary = RoundSummary {
            finish,
            duration: Duration::ZERO,
            now: SystemTime::now(),
        };
        let describe = |reply: &StatsReply| reply.service.parse::<Description>().ok();
        fleet.apply_round(&decoded, describe, summary);
        let snapshot = fleet.snapshot(LinkView::default());
        match standing(
            &snapshot.pools[0],
            RoundNews {
                finish,
                replies: replies.len(),
                refusal: None,
            },
        ) {
            Standing::Present(n) => format!("{n} present"),
            Standing::Absent { text, .. } => text,
            Standing::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn an_absence_says_what_was_seen_instead_and_what_to_type() {
        let camel = "Dynamo component MyComponent in namespace dynamo";
        assert_eq!(
            after_round(
                &[
                    ("dynamo_mycomponent_593024f1.my_endpoint-1", camel),
                    ("dynamo_mycomponent_593024f1.my_endpoint-2", camel)
                ],
                Finish::Stall
            ),
            "no worker of dynamo/my_component/my_endpoint answered; 2 workers of dynamo/MyComponent/my_endpoint did \
             (component differs in letter case and punctuation): use --component MyComponent"
        );
        assert!(
            after_round(
                &[(
                    "dynamo_my_component_1854ce00.my_endpoint_v2-1",
                    "Dynamo component my_component in namespace dynamo"
                )],
                Finish::Stall
            )
            .ends_with("(longer endpoint name): use --endpoint my_endpoint_v2")
        );
    }

    #[test]
    fn advice_can_be_pasted_into_a_shell_whatever_the_names_are() {
        fn check(component: &str, expected: &str) {
            let wanted: EndpointPath = "dynamo/my_component/my_endpoint".parse().expect("a path");
            let miss = NearMiss {
                reason: Reason::OtherComponent,
                part: Some(Part::Component),
                found: Some(format!("dynamo/{component}/my_endpoint").parse().expect("a path")),
            };
            let advice = remedy(&wanted, &miss).expect("a remedy");
            assert_eq!(advice, expected);
            let words = shlex::split(&advice).expect("words");
            assert_eq!(words, ["use", "--component", component]);
        }
        check("planner", "use --component planner");
        check("x;reboot", "use --component 'x;reboot'");
        check("$(reboot)", "use --component '$(reboot)'");
        check("it's", "use --component \"it's\"");
        check("`id`", "use --component '`id`'");
    }

    #[test]
    fn silence_nobody_and_strangers_are_three_messages() {
        assert!(after_round(&[], Finish::NoResponders).contains("nobody answered at all"));
        assert!(after_round(&[], Finish::Deadline).contains("there was silence"));
        assert!(
            after_round(&[("orders.create", "")], Finish::Stall).contains("1 other service did, not alike")
        );
        assert_eq!(
            after_round(&[("dynamo_my_component.my_endpoint-1", "")], Finish::Stall),
            "1 present"
        );
        assert_eq!(after_round(&[], Finish::Error), "unknown");
    }

    #[test]
    fn a_complaint_is_made_once_and_again_after_a_minute_and_presence_once() {
        let absent = |key: &str| Standing::Absent {
            key: key.to_owned(),
            text: String::new(),
        };
        let start = Instant::now();
        let mut said = Said::default();
        let mut check = |second, standing: Standing, expected| {
            let news = said.news(standing.clone(), start + Duration::from_secs(second));
            assert_eq!(news.is_some(), expected, "{standing:?} at {second} s");
        };
        check(0, absent("a"), false);
        check(2, absent("a"), true);
        check(4, absent("b"), true);
        check(6, absent("a"), false);
        check(8, absent("b"), false);
        check(62, absent("a"), true);
        check(63, Standing::Unknown, false);
        check(64, Standing::Present(1), true);
        check(66, Standing::Present(2), false);
        check(68, absent("a"), false);
        check(70, absent("a"), true);
        check(72, Standing::Present(1), true);
        // Workers that come and go make no more lines than ones that stay away.
        check(74, absent("a"), false);
        check(76, absent("a"), false);
        check(78, Standing::Present(1), false);
        check(130, absent("a"), false);
        check(132, absent("a"), true);
        check(134, Standing::Present(1), true);
    }
}
