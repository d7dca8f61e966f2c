//! [`Play`]: a shipped scenario on NATS, whose time stops until it is moved, and a collector that watches it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mock_worker::faults::{Fault, Kind};
use mock_worker::scenario::Scenario;
use mock_worker::truth::{Entry, Record, Records};
use protocol::WorkerStats;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Collector, Finished, NatsServer, Page, Program, built, eventually, finish};

use crate::TARGET;

/// How often the page is looked at, at least.
const LOOKS: u32 = 6;

/// How often two rounds are waited for until they miss no reply. Workers that are silent by plan are missed until they
/// are stale.
const SETTLING: u32 = 5;

/// A scenario under way.
pub(super) struct Play {
    pub(super) scenario: Scenario,
    pub(super) collector: Collector,
    name: String,
    now: Duration,
    /// How many rounds had missed a reply when the page was settled last.
    missed: Cell<f64>,
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
            missed: Cell::new(0.0),
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

    /// Waits until two rounds have begun and ended since this was called, and missed no reply of a worker that speaks:
    /// a machine that is busy with something else may let replies come too late. All that time the workers do not move,
    /// so the page shows this very moment of them, and a worker that does not answer any more is stale.
    pub(super) async fn settled(&self) -> Page {
        let mut before = missed_rounds(&self.collector.page().await);
        let mut looks = 0;
        loop {
            let page = self.collector.rounds(2).await;
            let missed = missed_rounds(&page);
            looks += 1;
            if missed == before || looks == SETTLING || self.speaking().is_empty() {
                self.missed.set(missed);
                return page;
            }
            before = missed;
        }
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

    /// The same, with other flags for the verification. What is wrong is looked at again only where a reply was missed
    /// since the page was settled.
    pub(super) async fn is_right_with(&self, flags: &[&str]) {
        let place = format!("{} at {:?}", self.name, self.now);
        eventually(&format!("{place} is shown as it is"), async || {
            let Err(difference) = self.judge(flags).await else {
                return Ok(());
            };
            let settled = self.missed.get();
            let page = self.collector.page().await;
            assert!(missed_rounds(&page) != settled, "{place}: {difference}\n{page}");
            self.settled().await;
            Err(format!("{difference}\n{page}"))
        })
        .await;
    }

    /// Verifies the page once, and returns how it differs from what the workers said.
    async fn judge(&self, flags: &[&str]) -> Result<(), String> {
        let done = self.verify(&self.truth(), &[flags, &["--json"]].concat()).await;
        let report: Value = serde_json::from_str(&done.stdout).expect("it is JSON");
        let speaking = self.speaking();
        let shown = report["time_ns"].as_u64().map(Duration::from_nanos);
        // Where no worker is left to be compared, a verification does not say that all is well.
        let is_right = done.code == Some(i32::from(speaking.is_empty()))
            && ["differences", "broken"].map(|list| report[list] == json!([])) == [true; 2]
            && report["workers"] == speaking.len()
            && shown == Some(self.now);
        match is_right {
            true => Ok(()),
            false => Err(format!("{done:?}, while {speaking:?} speak")),
        }
    }

    /// All records of the truth so far.
    pub(super) fn records(&self) -> Vec<Record> {
        let records = Records::open(&self.truth()).expect("it can be read");
        records
            .map(|entry| match entry.expect("it is a record") {
                (_, Entry::Reply(record)) => *record,
                (_, Entry::Published(other)) => panic!("{other:?} comes of no version of Dynamo"),
            })
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

    /// Waits until every reply that the collector has counted is counted once: under its reason, or as one that came too
    /// late. Replies are recorded in the order in which they are sent, so those that are counted are the first records.
    pub(super) async fn counts_every_reply(&self, reason: impl Fn(&Record) -> &'static str) {
        let sent = self.records().len();
        eventually("every reply is counted under its reason", async || {
            let page = self.collector.page().await;
            let mut counted: BTreeMap<&str, f64> = BTreeMap::new();
            for sample in page.samples("llm_collector_replies_total", &[]) {
                *counted.entry(sample.labels["result"].as_str()).or_default() += sample.value;
            }
            counted.retain(|_, count| *count > 0.0);
            let total = counted.values().sum::<f64>() as usize;
            // Read after the page, so it has all that the page can count.
            let mut records = self.records();
            if total < sent || total > records.len() {
                return Err(format!("{total} replies are counted of {}", records.len()));
            }
            records.truncate(total);
            let mut expected: BTreeMap<&str, f64> = BTreeMap::new();
            for record in &records {
                *expected.entry(reason(record)).or_default() += 1.0;
            }
            let late = counted.remove("late").unwrap_or(0.0);
            let missing = |(reason, count): (&&'static str, &f64)| {
                (*reason, count - counted.get(reason).copied().unwrap_or(0.0))
            };
            let missing: BTreeMap<&str, f64> = expected.iter().map(missing).collect();
            // While the reply by which a double gives an id up is late, its owner's reply still counts as a duplicate.
            let least = |reason: &str| if reason == "duplicate" { -late } else { 0.0 };
            let is_counted = missing.iter().all(|(reason, count)| *count >= least(reason))
                && missing.values().sum::<f64>() == late
                && counted.keys().all(|reason| expected.contains_key(reason));
            match is_counted {
                true => Ok(()),
                false => Err(format!(
                    "{counted:?} and {late} late are counted of {expected:?}\n{page}"
                )),
            }
        })
        .await;
    }

    /// When a fault begins and ends.
    fn changes(&self, fault: &Fault) -> Vec<Duration> {
        let times = match (fault.every, fault.length) {
            // What is over at once has no time in which it lasts; its first time represents all.
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

/// How many rounds ended without a reply that was waited for.
fn missed_rounds(page: &Page) -> f64 {
    let all = page.sum("llm_collector_rounds_total", &[]);
    all - page.sum("llm_collector_rounds_total", &[("finish", "complete")])
}
