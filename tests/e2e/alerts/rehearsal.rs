//! Scenarios next to a collector, and a Prometheus whose rules wait less by the factor by which the workers' time is faster.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use async_nats::Client;
use futures_util::future::join_all;
use mock_worker::control::{Answer, subject_of};
use mock_worker::expect::Alert;
use mock_worker::scenario::Scenario;
use serde_json::{Value, json};
use tests::{Collector, NatsServer, Program, Prometheus, built};
use tokio::time::{Instant, interval};

use super::shortened::shortened;

/// How many scenarios are played at once. With twice as many, two cores that are slow or busy can miss what lasts for three
/// seconds.
const AT_ONCE: usize = 10;

/// How often the workers' time is moved.
const TICK: Duration = Duration::from_millis(250);

/// How long the workers' time stops before the alerts of a scenario are read: a scrape, an evaluation and some more.
const AFTERWARDS: Duration = Duration::from_millis(2500);

/// A scenario under way. Its name is the namespace of its workers, too.
struct Scene {
    name: &'static str,
    scenario: Scenario,
    now: Duration,
    workers: Program,
    /// The connection by which its time is moved.
    control: Client,
}

/// A scenario that is over.
struct Seen {
    name: &'static str,
    expected: BTreeSet<String>,
    fired: BTreeSet<String>,
}

/// Plays scenarios, `factor` times faster than real time, and prints which alerts fired.
///
/// # Panics
/// When other alerts fired than a scenario expects.
pub(super) async fn rehearse(program: &Path, names: &[&'static str], factor: u32) {
    let mut seen = Vec::new();
    for names in names.chunks(AT_ONCE) {
        seen.extend(play(program, names, factor).await);
    }
    report(&seen, names);
}

/// Plays scenarios all at once, and returns which alerts fired.
async fn play(program: &Path, names: &[&'static str], factor: u32) -> Vec<Seen> {
    let servers = [NatsServer::start().await, NatsServer::start().await];
    let mut scenes = Vec::new();
    for name in names {
        scenes.push(Scene::begin(name, &servers).await);
    }
    for scene in &mut scenes {
        scene.workers.says(&["ready"]).await;
    }
    let collectors = collectors(&scenes, &servers).await;
    let rules = shortened(&super::rules(), factor.into());
    let jobs: Vec<Value> = collectors.iter().map(scraping).collect();
    let prometheus = Prometheus::with_rules(program, &jobs, &rules).await;
    prometheus
        .gives("count(up == 1)", &collectors.len().to_string())
        .await;

    let mut seen = Vec::new();
    let began = Instant::now();
    let mut tick = interval(TICK);
    while !scenes.is_empty() {
        tick.tick().await;
        let due = began.elapsed() * factor;
        join_all(scenes.iter_mut().map(|scene| scene.go_on_to(due))).await;
        let (over, under_way) = scenes.into_iter().partition(|scene| scene.is_over(due, factor));
        scenes = under_way;
        for scene in over {
            seen.push(scene.end(&prometheus).await);
        }
    }
    seen
}

/// One collector for all scenarios whose replies can be read, and one for each other on a server of their own: a reply that
/// is cut off belongs to no pool, so it counts for every pool that was asked in its round.
async fn collectors(scenes: &[Scene], [readable, unreadable]: &[NatsServer; 2]) -> Vec<Collector> {
    let (cut, whole): (Vec<&Scene>, Vec<&Scene>) = scenes.iter().partition(|scene| scene.is_unreadable());
    let mut collectors = vec![collector(&whole, readable).await];
    for scene in cut {
        collectors.push(collector(&[scene], unreadable).await);
    }
    collectors
}

/// A collector of these scenarios. It is as patient as a machine is slow that plays them all.
async fn collector(scenes: &[&Scene], server: &NatsServer) -> Collector {
    let path = |scene: &&Scene| format!("{}/my_component/my_endpoint", scene.name);
    let targets: Vec<String> = scenes.iter().map(path).collect();
    let mut arguments: Vec<&str> = targets.iter().flat_map(|target| ["--target", target]).collect();
    arguments.extend(["--poll-interval", "400ms", "--stale-after", "4"]);
    let collector = Collector::start(server.url(), &arguments).await;
    collector.rounds(2).await;
    collector
}

fn is_unreadable(scenario: &Scenario) -> bool {
    scenario.expect.alerts.must.contains(&Alert::LlmInvalidStats)
}

/// A job that scrapes this collector.
pub(crate) fn scraping(collector: &Collector) -> Value {
    let address = collector.url().trim_start_matches("http://");
    json!({"job_name": format!("metrics-{address}"), "static_configs": [{"targets": [address], "labels": {"job": "metrics"}}]})
}

/// The names of the alerts with these labels that have fired.
pub(super) async fn fired(prometheus: &Prometheus, labels: &str) -> BTreeSet<String> {
    let query =
        format!("count by (alertname) (last_over_time(ALERTS{{alertstate=\"firing\",{labels}}}[1h]))");
    let series = prometheus.query(&query).await.expect("the query is right");
    let name = |series: Value| series["metric"]["alertname"].as_str().map(str::to_owned);
    series.into_iter().filter_map(name).collect()
}

impl Scene {
    async fn begin(name: &'static str, [readable, unreadable]: &[NatsServer; 2]) -> Self {
        let scenario = Scenario::load(name, &[]).expect("it is shipped");
        let server = match is_unreadable(&scenario) {
            true => unreadable,
            false => readable,
        };
        let mut command = built("mock-worker");
        command
            .args(["run", name, "--namespace", name, "--name", name])
            .args(["--server", server.url(), "--clock", "stepped", "--seed", "1"]);
        Self {
            name,
            scenario,
            now: Duration::ZERO,
            workers: Program::start("mock-worker", command),
            control: server.client().await,
        }
    }

    fn is_unreadable(&self) -> bool {
        is_unreadable(&self.scenario)
    }

    async fn go_on_to(&mut self, due: Duration) {
        let due = due.min(self.scenario.duration.duration());
        let by = due.saturating_sub(self.now).as_millis();
        let request = json!({"advance": {"by": format!("{by}ms")}}).to_string();
        let answer = self.control.request(subject_of(self.name), request.into()).await;
        let answer =
            answer.unwrap_or_else(|error| panic!("{}: {error}; {}", self.name, self.workers.log_tail()));
        let answer: Answer = serde_json::from_slice(&answer.payload).expect("an answer");
        let Answer::Done(status) = answer else {
            panic!("{}: {answer:?}", self.name)
        };
        self.now = Duration::from_nanos(status.time_ns);
    }

    /// Whether its end is so long ago that it is scraped and evaluated.
    fn is_over(&self, due: Duration, factor: u32) -> bool {
        due >= self.scenario.duration.duration() + AFTERWARDS * factor
    }

    /// What has fired until now. The workers end only after that.
    async fn end(self, prometheus: &Prometheus) -> Seen {
        let alerts = prometheus
            .get("alerts", ("", ""))
            .await
            .expect("an answer")
            .to_string();
        for mistake in ["<error", "<no value>"] {
            assert!(
                !alerts.contains(mistake),
                "an annotation cannot be rendered: {alerts}"
            );
        }
        let must = &self.scenario.expect.alerts.must;
        Seen {
            name: self.name,
            expected: must.iter().map(ToString::to_string).collect(),
            fired: fired(prometheus, &format!("dynamo_namespace={:?}", self.name)).await,
        }
    }
}

/// Prints the table of what fired, and makes sure that it is what had to.
fn report(seen: &[Seen], names: &[&str]) {
    let list = |alerts: &BTreeSet<String>| match alerts.is_empty() {
        true => "–".to_owned(),
        false => alerts.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
    };
    let mut table = format!("{:<16} | {:<52} | fired\n", "scenario", "expected");
    for name in names {
        let of_name = seen.iter().find(|seen| seen.name == *name);
        let Seen { expected, fired, .. } = of_name.expect("every scenario is played");
        table += &format!("{name:<16} | {:<52} | {}\n", list(expected), list(fired));
    }
    // Not by a macro, whose text the test runner would keep to itself when the test passes.
    std::io::stderr().write_all(table.as_bytes()).ok();
    for Seen {
        name,
        expected,
        fired,
    } in seen
    {
        assert_eq!(fired, expected, "{name}\n{table}");
    }
}
