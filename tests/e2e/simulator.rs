//! Workers that are simulated: time that stops, control, requests from outside, and the engines' own page.

use async_nats::{Client, Message, Subscriber};
use futures_util::{FutureExt, StreamExt};
use protocol::{Layout, WorkerId, WorkerSubject};
use serde_json::{Value, json};
use tests::{Collector, NatsServer, Page, Workers, eventually, free_port, http_client};

use crate::TARGET;

/// Workers whose time stops, without requests of their own.
pub(crate) const IDLE: [&str; 7] = [
    "--clock",
    "stepped",
    "--request-rate",
    "0",
    "--first-id",
    "7",
    "--workers",
];

/// A connection that is closed at once and opened after a while.
const DISCONNECT: &str = "fault=[{kind='disconnect',select={first=1},at='100ms',for='8s'}]";

fn subject(id: u64) -> String {
    let path = TARGET.parse().expect("a path");
    WorkerSubject::new(&path, Layout::Hashed, Some(WorkerId::new(id)))
        .expect("the layout names every path")
        .to_string()
}

async fn request(client: &Client, worker: u64, payload: &str) -> Subscriber {
    let inbox = client.new_inbox();
    let answers = client.subscribe(inbox.clone()).await.expect("subscribes");
    client
        .publish_with_reply(subject(worker), inbox, payload.to_owned().into())
        .await
        .expect("publishes");
    client.flush().await.expect("sends");
    answers
}

async fn next(answers: &mut Subscriber) -> Message {
    eventually("another part of the answer came", async || {
        answers
            .next()
            .await
            .ok_or_else(|| "the connection ended".to_owned())
    })
    .await
}

/// Waits until the workers have so many callers: a request goes another way than control does.
async fn has_callers(workers: &Workers, count: u64) {
    eventually(
        &format!("{count} requests from outside are answered"),
        async || {
            let status = workers.ctl(&["status"]).await;
            match status["callers"] == json!(count) {
                true => Ok(()),
                false => Err(status.to_string()),
            }
        },
    )
    .await;
}

#[tokio::test]
async fn nothing_moves_between_two_advances_and_everything_does_in_one() {
    let server = NatsServer::start().await;
    let workers = Workers::start(&server, &["run", "steady", "--clock", "stepped", "--seed", "1"]).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let loads = |page: &Page| -> Vec<String> {
        let is_load =
            |line: &&str| line.starts_with("llm_worker_kv") || line.starts_with("llm_worker_request");
        page.text().lines().filter(is_load).map(str::to_owned).collect()
    };
    workers.ctl(&["advance", "10s"]).await;
    let first = loads(&collector.rounds(2).await);
    assert!(!first.is_empty());
    assert_eq!(loads(&collector.rounds(3).await), first);
    assert_eq!(
        workers.ctl(&["advance", "5s"]).await["time_ns"],
        json!(15_000_000_000_u64)
    );
    assert_ne!(loads(&collector.rounds(2).await), first);
}

/// The types of a client library from outside read what the workers say.
#[tokio::test]
async fn replies_are_those_of_a_nats_service() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["run", "steady", "--workers", "1", "--first-id", "31"]).await;
    let client = server.client().await;
    let ask = async |subject: String| {
        client
            .request(subject, "".into())
            .await
            .expect("an answer")
            .payload
    };
    let stats = ask("$SRV.STATS".to_owned()).await;
    let stats: async_nats::service::Stats = serde_json::from_slice(&stats).expect("statistics");
    let by_name = ask(format!("$SRV.INFO.{}.{}", stats.name, stats.id)).await;
    let info: async_nats::service::Info = serde_json::from_slice(&by_name).expect("a description");
    let ping: Value = serde_json::from_slice(&ask("$SRV.PING".to_owned()).await).expect("JSON");
    assert_eq!((&info.id, &info.name), (&stats.id, &stats.name));
    assert_eq!(
        (&ping["id"], &ping["type"]),
        (&json!(stats.id), &json!("io.nats.micro.v1.ping_response"))
    );
    assert_eq!(
        info.description,
        "Dynamo component my_component in namespace dynamo"
    );
    assert_eq!(
        (&stats.endpoints[0].subject, &info.endpoints[0].subject),
        (&subject(31), &subject(31))
    );
    assert!(stats.endpoints[0].data.is_some());
}

/// Law 5, over the wire: what the collector counts from events is what the workers looked up.
#[tokio::test]
async fn the_sum_of_all_events_is_what_the_truth_says() {
    let server = NatsServer::start().await;
    let truth = tempfile::NamedTempFile::new().expect("there is room for a file");
    let file = truth.path().display().to_string();
    let arguments = [
        "run", "steady", "--clock", "stepped", "--seed", "1", "--truth", &file,
    ];
    let workers = Workers::start(&server, &arguments).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(4).await;
    workers.ctl(&["advance", "20s"]).await;
    collector.rounds(2).await;
    let text = std::fs::read_to_string(truth.path()).expect("it is written");
    let last: Vec<Value> = text
        .lines()
        .rev()
        .take(4)
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect();
    for record in last {
        let worker = record["worker"].as_str().expect("an id").to_owned();
        for (metric, counter) in [
            ("llm_kv_lookup_blocks_total", "lookup_blocks"),
            ("llm_kv_hit_blocks_total", "hit_blocks"),
        ] {
            let expected = record["counters"][counter].as_f64().expect("a count");
            assert!(counter == "hit_blocks" || expected > 0.0, "{record}");
            collector.has(metric, &[("worker_id", &worker)], expected).await;
        }
    }
}

#[tokio::test]
async fn a_caller_hears_tokens_at_the_pace_of_the_engine() {
    let server = NatsServer::start().await;
    let workers = Workers::start(&server, &[&IDLE[..], &["1"]].concat()).await;
    let client = server.client().await;
    let mut answers = request(&client, 7, r#"{"prompt": "ab", "max_tokens": 100}"#).await;
    has_callers(&workers, 1).await;
    let status = workers.ctl(&["advance", "300ms"]).await;
    assert_eq!(
        (&status["running"], &status["callers"]),
        (&json!(1), &json!(1)),
        "{status}"
    );
    // 16 ms for the prompt and the first token, about 6 ms for each of the others.
    for token in 0..40 {
        assert_eq!(next(&mut answers).await.payload, ["a", "b"][token % 2]);
    }
    let status = workers.ctl(&["advance", "2s"]).await;
    assert_eq!(
        (&status["running"], &status["callers"]),
        (&json!(0), &json!(0)),
        "{status}"
    );
    for token in 40..100 {
        assert_eq!(next(&mut answers).await.payload, ["a", "b"][token % 2]);
    }
    assert!(
        next(&mut answers).await.payload.is_empty(),
        "the end of the stream"
    );
}

#[tokio::test]
async fn a_caller_that_goes_away_gives_its_slot_back() {
    let server = NatsServer::start().await;
    let arguments = [&IDLE[..], &["1", "--set", "worker.slots=1"]].concat();
    let workers = Workers::start(&server, &arguments).await;
    let client = server.client().await;
    let answers = request(&client, 7, r#"{"prompt": "ab", "max_tokens": 10000}"#).await;
    has_callers(&workers, 1).await;
    let mut waiting = request(&client, 7, "hello").await;
    has_callers(&workers, 2).await;
    let status = workers.ctl(&["advance", "1s"]).await;
    assert_eq!(
        (&status["running"], &status["waiting"]),
        (&json!(1), &json!(1)),
        "{status}"
    );

    drop(answers);
    client.flush().await.expect("sends");
    let mut text = String::new();
    eventually("the one that waited has its turn", async || {
        workers.ctl(&["advance", "100ms"]).await;
        while let Some(Some(part)) = waiting.next().now_or_never() {
            text.push_str(&String::from_utf8_lossy(&part.payload));
        }
        match text == "hello" {
            true => Ok(()),
            false => Err(text.clone()),
        }
    })
    .await;
    let status = workers.ctl(&["status"]).await;
    assert_eq!(
        (&status["running"], &status["callers"]),
        (&json!(0), &json!(0)),
        "{status}"
    );
}

#[tokio::test]
async fn a_caller_that_cannot_be_served_gets_the_reason() {
    let server = NatsServer::start().await;
    let settings = [
        "1",
        "--set",
        "worker.slots=1",
        "--set",
        "worker.max_waiting=1",
        "--set",
        "worker.total_blocks=64",
    ];
    let workers = Workers::start(&server, &[&IDLE[..], &settings].concat()).await;
    let client = server.client().await;
    let refused = async |payload: &str, code: &str, reason: &str| {
        let message = next(&mut request(&client, 7, payload).await).await;
        let headers = message.headers.expect("an error has headers");
        assert_eq!(
            headers
                .get("Nats-Service-Error-Code")
                .map(async_nats::HeaderValue::as_str),
            Some(code)
        );
        let text = headers.get("Nats-Service-Error").expect("it has a reason");
        assert!(text.as_str().contains(reason), "{text}");
    };
    refused(r#"{"prompt": "a", "max_tokens": 0}"#, "400", "max_tokens is 0").await;
    refused(
        r#"{"prompt": "a", "max_tokens": 5000}"#,
        "503",
        "larger than the worker",
    )
    .await;
    let _running = request(&client, 7, "hello").await;
    has_callers(&workers, 1).await;
    let _waiting = request(&client, 7, "hello").await;
    has_callers(&workers, 2).await;
    refused("hello", "503", "the queue is full").await;
}

#[tokio::test]
async fn a_closed_connection_takes_its_own_workers_alone() {
    let server = NatsServer::start().await;
    let arguments = [
        "--workers",
        "4",
        "--first-id",
        "7",
        "--connections",
        "2",
        "--seed",
        "1",
    ];
    let workers = Workers::start(&server, &arguments).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(4).await;
    workers.ctl(&["fault", "kind=disconnect", "select.first=1"]).await;
    let page = collector.has_workers(2).await;
    assert!(
        page.absent("llm_worker_kv_usage_ratio", &[("worker_id", "8")]),
        "{page}"
    );
    assert!(
        !page.absent("llm_worker_kv_usage_ratio", &[("worker_id", "9")]),
        "{page}"
    );
    workers.ctl(&["clear"]).await;
    let page = collector.has_workers(4).await;
    assert_eq!(page.sum("llm_worker_restarts_total", &[]), 0.0, "{page}");
    assert_eq!(workers.stop().await, Some(0));
}

/// Whoever waited for the server there would hear no signal.
#[tokio::test]
async fn workers_whose_connection_cannot_be_opened_again_can_be_stopped() {
    let mut server = NatsServer::start_on(free_port()).await;
    let arguments = ["run", "steady", "--connections", "2", "--set", DISCONNECT];
    let mut workers = Workers::start(&server, &arguments).await;
    workers.program().says(&["closed by a fault"]).await;
    server.stop().await;
    workers.program().says(&["NATS cannot be reached"]).await;
    assert_eq!(workers.stop().await, Some(0));
}

#[tokio::test]
async fn the_engines_own_page_says_what_the_workers_say() {
    let server = NatsServer::start().await;
    let arguments = [
        "run",
        "steady",
        "--clock",
        "stepped",
        "--seed",
        "1",
        "--metrics-port",
        "0",
    ];
    let mut workers = Workers::start(&server, &arguments).await;
    let url = workers.engines_page().await;
    let status = workers.ctl(&["advance", "10s"]).await;
    let get = async |accept: &str| {
        let asked = http_client()
            .build()
            .expect("a client can be made")
            .get(&url)
            .header("accept", accept);
        let reply = asked.send().await.expect("it is served");
        let kind = reply.headers()["content-type"]
            .to_str()
            .expect("a text")
            .to_owned();
        (kind, Page::parse(&reply.text().await.expect("a text")))
    };
    let (kind, open_metrics) = get("application/openmetrics-text;version=1.0.0").await;
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    let (kind, page) = get("*/*").await;
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    for name in [
        "vllm:prompt_tokens_total",
        "vllm:e2e_request_latency_seconds_count",
    ] {
        assert_eq!(open_metrics.sum(name, &[]), page.sum(name, &[]), "{name}");
    }
    assert_eq!(page.values_of("worker_id", "vllm:num_requests_running").len(), 4);
    for (metric, field) in [
        ("vllm:num_requests_running", "running"),
        ("vllm:num_requests_waiting", "waiting"),
    ] {
        assert_eq!(
            Some(page.sum(metric, &[])),
            status[field].as_f64(),
            "{metric}\n{page}"
        );
    }
    assert!(page.sum("vllm:generation_tokens_total", &[]) > 100.0, "{page}");
}

#[tokio::test]
async fn a_run_ends_by_itself_when_its_time_is_over() {
    let server = NatsServer::start().await;
    let arguments = [
        "run",
        "steady",
        "--duration",
        "5s",
        "--speed",
        "50",
        "--seed",
        "1",
    ];
    let mut workers = Workers::start(&server, &arguments).await;
    assert_eq!(workers.program().ended().await.code(), Some(0));
}
