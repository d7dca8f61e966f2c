//! [`Play`]: a shipped scenario on NATS, whose time stands still until it is moved, and a collector that watches it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mock_worker::faults::{Fault, Kind};
use mock_worker::scenario::Scenario;
use mock_worker::truth::{Record, Records};
use protocol::WorkerStats;
use serde_json::Value;
use tempfile::TempDir;
use tests::{Collector, Finished, NatsServer, Page, Program, built, eventually, finish};

use crate::TARGET;

/// How often the page is looked at, at least.
const LOOKS: u32 = 6;

/// A scenario under way.
pub(super) struct Play {
    pub(super) scenario: Scenario,
    pub(super) collector: Collector,
    name: String,
    now: Duration,
    folder: TempDir,
    _workers: Program,
    server: NatsServer,
}

impl Play {
    /// Starts the workers of a scenario, at the very beginning of their time, and a collector.
    pub(super) async fn begin(name: &str, more: &[&str]) -> Self {
        let server = NatsServer::start().await;
        let folder = TempDir::new().expect("a folder can be made");
        let mut command = built("mock-worker");
        command.args([
            "run",
            name,
            "--server",
            server.url(),
            "--clock",
            "stepped",
            "--seed",
            "1",
        ]);
        command
            .arg("--truth")
            .arg(folder.path().join("truth.jsonl"))
            .args(more);
        let mut workers = Program::start("mock-worker", command);
        workers.says(&["ready"]).await;
        let collector = Collector::watching(&server, TARGET, &["--poll-interval", "100ms"]).await;
        Self {
            scenario: Scenario::load(name, &[]).expect("it is shipped"),
            collector,
            name: name.to_owned(),
            now: Duration::ZERO,
            folder,
            _workers: workers,
            server,
        }
    }

    /// Where the workers write the truth.
    pub(super) fn truth(&self) -> PathBuf {
        self.folder.path().join("truth.jsonl")
    }

    /// Every time at which something changes by plan: a fault begins or ends, a bound holds from or until then. The
    /// end is one of them, and between two of them lies no long time.
    pub(super) fn moments(&self) -> BTreeSet<Duration> {
        let end = self.scenario.duration.duration();
        let bounds = self.scenario.expect.bound.iter();
        let mut moments: BTreeSet<Duration> = bounds
            .flat_map(|bound| [bound.from, bound.until])
            .flatten()
            .chain(self.scenario.fault.iter().flat_map(|fault| self.changes(fault)))
            .chain([Duration::ZERO, end])
            .filter(|moment| *moment <= end)
            .collect();
        let stride = end / LOOKS;
        let mut last = Duration::ZERO;
        for moment in moments.clone() {
            while last + stride < moment {
                last += stride;
                moments.insert(last);
            }
            last = moment;
        }
        moments
    }

    /// Lets the workers' time go on to a moment, and waits until the page shows them as they are then.
    pub(super) async fn go_on_to(&mut self, moment: Duration) -> Page {
        let by = moment.checked_sub(self.now).expect("time does not go back");
        if !by.is_zero() {
            self.ctl(&["advance", &format!("{}ms", by.as_millis())]).await;
        }
        self.now = moment;
        self.settled().await
    }

    /// Waits until two rounds have begun and ended since this was called. All that time the workers stand still, so the
    /// page shows this very moment of them, and whoever does not answer any more has missed enough to be stale.
    pub(super) async fn settled(&self) -> Page {
        self.collector.rounds(2).await
    }

    /// Calls the workers by control, which they have to obey.
    pub(super) async fn ctl(&self, arguments: &[&str]) {
        let mut command = built("mock-worker");
        command
            .arg("ctl")
            .args(arguments)
            .args(["--server", self.server.url(), "--timeout", "25s"]);
        let done = finish(command).await;
        assert_eq!(done.code, Some(0), "ctl {arguments:?}: {done:?}");
    }

    /// Holds the page against a truth file and what the scenario promises.
    pub(super) async fn verify(&self, truth: &Path, more: &[&str]) -> Finished {
        let mut command = built("mock-worker");
        command.args([
            "verify",
            "--metrics",
            &format!("{}/metrics", self.collector.url()),
        ]);
        command.arg("--truth").arg(truth).args(more);
        finish(command).await
    }

    /// Makes sure that the page shows this moment, and nothing but the truth about exactly so many workers as said
    /// what can be shown.
    pub(super) async fn is_right(&self) {
        self.is_right_with(&["--scenario", &self.name]).await;
    }

    /// The same, with other flags for the verification.
    pub(super) async fn is_right_with(&self, flags: &[&str]) {
        let done = self.verify(&self.truth(), &[flags, &["--json"]].concat()).await;
        let place = format!("{} at {:?}", self.name, self.now);
        let report: Value = serde_json::from_str(&done.stdout).expect("it is JSON");
        let speaking = self.speaking();
        let told = format!("{place}: {done:?}\n{}", self.collector.page().await);
        // Where nobody is left to be compared, a verification does not say that all is well.
        assert_eq!(done.code, Some(i32::from(speaking.is_empty())), "{told}");
        for list in ["differences", "broken"] {
            assert_eq!(report[list], Value::Array(Vec::new()), "{told}");
        }
        assert_eq!(report["workers"], speaking.len(), "{place}: {speaking:?}");
        let shown = report["time_ns"].as_u64().map(Duration::from_nanos);
        assert_eq!(shown, Some(self.now), "{place}: the page is of another time");
    }

    /// All records of the truth so far.
    pub(super) fn records(&self) -> Vec<Record> {
        let records = Records::open(&self.truth()).expect("it can be read");
        records
            .map(|record| record.map(|(_, record)| record).expect("it is a record"))
            .collect()
    }

    /// The ids under which workers say something now that a collector can show, and in time.
    pub(super) fn speaking(&self) -> BTreeSet<String> {
        let is_load = |data: &Value| WorkerStats::read(data).is_ok_and(|reading| reading.stats.is_some());
        self.latest()
            .into_values()
            .filter(|record| record.sent.as_ref().is_some_and(is_load))
            .filter(|record| !record.faults.iter().any(|fault| fault == Kind::Late.as_str()))
            .map(|record| record.claimed.unwrap_or(record.worker))
            .filter(|id| !id.is_empty())
            .collect()
    }

    /// The last record of each worker at this moment.
    pub(super) fn latest(&self) -> BTreeMap<String, Record> {
        let records = self.records();
        let now = u64::try_from(self.now.as_nanos()).expect("it fits");
        let of_now = records.into_iter().filter(|record| record.time_ns == now);
        of_now.map(|record| (record.worker.clone(), record)).collect()
    }

    /// Waits for a page and all records of what was sent up to it, with no request under way between the two, of which
    /// `condition` holds.
    pub(super) async fn agrees(
        &self,
        promise: &str,
        condition: impl Fn(&Page, &[Record]) -> Result<(), String>,
    ) {
        eventually(promise, async || {
            let before = self.records();
            let page = self.collector.page().await;
            match self.records().len() == before.len() {
                true => condition(&page, &before).map_err(|error| format!("{error}\n{page}")),
                false => Err("a request for statistics came in between".to_owned()),
            }
        })
        .await;
    }

    /// When a fault begins and ends.
    fn changes(&self, fault: &Fault) -> Vec<Duration> {
        let times = match (fault.every, fault.length) {
            // What is over at once has no time in which it lasts; its first time stands for all.
            (_, None) => 1,
            (every, _) => every.map_or(1, |_| fault.count.unwrap_or(100)),
        };
        let staggered = if fault.stagger.0 > 0 {
            u64::from(self.scenario.workers)
        } else {
            1
        };
        let begins = (0..staggered).flat_map(|rank| {
            (0..times).map(move |time| {
                fault.at.0 + rank * fault.stagger.0 + time * fault.every.map_or(0, |every| every.0)
            })
        });
        let length = fault.length.map(|length| length.0);
        begins
            .flat_map(|begin| [Some(begin), length.map(|length| begin + length)])
            .flatten()
            .map(Duration::from_nanos)
            .collect()
    }
}
