//! Where the page is pushed: real receivers, and receivers that fail.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::Layout;
use serde_json::Value;
use tests::{Collector, Micro, NatsServer, Prometheus, Pushgateway, TestFleet, eventually, load, tools};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::TARGET;

pub(crate) fn workers(count: u64) -> Vec<Micro> {
    let worker = |id| Micro::worker(TARGET, Layout::Hashed, Some(id)).with_data(load(10 * id));
    (1..=count).map(worker).collect()
}

/// The values that a query yields, by worker.
async fn by_worker(prometheus: &Prometheus, query: &str) -> Result<BTreeMap<String, String>, String> {
    let answer = prometheus.get("query", ("query", query)).await?;
    let series = answer["data"]["result"]
        .as_array()
        .ok_or_else(|| answer.to_string())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let value = |series: &Value| (text(&series["metric"]["worker_id"]), text(&series["value"][1]));
    Ok(series.iter().map(value).collect())
}

pub(crate) async fn has(prometheus: &Prometheus, query: &str, expected: &[(&str, &str)]) {
    let expected = expected
        .iter()
        .map(|(id, value)| ((*id).to_owned(), (*value).to_owned()));
    let expected: BTreeMap<_, _> = expected.collect();
    eventually(&format!("{query} is {expected:?}"), async || {
        match by_worker(prometheus, query).await? {
            found if found == expected => Ok(()),
            found => Err(format!("{found:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_real_prometheus_takes_remote_writes_and_series_of_a_gone_worker_end_at_once() {
    let test = "a_real_prometheus_takes_remote_writes_and_series_of_a_gone_worker_end_at_once";
    let Some(program) = tools::program("E2E_PROMETHEUS", test) else {
        return;
    };
    let prometheus = Prometheus::receiving(&program).await;
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let workers = workers(3);
    workers.iter().for_each(|worker| fleet.join(worker));
    let url = prometheus.write_url();
    let flags = ["--remote-write-url", &url, "--remote-write-label", "zone=a"];
    let collector = Collector::watching(&server, TARGET, &flags).await;
    let page = collector.has_workers(3).await;

    has(&prometheus, "count(llm_worker_kv_blocks_active)", &[("", "3")]).await;
    let active = "llm_worker_kv_blocks_active{job=\"llm-metrics\",zone=\"a\",instance=~\".+:[0-9]+\"}";
    has(&prometheus, active, &[("1", "10"), ("2", "20"), ("3", "30")]).await;
    for name in [
        "llm_worker_kv_blocks_active",
        "llm_worker_kv_usage_ratio",
        "llm_worker_requests_waiting",
        "llm_worker_info",
    ] {
        let written = by_worker(&prometheus, name).await.unwrap();
        let shown = page.samples(name, &[]);
        let shown: BTreeMap<_, _> = shown
            .map(|sample| (sample.labels["worker_id"].clone(), sample.value.to_string()))
            .collect();
        assert_eq!(written, shown, "{name}");
    }

    fleet.leave(&workers[1]);
    has(
        &prometheus,
        "llm_worker_kv_blocks_active",
        &[("1", "10"), ("3", "30")],
    )
    .await;
    has(&prometheus, "llm_worker_info", &[("1", "1"), ("3", "1")]).await;

    let arrived = [("sink", "remote_write"), ("result", "success")];
    collector
        .shows("pushes are counted", |page| {
            page.value("llm_collector_pushes_total", &arrived) > Some(0.0)
        })
        .await;
    assert_eq!(collector.stop().await, Some(0));
    has(&prometheus, "llm_worker_kv_blocks_active", &[]).await;
    has(&prometheus, "llm_collector_build_info", &[]).await;
}

#[tokio::test]
async fn a_real_pushgateway_has_the_page_until_its_group_is_deleted() {
    let test = "a_real_pushgateway_has_the_page_until_its_group_is_deleted";
    let Some(program) = tools::program("E2E_PUSHGATEWAY", test) else {
        return;
    };
    let gateway = Pushgateway::start(&program).await;
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    workers(2).iter().for_each(|worker| fleet.join(worker));
    for (flags, remain) in [(&["--push-delete"][..], false), (&[], true)] {
        let common = [
            "--push",
            "--push-url",
            gateway.url(),
            "--push-interval",
            "200ms",
            "--push-grouping",
            "zone=a/b",
        ];
        let collector = Collector::watching(&server, TARGET, &[&common, flags].concat()).await;
        collector.has_workers(2).await;
        let labels = [("job", "llm-metrics"), ("zone", "a/b"), ("worker_id", "2")];
        eventually("the gateway has the page", async || {
            let page = gateway.page().await?;
            match page.value("llm_worker_kv_blocks_active", &labels) {
                Some(20.0) => Ok(()),
                _ => Err(page.to_string()),
            }
        })
        .await;
        assert_eq!(collector.stop().await, Some(0));
        let page = gateway.page().await.unwrap();
        assert_eq!(
            page.value("llm_worker_kv_blocks_active", &labels).is_some(),
            remain,
            "{page}"
        );
    }
}

/// A receiver that answers every request with `answer`, or never if there is none.
async fn receiver(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:secret@{}/write", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = [0; 65_536];
                while let Ok(1..) = stream.read(&mut read).await {
                    if let Some(answer) = answer {
                        stream.write_all(answer.as_bytes()).await.ok();
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_receiver_that_fails_delays_no_round_and_no_page_and_is_reported_once() {
    const REFUSAL: &str =
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 17\r\n\r\nout of order\nmore";
    const BUSY: &str =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy";
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    workers(2).iter().for_each(|worker| fleet.join(worker));
    let absent = format!("http://user:secret@127.0.0.1:{}/write", tests::free_port());
    for (url, result, reason) in [
        (absent, Some("failure"), "refused"),
        (
            receiver(Some(REFUSAL)).await,
            Some("refused"),
            "400 Bad Request: out of order",
        ),
        (
            receiver(Some(BUSY)).await,
            Some("failure"),
            "503 Service Unavailable: busy",
        ),
        (receiver(None).await, None, ""),
    ] {
        let flags = [
            "--remote-write-url",
            &url,
            "--push-url",
            &url,
            "--push-interval",
            "200ms",
            "--grace",
            "1s",
        ];
        let mut collector = Collector::watching(&server, TARGET, &flags).await;
        collector.has_workers(2).await;
        let of = |name, sink| move |page: &tests::Page| page.value(name, &[("sink", sink)]);
        if let Some(result) = result {
            for sink in ["remote_write", "pushgateway"] {
                let labels = [("sink", sink), ("result", result)];
                collector
                    .shows("failures are counted", |page| {
                        page.value("llm_collector_pushes_total", &labels) >= Some(2.0)
                    })
                    .await;
                let lines = collector.program().lines_with(&["WARN", sink, reason]);
                assert_eq!(lines.len(), 1, "{lines:?}");
            }
        }
        if result != Some("refused") {
            let waiting = of("llm_collector_push_queue_snapshots", "remote_write");
            collector
                .shows("snapshots wait", |page| waiting(page) >= Some(2.0))
                .await;
        }
        let complete = |page: &tests::Page| page.sum("llm_collector_rounds_total", &[("finish", "complete")]);
        let before = complete(&collector.page().await);
        let page = collector.rounds(5).await;
        assert!(complete(&page) >= before + 5.0, "rounds go on: {page}");
        let last = of(
            "llm_collector_push_last_success_timestamp_seconds",
            "remote_write",
        );
        assert_eq!(last(&page), None);
        assert!(collector.program().lines_with(&["secret"]).is_empty());
        let began = Instant::now();
        assert_eq!(collector.stop().await, Some(0));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
