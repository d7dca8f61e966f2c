//! Control over NATS: what can be asked of workers that run, and what they answer.
//!
//! A request is a message to [`subject_of`] the process's name with a [`Request`] as JSON; the answer is an [`Answer`].
//! Requests are checked before anything is done, and done as a whole or not at all.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use link::{Grants, Link, Options};
use program::nats::Nats;
use program::source::nearest;
use serde::{Deserialize, Serialize};
use sim::nanos::Nanos;
use toml::Table;

use crate::args::Call;
use crate::faults::{Fault, Kind, Select};
use crate::scenario::{Setting, message_in};

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The status.
    Status,
    /// Other traffic from now on.
    Set {
        /// `traffic.rate=20` and the like.
        settings: Vec<String>,
    },
    /// Something goes wrong.
    Fault {
        /// `kind=late` and the like.
        settings: Vec<String>,
    },
    /// Something goes right again.
    Clear {
        /// A kind or a number; all where absent.
        what: Option<String>,
    },
    /// Time passes.
    Advance {
        /// How much.
        by: Nanos,
    },
    /// Workers leave in order.
    Drain {
        /// Which, e.g. `first=1`.
        select: String,
    },
    /// Workers leave at once.
    Kill {
        /// Which, e.g. `first=1`.
        select: String,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The status after the request was carried out.
    Done(Status),
    /// Why it was not done.
    Refused(String),
}

/// The status.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The process's name.
    #[serde(default)]
    pub name: String,
    /// The pool of its workers.
    #[serde(default)]
    pub path: String,
    /// What was done, in words.
    pub text: String,
    /// The workers' time since their start, in nanoseconds.
    pub time_ns: u64,
    /// How far their time is behind where it should be, in seconds.
    pub lag_seconds: f64,
    /// The largest lag so far.
    pub largest_lag_seconds: f64,
    /// Workers that are up.
    pub workers_up: usize,
    /// Workers that are down.
    pub workers_down: usize,
    /// Requests that run, over all workers.
    pub running: u64,
    /// Requests that wait, over all workers.
    pub waiting: u64,
    /// Replies to STATS that were sent.
    pub replies_sent: u64,
    /// Events of a version of Dynamo that were sent.
    pub events_sent: u64,
    /// Replies and events that could not be sent, for the connection did not take them.
    pub messages_lost: u64,
    /// Requests from outside that are being answered.
    pub callers: usize,
    /// Faults by number, with kind and the number of workers concerned.
    pub faults: Vec<(u64, Kind, usize)>,
}

/// Where all processes listen.
pub const ALL: &str = "mock-worker.control";

/// How long a process may take to answer that it has a name, before another one takes it too.
const NAMED: Duration = Duration::from_secs(1);

/// After so long a pause no other process answers.
const QUIET: Duration = Duration::from_millis(300);

/// Where a process of this name listens.
pub fn subject_of(name: &str) -> String {
    format!("mock-worker.control.{name}")
}

impl Request {
    /// # Errors
    /// Says what cannot be, as far as that can be said without the workers.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Status | Self::Advance { .. } => Ok(()),
            Self::Set { settings } => traffic_settings(settings).map(|_| ()),
            Self::Fault { settings } => fault(settings).map(|_| ()),
            Self::Clear { what } => what.as_deref().map_or(Ok(()), |what| cleared(what).map(|_| ())),
            Self::Drain { select } | Self::Kill { select } => self::select(select).map(|_| ()),
        }
    }
}

/// The keys under `traffic`.
const TRAFFIC: [&str; 10] = [
    "process", "rate", "profile", "spread", "router", "input", "output", "prefixes", "turns", "trace",
];

/// The settings, each of which must be about the traffic.
pub(crate) fn traffic_settings(texts: &[String]) -> Result<Vec<Setting>, String> {
    let read = |text: &String| {
        let setting: Setting = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
        match setting.key().split('.').next() {
            Some("traffic") => Ok(setting),
            Some(key) if TRAFFIC.contains(&key) => Err(format!(
                "{text:?}: did you mean traffic.{text}? Keys of the traffic begin so"
            )),
            _ => Err(format!(
                "{text:?}: only keys under traffic can be changed while workers run; restart them with --set {text}"
            )),
        }
    };
    texts.iter().map(read).collect()
}

/// The fault that these keys make.
pub(crate) fn fault(texts: &[String]) -> Result<Fault, String> {
    let mut table = Table::new();
    for text in texts {
        if !text.contains('=') {
            let kinds = Kind::ALL.iter().map(|kind| kind.as_str());
            return Err(
                match kinds
                    .clone()
                    .find(|kind| kind == text)
                    .or_else(|| nearest(text, kinds))
                {
                    Some(kind) => format!("{text:?}: did you mean kind={kind}?"),
                    None => format!("{text:?}: it has no `=`; write e.g. kind=late delay=3s"),
                },
            );
        }
        let setting: Setting = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
        setting
            .apply(&mut table)
            .map_err(|error| format!("{text:?}: {error}"))?;
    }
    let fault = Fault::deserialize(table.clone()).map_err(|error| message_in(&table, &error))?;
    fault.check()?;
    Ok(fault)
}

/// `all`, `first=1`, and so on.
pub(crate) fn select(text: &str) -> Result<Select, String> {
    if text.parse::<f64>().is_ok() {
        return Err(format!(
            "{text:?} does not say which workers: write first={text} for the first {text} of the fleet, places=[{text}] for the one \
             at this place, counted from 0, or ids=[{text}] for the one with this id"
        ));
    }
    let settings = match text.contains('=') {
        true => format!("select.{text}"),
        false => format!("select={text}"),
    };
    fault(&["kind=crash".to_owned(), settings]).map(|fault| fault.select)
}

/// What is to be cleared.
pub(crate) fn cleared(what: &str) -> Result<Cleared, String> {
    if let Ok(number) = what.parse() {
        return Ok(Cleared::Number(number));
    }
    let kind = Kind::ALL.iter().find(|kind| kind.as_str() == what);
    kind.map(|kind| Cleared::Kind(*kind)).ok_or_else(|| {
        format!("{what:?} is neither a kind of fault nor a number; `mock-worker list --faults` names all")
    })
}

/// Which faults are cleared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cleared {
    Kind(Kind),
    Number(u64),
}

/// Calls workers that run, and returns what they answer as it is printed.
///
/// # Errors
/// Where no process answers, or what was asked is refused.
pub async fn call(nats: &Nats, call: &Call) -> anyhow::Result<String> {
    let Some(name) = &call.name else {
        return list(nats, call).await;
    };
    let options = Options {
        grants: Grants::new([subject_of(name)], [format!("{}.>", nats.servers.inbox_prefix())]),
        ..Options::named("mock-worker ctl")
    };
    let link = Link::new(nats.servers.clone(), options);
    let client = link.connect_now().await?;
    let payload = serde_json::to_vec(&call.request)?;
    let asking = client.request(subject_of(name), payload.into());
    let Ok(answered) = tokio::time::timeout(call.timeout, asking).await else {
        bail!(
            "no answer within {:?}; the workers may be too busy: try a longer --timeout",
            call.timeout
        );
    };
    let message = answered.with_context(|| {
        format!(
            "failed to find workers named {name:?}; `mock-worker ctl list` names those that run, and `mock-worker run` \
             takes --name"
        )
    })?;
    let answer: Answer = serde_json::from_slice(&message.payload).context("failed to read the answer")?;
    let text = match answer {
        Answer::Refused(reason) => bail!("refused, and nothing is changed: {reason}"),
        Answer::Done(status) if call.json => serde_json::to_string(&status)? + "\n",
        Answer::Done(status) => status.describe(),
    };
    link.close(Duration::from_millis(500)).await;
    Ok(text)
}

/// Finds all processes, and returns them as they are printed.
async fn list(nats: &Nats, call: &Call) -> anyhow::Result<String> {
    let options = Options {
        grants: Grants::new([ALL], [format!("{}.>", nats.servers.inbox_prefix())]),
        ..Options::named("mock-worker ctl")
    };
    let link = Link::new(nats.servers.clone(), options);
    let client = link.connect_now().await?;
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    let payload = serde_json::to_vec(&call.request)?;
    client.publish_with_reply(ALL, inbox, payload.into()).await?;
    let mut found = Vec::new();
    let mut patience = call.timeout;
    // Without one that listens the server says so, in a message with a status.
    while let Ok(Some(message)) = tokio::time::timeout(patience, answers.next()).await {
        if message.status.is_some() {
            break;
        }
        match serde_json::from_slice(&message.payload).context("failed to read an answer")? {
            Answer::Done(status) => found.push(status),
            Answer::Refused(reason) => bail!("a process refused to report its status: {reason}"),
        }
        patience = QUIET.min(call.timeout);
    }
    link.close(Duration::from_millis(500)).await;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    match (call.json, found.is_empty()) {
        (true, _) => Ok(serde_json::to_string(&found)? + "\n"),
        (false, true) => bail!("no process of `mock-worker run` answers on this server"),
        (false, false) => Ok(table(&found)),
    }
}

fn table(processes: &[Status]) -> String {
    let mut text = format!(
        "{:<16}  {:>8}  {:>8}  {:<14}  {}\n",
        "name", "up", "down", "time", "path"
    );
    for status in processes {
        let time = Nanos(status.time_ns / 1_000_000_000 * 1_000_000_000).to_string();
        let Status {
            name,
            path,
            workers_up,
            workers_down,
            ..
        } = status;
        let _ = writeln!(
            text,
            "{name:<16}  {workers_up:>8}  {workers_down:>8}  {time:<14}  {path}"
        );
    }
    text
}

/// Makes sure that no other process has this name.
///
/// # Errors
/// Says which workers the other process has.
pub(crate) async fn claim(client: &async_nats::Client, name: &str) -> Result<(), String> {
    let payload = serde_json::to_vec(&Request::Status).expect("a request is JSON");
    let asking = client.request(subject_of(name), payload.into());
    let Ok(Ok(message)) = tokio::time::timeout(NAMED, asking).await else {
        return Ok(());
    };
    let whose = match serde_json::from_slice(&message.payload) {
        Ok(Answer::Done(status)) => {
            let workers = counted(status.workers_up + status.workers_down, "worker");
            format!(" with {workers} of {}", status.path)
        }
        _ => String::new(),
    };
    Err(format!(
        "another process is named {name:?} on this server{whose}; give this one another --name, or let `ctl` reach only one \
         of them with --share-name"
    ))
}

/// A number of things: `1 worker`, `2 workers`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}

impl Status {
    fn describe(&self) -> String {
        let mut text = format!("{}\n", self.text);
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<9} {value}");
        };
        line("time", Nanos(self.time_ns / 1_000_000 * 1_000_000).to_string());
        line(
            "lag",
            format!(
                "{:.3} s, at most {:.3} s",
                self.lag_seconds, self.largest_lag_seconds
            ),
        );
        line(
            "workers",
            format!("{} up, {} down", self.workers_up, self.workers_down),
        );
        line(
            "requests",
            format!(
                "{} running, {} waiting, {} from outside",
                self.running, self.waiting, self.callers
            ),
        );
        line(
            "messages",
            format!(
                "{} replies and {} events of a version of Dynamo sent, {} messages lost",
                self.replies_sent, self.events_sent, self.messages_lost
            ),
        );
        for (number, kind, workers) in &self.faults {
            line(
                "fault",
                format!("{number}: {} with {}", kind.as_str(), counted(*workers, "worker")),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_suggested() {
        fn check<T: std::fmt::Debug>(result: Result<T, String>, expected: &str) {
            let error = result.expect_err("it is refused");
            assert!(error.contains(expected), "{error}");
        }
        let texts = |text: &str| vec![text.to_owned()];
        check(fault(&texts("late")), "did you mean kind=late?");
        check(fault(&texts("silnt")), "did you mean kind=silent?");
        check(fault(&texts("nosuch")), "write e.g. kind=late");
        check(fault(&texts("kind=lat")), "did you mean `late`?");
        check(
            traffic_settings(&texts("rate=20")),
            "did you mean traffic.rate=20?",
        );
        check(traffic_settings(&texts("workers=20")), "--set workers=20");
        check(select("1"), "first=1");
        check(select("first"), "{ first = 2 }");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            ["worker", "key"].map(|thing| counted(1, thing)),
            ["1 worker", "1 key"]
        );
        assert_eq!(counted(0, "worker"), "0 workers");
    }
}
