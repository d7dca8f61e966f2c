//! `metrics list`: every pool of workers with its load, under the names to ask for it by, and every other service.

use std::fmt;

use fleet::Inspection;
use link::{Denials, Grants};
use protocol::text::Shown;
use serde::Serialize;

use super::copied::quoted;
use super::denied::Denied;
use super::in_turn::OneByOne;
use super::pools::{self, Pool};
use super::reading;
use super::services::{self, Service, joined};
use crate::table::{NOTHING, Table};

/// Characters of a path that are shown.
const PATH: usize = 400;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pools: Vec<Pool>,
    nameless: Vec<Nameless>,
    services: Vec<Service>,
    denied: Denied,
    in_turn: Option<OneByOne>,
    round: String,
    unreadable_replies: u64,
}

/// Workers whose path is not known, because their events name no endpoint.
#[derive(Debug, Serialize)]
struct Nameless {
    namespace: String,
    component: Option<String>,
    workers: usize,
}

impl Report {
    pub(super) fn new(seen: &Inspection, link: (&Denials, &Grants)) -> Self {
        let nameless = seen.nameless.iter().map(|(place, workers)| Nameless {
            namespace: place.namespace.to_string(),
            component: place.component.as_ref().map(ToString::to_string),
            workers: *workers,
        });
        Self {
            pools: pools::of(seen),
            nameless: nameless.collect(),
            services: services::of(seen),
            denied: Denied::new(link.0, link.1, &seen.service_prefix),
            in_turn: OneByOne::of(seen),
            round: super::summary(seen),
            unreadable_replies: seen.unreadable,
        }
    }

    pub(super) fn has_workers(&self) -> bool {
        !self.pools.is_empty() || !self.nameless.is_empty()
    }

    /// Whether there is anything that could be watched.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_workers() && self.services.is_empty()
    }

    /// How the round went.
    pub(super) fn round(&self) -> &str {
        &self.round
    }
}

impl Pool {
    fn row(&self) -> [String; 10] {
        let load = &self.load;
        let number = |number: Option<u64>| number.map_or_else(nothing, |number| number.to_string());
        let running = match (load.requests_running, load.requests_capacity) {
            (Some(running), Some(capacity)) => format!("{running}/{capacity}"),
            (running, _) => number(running),
        };
        let kv = load.kv_usage_ratio;
        let labels = self.labels.iter().map(|(name, value)| format!("{name}={value}"));
        let labels: Vec<String> = labels.collect();
        [
            Shown(&self.path.to_string()).up_to(PATH).to_string(),
            format!("{}/{}", self.fresh, self.workers),
            kv.map_or_else(nothing, |ratio| format!("{:.0}%", ratio * 100.0)),
            running,
            number(load.requests_waiting),
            joined(self.sources.iter().copied()),
            joined(self.versions.iter().map(String::as_str)),
            joined(self.generations.iter().copied()),
            joined(self.layouts.iter().map(String::as_str)),
            joined(labels.iter().map(String::as_str)),
        ]
    }

    fn write_remarks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string();
        let path = Shown(&path).up_to(PATH);
        match self.unusable {
            0 => {}
            1 => writeln!(
                f,
                "{path}: 1 instance reports data that cannot be used, so it is not counted; `metrics explain` shows why"
            )?,
            n => writeln!(
                f,
                "{path}: {n} instances report data that cannot be used, so they are not counted; `metrics explain` shows why"
            )?,
        }
        for duplicate in &self.duplicates {
            writeln!(f, "{path}: {duplicate}")?;
        }
        for remark in reading::remarks(&self.mappings) {
            writeln!(f, "{path}: {remark}; `metrics explain` shows why")?;
        }
        Ok(())
    }
}

impl fmt::Display for pools::Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left_out: Vec<String> = self.left_out.iter().map(|id| Shown(id).to_string()).collect();
        write!(
            f,
            "worker {} is reported by {} instances: {} is shown, {} left out",
            Shown(&self.worker_id),
            left_out.len() + 1,
            Shown(&self.shown),
            match left_out.as_slice() {
                [one] => format!("{one} is"),
                several => format!("{} are", several.join(", ")),
            }
        )
    }
}

fn nothing() -> String {
    NOTHING.to_owned()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.denied)?;
        if self.pools.is_empty() {
            writeln!(f, "no pool of workers; {}", self.round)?;
        } else {
            let head = [
                "PATH", "FRESH", "KV", "RUNNING", "WAITING", "SOURCE", "VERSION", "DYNAMO", "LAYOUT",
                "LABELS",
            ];
            write!(f, "{}", Table::of_texts(head, self.pools.iter().map(Pool::row)))?;
        }
        for pool in &self.pools {
            pool.write_remarks(f)?;
        }
        for nameless in &self.nameless {
            writeln!(f, "{nameless}")?;
        }
        if !self.services.is_empty() {
            write!(f, "\n{}", services::table(&self.services))?;
        }
        for service in &self.services {
            let (name, word) = (Shown(&service.name), quoted(&service.name));
            for remark in reading::remarks(&service.mappings) {
                writeln!(
                    f,
                    "{name}: {remark}; `metrics explain {}` shows why",
                    Shown(&word)
                )?;
            }
        }
        if self.unreadable_replies > 0 {
            writeln!(f, "replies that cannot be read: {}", self.unreadable_replies)?;
        }
        if let Some(in_turn) = &self.in_turn {
            writeln!(f, "\n{in_turn}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Nameless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let component = self.component.as_deref().unwrap_or("*");
        let place = format!("{}/{component}", self.namespace);
        let (workers, verb) = if self.workers == 1 {
            ("worker", "is")
        } else {
            ("workers", "are")
        };
        write!(
            f,
            "{}: {} {workers} {verb} heard by events that name no {}; watch with --target {}",
            Shown(&place),
            self.workers,
            if component == "*" { "component" } else { "endpoint" },
            Shown(&format!("{place}/ENDPOINT")),
        )
    }
}
