//! Workers of versions of Dynamo: what they publish is what their truth says, at the subjects of their version.

mod page;

use std::collections::{BTreeMap, BTreeSet};

use async_nats::{Client, Message, Subscriber};
use futures_util::StreamExt;
use futures_util::stream::{SelectAll, select_all};
use protocol::codec::open;
use protocol::events::{ForwardPass, RequestTrace, SequenceEvent, Topic};
use protocol::subject::{REQUEST_TRACE, Wanted, event_patterns};
use protocol::{EndpointPath, KvHitRate, KvMetrics, LoadSource, ServicePrefix, WorkerId};
use serde_json::Value;
use tests::{Collector, NatsServer, Workers, built, eventually, finish, served_page};

use crate::TARGET;
use page::page_of;

/// Names that the versions write in different ways.
const PATH: &str = "My-NS.x/Back_End/gen-erate";

/// Workers of one release with a stepped clock, and all that they publish.
struct Stage {
    workers: Workers,
    client: Client,
    messages: SelectAll<Subscriber>,
    truth: tempfile::NamedTempFile,
    _server: NatsServer,
}

impl Stage {
    async fn of(generation: &str, arguments: &[&str]) -> Self {
        let server = NatsServer::start().await;
        let client = server.client().await;
        let path: EndpointPath = PATH.parse().expect("a path");
        let patterns = event_patterns(&[Wanted::from(&path)], &Topic::ALL);
        let mut subscribers = Vec::new();
        for pattern in patterns.into_iter().chain([REQUEST_TRACE.to_owned()]) {
            subscribers.push(client.subscribe(pattern).await.expect("subscribes"));
        }
        client.flush().await.expect("sends");
        let truth = tempfile::NamedTempFile::new().expect("there is room for a file");
        let file = truth.path().display().to_string();
        let mut all = vec!["run", "steady", "--generation", generation, "--truth", &file];
        all.extend([
            "--clock",
            "stepped",
            "--seed",
            "1",
            "--first-id",
            "7",
            "--workers",
            "2",
        ]);
        let (namespace, component) = (path.namespace.as_str(), path.component.as_str());
        all.extend(["--namespace", namespace, "--component", component]);
        all.extend(["--endpoint", path.endpoint.as_str()]);
        all.extend(arguments);
        let workers = Workers::start(&server, &all).await;
        Self {
            workers,
            client,
            messages: select_all(subscribers),
            truth,
            _server: server,
        }
    }

    /// The lines of the truth that are messages, lost ones too.
    fn published(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.truth.path()).expect("it is written");
        let line = |line: &str| serde_json::from_str(line).expect("a record");
        let all = text.lines().map(line);
        all.filter(|line: &Value| line["topic"].is_string()).collect()
    }

    /// Lets time pass, and takes in as many messages as the truth has.
    async fn advance(&mut self, by: &str) -> Vec<Message> {
        let before = self.sent();
        self.workers.ctl(&["advance", by]).await;
        let expected = self.sent() - before;
        let mut messages = Vec::new();
        while messages.len() < expected {
            let what = format!("message {} of {expected} came", messages.len() + 1);
            let next = eventually(&what, async || {
                let next = self.messages.next().await;
                next.ok_or_else(|| "the connection ended".to_owned())
            });
            messages.push(next.await);
        }
        messages
    }

    fn sent(&self) -> usize {
        let published = self.published();
        published.iter().filter(|line| line["lost"] != true).count()
    }
}

/// What a message says, in words that are the same for a message and for a line of the truth.
fn said(topic: &str, payload: &[u8]) -> String {
    let opened = open(None, payload).expect("it opens");
    if topic == REQUEST_TRACE {
        return format!("{:?}", RequestTrace::read(payload).expect("a record"));
    }
    match Topic::read(topic).expect("a topic") {
        Topic::KvHitRate => format!("{:?}", KvHitRate::read(&opened).expect("a hit rate")),
        Topic::KvMetrics => format!("{:?}", KvMetrics::read(&opened).expect("a load")),
        Topic::ForwardPass => format!("{:?}", ForwardPass::read(&opened).expect("a pass")),
        Topic::ActiveSequences => format!("{:?}", SequenceEvent::read(&opened).expect("a request")),
        Topic::KvEvents => panic!("workers publish none"),
    }
}

fn topic_of(message: &Message) -> &str {
    match message.subject.as_str() {
        REQUEST_TRACE => REQUEST_TRACE,
        subject => subject.rsplit('.').next().unwrap_or_default(),
    }
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable();
    texts
}

fn passes(messages: &[Message]) -> Vec<ForwardPass> {
    let passes = messages
        .iter()
        .filter(|message| topic_of(message) == "forward-pass-metrics");
    passes
        .map(|message| ForwardPass::read(&open(None, &message.payload).expect("it opens")).expect("a pass"))
        .collect()
}

#[tokio::test]
async fn each_generation_publishes_what_its_truth_says_at_its_own_subjects() {
    let namespace = ["name", "space"].concat();
    let at_endpoint = "My-NS%2Ex.component.Back_End.endpoint.gen-erate";
    let (load, pass) = ("kv_metrics", "forward-pass-metrics");
    let expected: [(&str, Vec<String>); 6] = [
        ("0.1", vec!["x.kv-hit-rate".to_owned()]),
        ("0.5", vec!["x.kv-hit-rate".to_owned(), format!("x.{load}")]),
        (
            "0.9",
            vec!["My-NS.x.kv-hit-rate".to_owned(), format!("My-NS.x.{load}")],
        ),
        (
            "1.2",
            vec![
                format!("My-NS.x.component.Back_End.{pass}"),
                format!("My-NS.x.{load}"),
            ],
        ),
        (
            "1.4",
            vec![format!("{at_endpoint}.{pass}"), format!("{at_endpoint}.{load}")],
        ),
        (
            "1.6",
            vec![
                format!("{at_endpoint}.{pass}"),
                format!("{at_endpoint}.{load}"),
                format!("{at_endpoint}.active_sequences_events"),
            ],
        ),
    ];
    for (generation, subjects) in expected {
        let mut stage = Stage::of(generation, &[]).await;
        let messages = stage.advance("5s").await;
        let mut expected: BTreeSet<String> = subjects
            .iter()
            .map(|rest| format!("{namespace}.{rest}"))
            .collect();
        if generation >= "1.4" {
            expected.insert(REQUEST_TRACE.to_owned());
        }
        let found: BTreeSet<String> = messages
            .iter()
            .map(|message| message.subject.to_string())
            .collect();
        assert_eq!(found, expected, "{generation}");
        assert!(
            messages
                .iter()
                .all(|message| message.headers.is_none() && message.reply.is_none())
        );

        let heard = messages
            .iter()
            .map(|message| said(topic_of(message), &message.payload));
        let truth = stage.published();
        let written = truth.iter().map(|line| {
            let event = serde_json::to_vec(&line["event"]).expect("it is JSON");
            said(line["topic"].as_str().expect("a topic"), &event)
        });
        assert_eq!(sorted(heard.collect()), sorted(written.collect()), "{generation}");
        numbers_have_no_gap(&messages, generation);
    }
}

/// Every publisher counts its messages from 0, and every engine its passes from 1.
fn numbers_have_no_gap(messages: &[Message], generation: &str) {
    let mut sequences: BTreeMap<(&str, u64), Vec<u64>> = BTreeMap::new();
    for message in messages {
        if let Some(publisher) = open(None, &message.payload).expect("it opens").publisher {
            let of_process = ["0.9", "1.2"].contains(&generation);
            assert!(
                of_process || publisher.id < 1 << 53,
                "{generation}: {}",
                publisher.id
            );
            // A process has a publisher for each topic.
            let numbers = sequences.entry((topic_of(message), publisher.id)).or_default();
            numbers.push(publisher.sequence);
        }
    }
    assert_eq!(sequences.is_empty(), generation < "0.9", "{generation}");
    for ((topic, id), numbers) in sequences {
        let expected: Vec<u64> = (0..numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "{generation}: {topic} of {id}");
    }
    let mut counters: BTreeMap<WorkerId, Vec<u64>> = BTreeMap::new();
    for pass in passes(messages) {
        counters.entry(pass.worker_id).or_default().push(pass.counter_id);
    }
    assert_eq!(
        counters.len(),
        if generation >= "1" { 2 } else { 0 },
        "{generation}"
    );
    for numbers in counters.into_values() {
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "{generation}");
    }
}

#[tokio::test]
async fn routers_estimate_up_to_1_4_and_workers_alone_report_later() {
    for (generation, estimates) in [("1.2", true), ("1.4", true), ("1.6", false)] {
        let mut stage = Stage::of(generation, &[]).await;
        let messages = stage.advance("3s").await;
        let loads = messages
            .iter()
            .filter(|message| topic_of(message) == "kv_metrics");
        let sources: BTreeSet<LoadSource> = loads
            .map(|message| KvMetrics::decode(None, &message.payload).expect("a load").source)
            .collect();
        assert!(sources.contains(&LoadSource::Engine), "{generation}");
        assert_eq!(sources.contains(&LoadSource::Router), estimates, "{generation}");
    }
}

/// Passes of three seconds: an engine that works sends heartbeats too.
#[tokio::test]
async fn heartbeats_come_inside_long_passes() {
    let mut stage = Stage::of("1.6", &["--set", "worker.step_base=3s", "--request-rate", "2"]).await;
    let passes = passes(&stage.advance("30s").await);
    let of_first: Vec<&ForwardPass> = passes
        .iter()
        .filter(|pass| pass.worker_id == WorkerId::new(7))
        .collect();
    let real: Vec<usize> = (0..of_first.len())
        .filter(|at| !of_first[*at].is_heartbeat())
        .collect();
    assert!(real.len() >= 5, "{} passes", real.len());
    for pair in real.windows(2) {
        assert!(
            pair[1] - pair[0] >= 3,
            "two heartbeats at least lie between passes of 3 s"
        );
        assert!(
            of_first[pair[1]].scheduled.decode_requests > 0,
            "it works all the time"
        );
        assert!(of_first[pair[1]].wall_time >= 3.0);
    }
}

#[tokio::test]
async fn the_request_plane_decides_whether_there_are_services() {
    let stage = Stage::of("1.6", &[]).await;
    let refused = stage
        .client
        .request(ServicePrefix::default().stats(), "".into())
        .await;
    assert!(refused.is_err(), "nothing answers, and no request is served");

    let stage = Stage::of("1.6", &["--request-plane", "nats"]).await;
    stage.workers.ctl(&["advance", "20s"]).await;
    let reply = stage
        .client
        .request(ServicePrefix::default().stats(), "".into())
        .await
        .expect("an answer");
    let stats: async_nats::service::Stats = serde_json::from_slice(&reply.payload).expect("statistics");
    assert_eq!(
        (stats.name.as_str(), stats.version.as_str()),
        ("my-ns_x_back_end", "1.6.1")
    );
    let endpoint = &stats.endpoints[0];
    assert_eq!(endpoint.data, None);
    assert!(endpoint.requests > 10 && endpoint.errors == 0);
    let average = endpoint.average_processing_time.as_micros();
    assert!(
        (50..100).contains(&average),
        "{average} µs are the time to acknowledge"
    );
}

/// A crash of a second: its process counts from 1 again, and what a silent one says is counted and lost.
#[tokio::test]
async fn faults_show_in_what_is_published() {
    let mut stage = Stage::of("1.6", &["--request-rate", "0"]).await;
    let counters = |messages: &[Message]| -> Vec<u64> {
        let of_first = passes(messages)
            .into_iter()
            .filter(|pass| pass.worker_id == WorkerId::new(7));
        of_first.map(|pass| pass.counter_id).collect()
    };
    assert_eq!(counters(&stage.advance("2s").await), [1, 2]);
    stage
        .workers
        .ctl(&["fault", "kind=silent", "for=2500ms", "select.first=1"])
        .await;
    assert_eq!(counters(&stage.advance("4s").await), [5, 6]);
    let lost = |line: &&Value| line["lost"] == true && line["topic"] == "forward-pass-metrics";
    assert_eq!(stage.published().iter().filter(lost).count(), 2);
    stage
        .workers
        .ctl(&["fault", "kind=crash", "for=1s", "select.first=1"])
        .await;
    assert_eq!(counters(&stage.advance("3s").await), [1, 2]);
}

#[tokio::test]
async fn request_traces_go_where_they_are_wanted() {
    let mut stage = Stage::of("1.6", &["--request-trace-subject", "traces.of.mine"]).await;
    let mut traces = stage
        .client
        .subscribe("traces.of.mine")
        .await
        .expect("subscribes");
    stage.client.flush().await.expect("sends");
    stage.workers.ctl(&["advance", "10s"]).await;
    let trace = eventually("a trace came", async || {
        traces
            .next()
            .await
            .ok_or_else(|| "the connection ended".to_owned())
    });
    let trace = RequestTrace::read(&trace.await.payload)
        .expect("JSON")
        .expect("the end of a request");
    let times = (trace.ttft.expect("known"), trace.total.expect("known"));
    assert!(0.0 < times.0 && times.0 <= times.1, "{times:?}");
    assert!(trace.refused.is_empty() && trace.decode_worker.is_some());
    stage.messages.clear();
}

/// A page made of what was heard, by another program than the collector: `verify` finds it right, and a wrong number.
#[tokio::test]
async fn verify_holds_a_page_against_what_was_published() {
    let mut stage = Stage::of("1.6", &[]).await;
    let messages = stage.advance("6s").await;
    let text = page_of(&messages);
    let verify = async |text: &str| {
        let mut command = built("mock-worker");
        let truth = stage.truth.path().display().to_string();
        command.args([
            "verify",
            "--json",
            "--metrics",
            &served_page(text).await,
            "--truth",
            &truth,
        ]);
        finish(command).await
    };
    let done = verify(&text).await;
    assert_eq!(done.code, Some(0), "{}\n{}\n{text}", done.stdout, done.stderr);
    let report: Value = serde_json::from_str(&done.stdout).expect("it is JSON");
    assert_eq!(report["workers"], 2);
    assert_eq!(
        report["time_ns"].as_u64(),
        stage.published().last().and_then(|line| line["time_ns"].as_u64())
    );

    let total = |line: &&str| line.starts_with("llm_worker_prefill_tokens_total{");
    let line = text.lines().find(total).expect("it counts tokens");
    let done = verify(&text.replace(line, &format!("{line}1"))).await;
    assert_eq!(done.code, Some(1));
    let report: Value = serde_json::from_str(&done.stdout).expect("it is JSON");
    assert_eq!(
        report["differences"][0]["field"],
        "llm_worker_prefill_tokens_total"
    );
}

/// The collector shows what workers of each version say, in replies or events, while they work.
#[tokio::test]
async fn a_collector_shows_what_workers_of_each_generation_say() {
    for generation in ["0.1", "0.5", "0.9", "1.2", "1.4", "1.6"] {
        let server = NatsServer::start().await;
        let truth = tempfile::NamedTempFile::new().expect("there is room for a file");
        let file = truth.path().display().to_string();
        let arguments = ["run", "steady", "--seed", "1", "--workers", "2", "--truth", &file];
        let _workers =
            Workers::start(&server, &[&arguments[..], &["--generation", generation]].concat()).await;
        let collector = Collector::watching(&server, TARGET, &[]).await;
        collector.has_workers(2).await;
        collector.rounds(3).await;
        // Two looks, with other numbers each.
        for look in 1..=2 {
            let what = format!("look {look} at workers of {generation} is right");
            eventually(&what, async || {
                let mut command = built("mock-worker");
                let url = format!("{}/metrics", collector.url());
                command.args(["verify", "--metrics", &url, "--truth", &file]);
                let done = finish(command).await;
                match done.code == Some(0) && done.stderr.contains("2 workers") {
                    true => Ok(()),
                    false => Err(format!("{done:?}")),
                }
            })
            .await;
            collector.rounds(2).await;
        }
    }
}
