//! Control over NATS: what can be asked of workers that run, and what they answer.
//!
//! A request is a message to [`subject_of`] the process's name with a [`Request`] as JSON; the answer is an [`Answer`]. One
//! process does what a request asks; two have one name only where they cannot hear each other.
//! Requests are checked before anything is done, and done as a whole or not at all.

mod call;
mod claim;

use program::source::nearest;
use serde::{Deserialize, Serialize};
use sim::nanos::Nanos;
use toml::Table;

use crate::faults::{Fault, Kind, Select};
use crate::scenario::{Setting, message_in};

pub use call::call;
pub(crate) use claim::claim;

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The status.
    Status,
    /// The name, which a process asks for that starts. Whoever has it does not answer.
    Claim {
        /// Of several that ask at the same time, the first in the order of ids gets it.
        id: String,
    },
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

/// The queue group in which processes listen at their names.
pub const GROUP: &str = "mock-worker";

/// Where a process of this name listens.
pub fn subject_of(name: &str) -> String {
    format!("mock-worker.control.{name}")
}

impl Request {
    /// # Errors
    /// Says what cannot be, as far as that can be said without the workers.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Status | Self::Claim { .. } | Self::Advance { .. } => Ok(()),
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

/// A number of things: `1 worker`, `2 workers`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
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
