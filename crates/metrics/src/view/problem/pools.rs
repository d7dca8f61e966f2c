//! Problems of one pool.

use std::time::Duration;

use fleet::{Identity, PoolName, PoolView, WorkerState, WorkerView};

use super::collector::times;
use super::{NAMED, Problem, Severity, Subject};
use crate::view::worker::explain_command;
use crate::view::{Level, Moment};

/// A sum of figures that workers exceed is a matter of the whole pool from this share of them.
const MOST: f64 = 0.5;

/// What is found of a pool.
struct Finding<'a> {
    pool: &'a PoolView,
    name: String,
    members: [&'static str; 2],
    problems: &'a mut Vec<Problem>,
}

pub(super) fn find(pool: &PoolView, moment: &Moment<'_>, problems: &mut Vec<Problem>) {
    let is_service = matches!(pool.name, PoolName::Service { .. });
    let mut finding = Finding {
        name: pool.name.to_string(),
        pool,
        members: match is_service {
            true => ["instance", "instances"],
            false => ["worker", "workers"],
        },
        problems,
    };
    // While nothing is current, what is silent says nothing of a pool.
    let is_current = moment.published.snapshot.link.connected && pool.round_ended.is_some();
    if is_current {
        finding.absence();
        finding.saturation();
    }
    finding.duplicates();
    finding.history(moment);
}

/// A worker as screens call it: by its id in hexadecimal, which a filter finds as well.
fn called(identity: &Identity) -> String {
    match &*identity.worker_hex {
        "" => identity.worker_id.to_string(),
        hex => format!("0x{hex}"),
    }
}

impl Finding<'_> {
    fn add(&mut self, severity: Severity, text: String, remedy: impl Into<String>, explains: bool) {
        let target = match &self.pool.name {
            PoolName::Workers(path) => path.to_string(),
            PoolName::Service { service, .. } => service.to_string(),
        };
        self.problems.push(Problem {
            severity,
            subject: Subject::Pool {
                pool: self.name.clone(),
            },
            text,
            remedy: remedy.into(),
            command: explains.then(|| explain_command(&target)),
        });
    }

    fn counted(&self, count: usize) -> String {
        format!("{count} {}", self.members[usize::from(count != 1)])
    }

    /// Some of the workers by name.
    fn named(&self, is_one: impl Fn(&WorkerView) -> bool) -> String {
        let workers = self.pool.workers.iter().filter(|worker| is_one(worker));
        let ids: Vec<String> = workers.map(|worker| called(&worker.identity)).collect();
        match ids.len() {
            count if count <= NAMED => ids.join(", "),
            count => format!("{} and {} more", ids[..NAMED].join(", "), count - NAMED),
        }
    }

    fn absence(&mut self) {
        let totals = self.pool.totals();
        let (fresh, total) = (totals.fresh, self.pool.workers.len());
        let (stale, late) = (totals.stale, totals.late);
        if total == 0 {
            let text = format!("has no {}", self.members[1]);
            let remedy = "look at “Why don’t I see my worker?”, or run the command";
            return self.add(Severity::Critical, text, remedy, true);
        }
        if fresh == 0 {
            let text = format!("no {} answers; {} are known", self.members[0], total);
            let remedy = match stale {
                0 => "they answer too late; raise --round-timeout or look at the network",
                _ => "check whether the processes run and are connected to NATS",
            };
            return self.add(Severity::Critical, text, remedy, true);
        }
        if stale > 0 {
            let verb = if stale == 1 { "is" } else { "are" };
            let text = format!(
                "{} of {total} {verb} silent: {}",
                self.counted(stale),
                self.named(|worker| worker.state == WorkerState::Stale)
            );
            let remedy = "check whether the processes run; they leave the page when they are gone";
            self.add(Severity::Warning, text, remedy, false);
        }
        if late > 0 {
            let text = format!(
                "{} of {total} answer too late: {}",
                self.counted(late),
                self.named(|worker| worker.state == WorkerState::Late)
            );
            self.add(
                Severity::Warning,
                text,
                "raise --round-timeout, or look at their load and network",
                false,
            );
        }
        if !self.pool.up {
            let text = "the last round got no valid reply for it".to_owned();
            self.add(
                Severity::Warning,
                text,
                "see the replies on the page Collector",
                true,
            );
        }
        if self.pool.ignored > 0 {
            let text = "is full: more of its members are left out".to_owned();
            self.add(Severity::Warning, text, "watch fewer with one collector", false);
        }
    }

    fn saturation(&mut self) {
        let totals = self.pool.totals();
        let Some(saturated) = totals.saturated.filter(|saturated| *saturated > 0) else {
            return;
        };
        let settings = self.pool.settings;
        let known = (self.pool.workers.iter())
            .filter(|worker| worker.saturation(&settings).is_some())
            .count();
        let is_saturated = |worker: &WorkerView| {
            worker
                .saturation(&settings)
                .is_some_and(|share| Level::of(share) == Level::Bad)
        };
        let targets = format!(
            "targets are {} waiting and {:.0} % KV use",
            settings.queue_target,
            settings.kv_target * 100.0
        );
        if saturated == known {
            let text = match known {
                1 => format!("its only worker with known load is saturated ({targets})"),
                _ => format!("all {known} workers are saturated ({targets})"),
            };
            return self.add(Severity::Critical, text, "add workers, or send less to it", false);
        }
        let (text, remedy) = (
            format!(
                "{saturated} of {known} workers {} saturated: {}",
                if saturated == 1 { "is" } else { "are" },
                self.named(is_saturated)
            ),
            match saturated as f64 >= MOST * known as f64 {
                true => format!("add workers, or send less to it; {targets}"),
                false => format!("look at how requests are routed: the others have room; {targets}"),
            },
        );
        self.add(Severity::Warning, text, remedy, false);
    }

    fn duplicates(&mut self) {
        for duplicate in self.pool.duplicates.iter().take(NAMED) {
            let text = format!(
                "worker {} is reported by two instances; {} is shown, {} is left out",
                called(&duplicate.worker),
                duplicate.worker.service_id,
                duplicate.other
            );
            self.problems.push(Problem {
                severity: Severity::Warning,
                subject: Subject::Worker {
                    pool: self.name.clone(),
                    worker: duplicate.worker.worker_id.to_string(),
                },
                text,
                remedy: "give each an id of its own, or stop one".to_owned(),
                command: None,
            });
        }
        if let Some(more) = self
            .pool
            .duplicates
            .len()
            .checked_sub(NAMED)
            .filter(|more| *more > 0)
        {
            let text = format!("{more} more workers are reported by two instances");
            self.add(Severity::Warning, text, "give each an id of its own", true);
        }
    }

    fn history(&mut self, moment: &Moment<'_>) {
        let Some(past) = moment.history.pool(&self.pool.name) else {
            return;
        };
        for (result, count) in past.refused() {
            if count > 0 {
                let text = format!(
                    "{count} replies were {} in the last 5 minutes",
                    result.as_str().replace('_', " ")
                );
                let remedy = "“Why don’t I see my worker?” has an example; fix what the worker reports";
                self.add(Severity::Warning, text, remedy, true);
            }
        }
        let restarts = past.restarts();
        if restarts > 0 {
            let since = moment
                .published
                .snapshot
                .taken
                .saturating_sub(Duration::from_secs(900));
            let changes = moment.published.snapshot.changes.iter();
            let restarted = changes.filter(|change| {
                change.at >= since
                    && change.change == fleet::Change::Restarted
                    && *change.pool == self.pool.name
            });
            let mut ids: Vec<String> = restarted.map(|change| called(&change.worker)).collect();
            ids.sort_unstable();
            ids.dedup();
            ids.truncate(NAMED);
            let named = match ids.is_empty() {
                true => String::new(),
                false => format!(", e.g. {}", ids.join(", ")),
            };
            let text = format!(
                "{} restarted {} in the last 15 minutes{named}",
                self.members[1],
                times(restarts)
            );
            let severity = if restarts > 2 {
                Severity::Warning
            } else {
                Severity::Note
            };
            self.add(severity, text, "look at the logs of these processes", false);
        }
    }
}
