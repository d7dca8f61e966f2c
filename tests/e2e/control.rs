//! `mock-worker ctl`: what is asked of running workers, and by which name they are found.

use futures_util::StreamExt;
use protocol::{Layout, WorkerId, WorkerSubject};
use serde_json::{Value, json};
use tests::{Collector, NatsServer, Workers, eventually};

use crate::TARGET;
use crate::simulator::IDLE;

#[tokio::test]
async fn control_changes_all_that_is_asked_or_nothing() {
    let server = NatsServer::start().await;
    let workers = Workers::start(&server, &[&IDLE[..], &["2"]].concat()).await;
    workers
        .ctl(&["set", "traffic.rate=50", "traffic.output.fixed=100"])
        .await;
    let busy = workers.ctl(&["advance", "2s"]).await;
    assert!(busy["running"].as_u64() > Some(5), "{busy}");

    let refused = workers
        .try_ctl(&["set", "traffic.rate=0", "traffic.output.fixed=0"])
        .await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("nothing is changed") && refused.stderr.contains("0 tokens"),
        "{}",
        refused.stderr
    );
    let still_busy = workers.ctl(&["advance", "10s"]).await;
    assert!(still_busy["running"].as_u64() > Some(5), "{still_busy}");

    let client = server.client().await;
    for (payload, reason) in [
        ("{", "not a request"),
        (r#"{"explode": {}}"#, "explode"),
        (r#"{"set": {"settings": ["worker.slots=1"]}}"#, "worker.slots"),
        (r#"{"clear": {"what": "7"}}"#, "no fault 7"),
    ] {
        let answer = client
            .request("mock-worker.control.default", payload.into())
            .await
            .expect("an answer");
        let answer = String::from_utf8_lossy(&answer.payload).into_owned();
        assert!(
            answer.contains("refused") && answer.contains(reason),
            "{payload}: {answer}"
        );
    }
}

#[tokio::test]
async fn faults_come_and_go_by_control() {
    let server = NatsServer::start().await;
    let workers = Workers::start(&server, &["--workers", "4", "--first-id", "7", "--seed", "1"]).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(4).await;
    workers.ctl(&["fault", "kind=silent", "select.first=1"]).await;
    collector.has_workers(3).await;
    let status = workers.ctl(&["clear", "silent"]).await;
    assert_eq!(status["faults"], json!([]));
    collector.has_workers(4).await;

    workers
        .ctl(&[
            "fault",
            "kind=crash",
            "select.first=1",
            "for=100ms",
            "new_id=true",
        ])
        .await;
    collector.has_workers(4).await;
    collector
        .shows("it came back under another id", |page| {
            !page.absent("llm_worker_info", &[("worker_id", "8")])
                && page.samples("llm_worker_kv_usage_ratio", &[]).count() == 4
                && page.absent("llm_worker_kv_usage_ratio", &[("worker_id", "7")])
        })
        .await;

    let status = workers.ctl(&["kill", "last=1"]).await;
    assert_eq!(
        (&status["workers_up"], &status["workers_down"]),
        (&json!(3), &json!(1)),
        "{status}"
    );
    collector.has_workers(3).await;
    workers.ctl(&["drain", "all"]).await;
    collector.has_workers(0).await;
}

#[tokio::test]
async fn a_call_that_no_process_hears_says_which_one_it_sought() {
    let server = NatsServer::start().await;
    let workers = Workers::start(&server, &[&IDLE[..], &["1", "--name", "other"]].concat()).await;
    let lost = workers.try_ctl(&["status", "--name", "nosuch"]).await;
    assert_eq!(lost.code, Some(1));
    assert!(
        lost.stderr.contains("\"nosuch\"") && lost.stderr.contains("--name"),
        "{}",
        lost.stderr
    );
    workers.ctl(&["status", "--name", "other"]).await;
}

#[tokio::test]
async fn processes_are_listed_and_a_second_one_of_a_name_is_refused() {
    let server = NatsServer::start().await;
    let ctl = async |arguments: &[&str]| {
        let mut command = tests::built("mock-worker");
        command.arg("ctl").args(arguments).env("NATS_URL", server.url());
        tests::finish(command).await
    };
    let absent = ctl(&["list"]).await;
    assert_eq!(absent.code, Some(1), "{absent:?}");
    assert!(absent.stderr.contains("no process"), "{absent:?}");
    let _first = Workers::start(&server, &["run", "idle", "--workers", "3", "--name", "first"]).await;
    let _second = Workers::start(&server, &["run", "idle", "--workers", "1", "--name", "second"]).await;
    let listed = ctl(&["list"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let lines: Vec<Vec<&str>> = listed
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 3, "{listed:?}");
    assert_eq!((lines[1][0], lines[1][1]), ("first", "3"));
    assert_eq!((lines[2][0], lines[2][1]), ("second", "1"));
    let mut command = tests::built("mock-worker");
    command
        .args(["run", "idle", "--name", "first"])
        .env("NATS_URL", server.url());
    let refused = tests::finish(command).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for part in [
        "\"first\"",
        "3 workers of dynamo/my_component/my_endpoint",
        "be \"first-2\" with --share-name",
    ] {
        assert!(refused.stderr.contains(part), "no {part:?} in {refused:?}");
    }
}

#[tokio::test]
async fn processes_that_share_a_name_are_numbered_and_each_is_controlled_by_itself() {
    let server = NatsServer::start().await;
    let start = async || Workers::start(&server, &[&IDLE[..], &["2", "--name", "twin"]].concat()).await;
    let twins = [start().await, start().await, start().await];
    assert_eq!(
        [twins[0].name(), twins[1].name(), twins[2].name()],
        ["twin", "twin-2", "twin-3"]
    );
    twins[1].ctl(&["kill", "first=1"]).await;
    let listed = twins[0].ctl(&["list"]).await;
    let listed = listed.as_array().expect("a list of processes");
    let up: Vec<(&Value, &Value)> = listed
        .iter()
        .map(|process| (&process["name"], &process["workers_up"]))
        .collect();
    assert_eq!(
        up,
        [
            (&json!("twin"), &json!(2)),
            (&json!("twin-2"), &json!(1)),
            (&json!("twin-3"), &json!(2))
        ]
    );
}

#[tokio::test]
async fn processes_that_start_at_the_same_time_get_a_name_each() {
    let server = NatsServer::start().await;
    let start = async || Workers::start(&server, &[&IDLE[..], &["1", "--name", "twin"]].concat()).await;
    let twins = futures_util::future::join_all((0..4).map(|_| start())).await;
    let mut names: Vec<&str> = twins.iter().map(Workers::name).collect();
    names.sort_unstable();
    assert_eq!(names, ["twin", "twin-2", "twin-3", "twin-4"]);
    for workers in &twins {
        assert_eq!(workers.ctl(&["status"]).await["name"], workers.name());
    }
}

#[tokio::test]
async fn a_process_that_does_not_answer_has_its_name_all_the_same() {
    let server = NatsServer::start().await;
    let client = server.client().await;
    let mut silent = client
        .subscribe("mock-worker.control.twin")
        .await
        .expect("subscribes");
    client.flush().await.expect("sends");
    let second = Workers::start(&server, &[&IDLE[..], &["2", "--name", "twin"]].concat()).await;
    assert_eq!(second.name(), "twin-2");
    let asked = silent.next().await.expect("the connection is there");
    assert!(asked.reply.is_some(), "{asked:?}");
}

#[tokio::test]
async fn a_fleet_that_is_too_much_for_the_machine_lags_visibly_and_answers_all_the_same() {
    let server = NatsServer::start().await;
    let arguments = [
        "run",
        "steady",
        "--workers",
        "400",
        "--first-id",
        "7",
        "--speed",
        "1000",
    ];
    let mut workers = Workers::start(&server, &arguments).await;
    workers
        .program()
        .says(&["WARN", "behind the clock", "lag_seconds"])
        .await;
    let status = workers.ctl(&["status"]).await;
    assert!(status["lag_seconds"].as_f64() > Some(1.0), "{status}");
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(400).await;
    let client = server.client().await;
    let subject = WorkerSubject::new(
        &TARGET.parse().expect("a path"),
        Layout::Hashed,
        Some(WorkerId::new(7)),
    );
    let subject = subject.expect("the layout names every path").to_string();
    let mut answers = client.subscribe("answers").await.expect("subscribes");
    for _ in 0..100 {
        let asked = client.publish_with_reply(subject.clone(), "answers", "hello".into());
        asked.await.expect("it is sent");
    }
    // Each answer ends with an empty message, or says why there is none.
    let mut ended = 0;
    while ended < 100 {
        let part = eventually("another part of an answer came", async || {
            answers.next().await.ok_or("closed".to_owned())
        });
        ended += u32::from(part.await.payload.is_empty());
    }
    let status = workers.ctl(&["status"]).await;
    assert_eq!(status["messages_lost"], json!(0), "{status}");
    assert!(status["lag_seconds"].as_f64() > Some(1.0), "{status}");
}
