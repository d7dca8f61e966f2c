//! What an operator reads: the verdict of `explain`, the load in `list`, and what `metrics` says without anything to watch.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use protocol::Layout;
use rustix::process::Signal;
use serde_json::Value;
use tests::{
    Collector, Finished, Micro, NatsServer, Program, TestFleet, Workers, finish, free_port, metrics,
};

use crate::TARGET;

/// A short look.
async fn run(server: &NatsServer, arguments: &[&str]) -> Finished {
    let short = ["--listen-for", "200ms", "--server", server.url()];
    finish(metrics(&[arguments, &short].concat())).await
}

fn json(output: &Finished) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test]
async fn a_slip_in_a_name_is_answered_with_the_pool_that_was_meant_and_the_command_to_copy() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker("dynamo/x/my_endpoint", Layout::Hashed, Some(1)));
    fleet.join(&Micro::worker("prod/backend/generate", Layout::Plain, Some(2)));
    for (asked, meant) in [
        ("dynamo/x/my_endpoin", "dynamo/x/my_endpoint"),
        ("dymano/x/my_endpoint", "dynamo/x/my_endpoint"),
        ("prod/bakend/generate", "prod/backend/generate"),
    ] {
        let explained = run(&server, &["explain", asked]).await;
        assert_eq!(explained.code, Some(3), "{explained:?}");
        let first = explained.stdout.lines().next().unwrap_or_default();
        assert!(
            first.starts_with(asked) && first.contains(&format!("Did you mean {meant},")),
            "{explained:?}"
        );
        let command = format!("  metrics --target {meant} --server {}", server.url());
        assert!(
            explained.stdout.lines().any(|line| line == command),
            "{command} in {explained:?}"
        );
        let parsed = json(&run(&server, &["explain", asked, "--json"]).await);
        assert_eq!(parsed["did_you_mean"], meant, "{parsed}");
    }
    let other = run(&server, &["explain", "dynamo/y/other"]).await;
    assert!(!other.stdout.contains("Did you mean"), "{other:?}");
}

#[tokio::test]
async fn explain_is_short_next_to_many_workers_and_shows_each_when_all_are_asked_for() {
    const WORKERS: usize = 300;
    let server = NatsServer::start().await;
    let count = WORKERS.to_string();
    let _workers = Workers::start(&server, &["--component", "other", "--workers", &count]).await;
    let short = run(&server, &["explain", TARGET]).await;
    assert_eq!(short.code, Some(3), "{short:?}");
    assert!(short.stdout.lines().count() < 25, "{}", short.stdout);
    assert!(short.stdout.contains(&count), "{}", short.stdout);
    let all = run(&server, &["explain", TARGET, "--all"]).await;
    let subjects = all.stdout.lines().filter(|line| line.starts_with("  subject "));
    assert_eq!(subjects.count(), WORKERS, "{}", all.stdout);
    let parsed = json(&run(&server, &["explain", TARGET, "--json"]).await);
    assert_eq!(parsed["services"].as_array().map(Vec::len), Some(WORKERS));
}

#[tokio::test]
async fn two_workers_with_one_id_are_counted_alike_everywhere_and_both_instances_are_named() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let worker = |id| Micro::worker(TARGET, Layout::Hashed, Some(id));
    fleet.join(&worker(1));
    fleet.join(&worker(1).with_id("second").started_at("2026-01-02T03:05:00Z"));
    fleet.join(&worker(2));
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let page = collector.has_workers(2).await;
    assert_eq!(page.sum("llm_pool_workers", &[]), 2.0, "{page}");

    let explained = run(&server, &["explain", TARGET]).await;
    assert!(
        explained.stdout.starts_with(&format!("{TARGET} has 2 workers.")),
        "{explained:?}"
    );
    let listed = run(&server, &["list"]).await;
    let line = listed.stdout.lines().find(|line| line.starts_with(TARGET));
    let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
    assert_eq!(words.get(1), Some(&"2/2"), "{listed:?}");
    for shown in [&explained, &listed] {
        let both = "worker 1 is reported by 2 instances: second is shown, i1 is left out";
        assert!(shown.stdout.contains(both), "{both} in {shown:?}");
    }
}

#[tokio::test]
async fn denied_descriptions_and_events_are_named_and_not_taken_for_an_empty_server() {
    let denials = [
        ("publish: { deny: [\"$SRV.INFO.>\"] }", "$SRV.INFO.>"),
        ("subscribe: { deny: [\"namespace.>\"] }", "namespace."),
    ];
    for (permissions, denied) in denials {
        let config = format!(
            "authorization {{ users = [
                {{ user: open, password: open }}
                {{ user: narrow, password: narrow, permissions: {{ {permissions} }} }}
            ] }}
            no_auth_user: narrow"
        );
        let server = NatsServer::configured(&config, Some(("open", "open"))).await;
        let fleet = TestFleet::connect(&server).await;
        fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)));
        for look in [["list"].as_slice(), &["explain", "dynamo/my_component/other"]] {
            let seen = run(&server, look).await;
            for part in [
                "NATS does not let this user",
                denied,
                r#"publish: ["$SRV.STATS", "$SRV.STATS.>", "$SRV.INFO.>"]"#,
                r#"subscribe: ["_INBOX.>", "namespace.>"]"#,
            ] {
                assert!(seen.stdout.contains(part), "{look:?}: {part} in {seen:?}");
            }
        }
    }
}

#[tokio::test]
async fn list_shows_load_and_plain_services_and_again_while_it_watches() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for id in [100, 300] {
        fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(id)));
    }
    fleet.join(&Micro::service("orders", "o1").endpoint("orders.create", Value::Null));
    let listed = run(&server, &["list"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let words = |name: &str| -> Vec<&str> {
        let line = listed.stdout.lines().find(|line| line.starts_with(name));
        line.unwrap_or_default().split_whitespace().collect()
    };
    // Each runs 3 of 100 requests, 7 wait, and 100 or 300 of 1000 blocks are held.
    assert_eq!(
        words(TARGET),
        [TARGET, "2/2", "20%", "6/200", "14", "srv", "0.1.0", "hashed"],
        "{listed:?}"
    );
    assert_eq!(
        words("orders"),
        ["orders", "1", "0.1.0", "orders.create"],
        "{listed:?}"
    );
    assert!(listed.stdout.lines().all(|line| line.len() <= 100), "{listed:?}");

    let watching = |more: &[&str]| {
        let look = ["list", "--watch", "300ms", "--server", server.url()];
        Program::start("metrics", metrics(&[look.as_slice(), more].concat()))
    };
    let mut watch = watching(&[]);
    watch.says(&[TARGET, "2/2"]).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(3)));
    watch.says(&[TARGET, "3/3"]).await;
    assert!(
        !watch.log().concat().contains('\u{1b}'),
        "no terminal is moved that is none"
    );
    watch.signal(Signal::INT);
    assert_eq!(watch.ended().await.code(), Some(0));

    let mut watch = watching(&["--json"]);
    watch.says(&["\"fresh\":3"]).await;
    tests::eventually("a second line follows", async || match watch.log().len() {
        0 | 1 => Err(watch.log_tail()),
        _ => Ok(()),
    })
    .await;
    for line in watch.log() {
        let parsed: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(parsed["pools"][0]["path"], TARGET, "{line}");
    }
}

#[tokio::test]
async fn without_anything_to_watch_metrics_says_how_to_say_it_and_what_there_is() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)));
    let bare = finish(metrics(&["--server", server.url()])).await;
    assert_eq!(bare.code, Some(2), "{bare:?}");
    for part in [
        "--target",
        "--service",
        "--all-services",
        "--config",
        "metrics list",
        TARGET,
    ] {
        assert!(bare.stderr.contains(part), "{part} in {bare:?}");
    }
    assert!(bare.stdout.is_empty(), "{bare:?}");

    let silent = NatsServer::start().await;
    silent.pause().await;
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    for url in [nowhere.as_str(), silent.url()] {
        let begun = Instant::now();
        let bare = finish(metrics(&["--server", url])).await;
        assert_eq!(bare.code, Some(2), "{bare:?}");
        assert!(bare.stderr.contains("--target"), "{bare:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "it hangs for {:?}",
            begun.elapsed()
        );
    }
    silent.resume().await;
}

#[tokio::test]
async fn advice_has_the_form_in_which_the_target_was_given() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(
        "dynamo/MyComponent/my_endpoint",
        Layout::Hashed,
        Some(1),
    ));
    let names = ["--component", "my_component", "--endpoint", "my_endpoint"];
    for (arguments, advice) in [
        (names.as_slice(), "use --component MyComponent"),
        (
            &["--target", TARGET],
            "use --target dynamo/MyComponent/my_endpoint",
        ),
    ] {
        let mut collector = Collector::start(server.url(), arguments).await;
        collector.program().says(&["WARN", TARGET, advice]).await;
    }
}

#[tokio::test]
async fn what_a_command_shows_is_not_repeated_by_lines_of_the_log() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)));
    let looks = [["list"].as_slice(), &["explain", TARGET], &["doctor"]];
    let errors: BTreeSet<String> = futures_util::future::join_all(looks.map(|look| run(&server, look)))
        .await
        .into_iter()
        .map(|seen| seen.stderr)
        .collect();
    assert_eq!(errors, BTreeSet::from([String::new()]));
}
