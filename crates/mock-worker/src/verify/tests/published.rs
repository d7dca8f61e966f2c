//! Pages of workers that publish, and truths of their messages.

use std::fmt::Write;

use serde_json::{Value, json};

use super::*;
use crate::truth::Publication;

/// The page is made at this time, in seconds of Unix time.
const LOOKED: f64 = 1_700_000_100.0;

/// What a message says, and how long before the page it was sent.
type Message = (f64, &'static str, Value);

fn pass(before: f64, counter: u64, milliseconds: u64, running: u64, waiting: u64) -> Message {
    let event = json!({
        "version": 1, "worker_id": "7", "dp_rank": 0, "counter_id": counter, "wall_time": milliseconds as f64 / 1e3,
        "scheduled_requests": {
            "num_prefill_requests": 1, "sum_prefill_tokens": 10 * counter, "var_prefill_length": 0.0,
            "sum_prefill_kv_tokens": 0, "num_decode_requests": running, "sum_decode_kv_tokens": 50 * running,
            "var_decode_kv_tokens": 9.0},
        "queued_requests": {
            "num_prefill_requests": waiting, "sum_prefill_tokens": 7 * waiting, "var_prefill_length": 0.0,
            "num_decode_requests": 0, "sum_decode_kv_tokens": 0, "var_decode_kv_tokens": 0.0},
    });
    (before, "forward-pass-metrics", event)
}

fn heartbeat(before: f64, counter: u64) -> Message {
    let nothing = json!({});
    let event = json!({"worker_id": "7", "counter_id": counter, "wall_time": 0.0, "scheduled_requests": nothing,
        "queued_requests": nothing});
    (before, "forward-pass-metrics", event)
}

fn load(before: f64, blocks: u64) -> Message {
    (
        before,
        "kv_metrics",
        json!({"worker_id": 7, "dp_rank": 0, "kv_used_blocks": blocks}),
    )
}

fn trace(before: f64, ttft_ms: f64, tokens: u64) -> Message {
    let request = json!({"request_id": "r", "input_tokens": 40, "output_tokens": tokens, "cached_tokens": 16,
        "ttft_ms": ttft_ms, "total_time_ms": 2.0 * ttft_ms, "avg_itl_ms": 5.0, "prefill_wait_time_ms": 1.0,
        "prefill_time_ms": ttft_ms - 1.0, "queue_depth": tokens, "worker": {"prefill_worker_id": 7, "decode_worker_id": 7}});
    let event = json!({"schema": "dynamo.request.trace.v1", "event_type": "request_end", "request": request});
    (before, "dynamo.request_trace.v1", event)
}

/// What a collector shows that heard these messages, and no others.
fn page_of_heard(heard: &[&Message]) -> String {
    let mut page = format!(
        "llm_collector_snapshot_timestamp_seconds{{{}}} {LOOKED}\n",
        labels("e")
    );
    let worker = format!("{},worker_id=\"7\"", labels("e"));
    let mut show = |metric: &str, further: &str, value: f64| {
        writeln!(page, "{metric}{{{worker}{further}}} {value}").expect("a text takes all");
    };
    let of = |topic: &str| -> Vec<&Message> {
        heard
            .iter()
            .copied()
            .filter(|message| message.1 == topic)
            .collect()
    };
    for topic in ["forward-pass-metrics", "kv_metrics"] {
        if let Some((before, ..)) = of(topic).last() {
            let further = format!(",topic=\"{topic}\"");
            show(
                "llm_worker_last_event_timestamp_seconds",
                &further,
                LOOKED - before + 0.0004,
            );
        }
    }
    let passes = of("forward-pass-metrics");
    let real: Vec<&&Message> = passes
        .iter()
        .filter(|(.., event)| event["wall_time"] != 0.0)
        .collect();
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let mut lengths = Vec::new();
    if let Some((.., event)) = real.last() {
        let (scheduled, queued) = (&event["scheduled_requests"], &event["queued_requests"]);
        for (phase, count, tokens) in [
            ("prefill", "num_prefill_requests", "sum_prefill_tokens"),
            ("decode", "num_decode_requests", "sum_decode_kv_tokens"),
        ] {
            let further = format!(",phase=\"{phase}\"");
            show("llm_worker_requests_running", &further, number(&scheduled[count]));
            show("llm_worker_requests_queued", &further, number(&queued[count]));
            show("llm_worker_queued_tokens", &further, number(&queued[tokens]));
        }
        show(
            "llm_worker_decode_context_tokens",
            "",
            number(&scheduled["sum_decode_kv_tokens"]),
        );
        show("llm_worker_decode_context_stddev_tokens", "", 3.0);
        show(
            "llm_worker_request_slots_active",
            "",
            1.0 + number(&scheduled["num_decode_requests"]),
        );
        show(
            "llm_worker_requests_waiting",
            "",
            number(&queued["num_prefill_requests"]),
        );
        let sum = |field: &dyn Fn(&Value) -> f64| real.iter().map(|(.., event)| field(event)).sum::<f64>();
        show("llm_worker_forward_passes_total", "", real.len() as f64);
        show(
            "llm_worker_forward_pass_seconds_total",
            "",
            sum(&|event| number(&event["wall_time"])),
        );
        let prompts = sum(&|event| number(&event["scheduled_requests"]["sum_prefill_tokens"]));
        show("llm_worker_prefill_tokens_total", "", prompts);
        let steps = sum(&|event| number(&event["scheduled_requests"]["num_decode_requests"]));
        show("llm_worker_decode_steps_total", "", steps);
        lengths = real
            .iter()
            .map(|(.., event)| number(&event["wall_time"]))
            .collect();
        let counters: Vec<f64> = passes
            .iter()
            .map(|(.., event)| number(&event["counter_id"]))
            .collect();
        let lost: f64 = counters.windows(2).map(|pair| pair[1] - pair[0] - 1.0).sum();
        show(
            "llm_worker_messages_lost_total",
            ",topic=\"forward-pass-metrics\"",
            lost,
        );
    }
    if let Some((.., event)) = of("kv_metrics").last() {
        show(
            "llm_worker_kv_blocks_active",
            "",
            number(&event["kv_used_blocks"]),
        );
    }
    // Sums over the pool's only worker.
    for field in ["request_slots_active", "requests_waiting", "kv_blocks_active"] {
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("llm_worker_{field}{{")));
        if let Some(value) = line.and_then(|line| line.rsplit(' ').next()) {
            let line = format!("llm_pool_{field}{{{}}} {value}\n", labels("e"));
            page.push_str(&line);
        }
    }
    page.push_str(&histogram("llm_forward_pass_seconds", "", &lengths));
    let traces = of("dynamo.request_trace.v1");
    let values = |field: &str, scale: f64| -> Vec<f64> {
        traces
            .iter()
            .map(|(.., event)| number(&event["request"][field]) / scale)
            .collect()
    };
    for (metric, further, field, scale) in [
        ("llm_request_ttft_seconds", ",role=\"aggregated\"", "ttft_ms", 1e3),
        ("llm_request_itl_seconds", "", "avg_itl_ms", 1e3),
        ("llm_request_duration_seconds", "", "total_time_ms", 1e3),
        (
            "llm_request_prefill_wait_seconds",
            "",
            "prefill_wait_time_ms",
            1e3,
        ),
        ("llm_request_prefill_seconds", "", "prefill_time_ms", 1e3),
        ("llm_request_input_tokens", "", "input_tokens", 1.0),
        ("llm_request_output_tokens", "", "output_tokens", 1.0),
    ] {
        page.push_str(&histogram(metric, further, &values(field, scale)));
    }
    let cached: f64 = values("cached_tokens", 1.0).iter().sum();
    writeln!(
        page,
        "llm_request_cached_tokens_total{{{}}} {cached}",
        labels("e")
    )
    .expect("a text takes all");
    if let Some(depth) = values("queue_depth", 1.0).last() {
        writeln!(page, "llm_router_queue_depth{{{}}} {depth}", labels("e")).expect("a text takes all");
    }
    page
}

fn histogram(metric: &str, further: &str, values: &[f64]) -> String {
    let labels = labels("e") + further;
    let mut text = String::new();
    for bound in ["0.01", "0.1", "1", "20", "+Inf"] {
        let most: f64 = bound.parse().expect("a number");
        let count = values.iter().filter(|value| **value <= most).count();
        writeln!(text, "{metric}_bucket{{{labels},le=\"{bound}\"}} {count}").expect("a text takes all");
    }
    let sum: f64 = values.iter().sum();
    writeln!(text, "{metric}_sum{{{labels}}} {sum}").expect("a text takes all");
    writeln!(text, "{metric}_count{{{labels}}} {}", values.len()).expect("a text takes all");
    text
}

/// The differences between a page and these messages, of which some are lost by a fault.
fn differences(page: &str, messages: &[Message], lost: &[usize]) -> Vec<String> {
    let entries = messages.iter().enumerate().map(|(at, (before, topic, event))| {
        let published = Publication {
            time_ns: 60_000_000_000 - (before * 1e9) as u64,
            unix_seconds: LOOKED - before,
            worker: "7".to_owned(),
            topic: (*topic).to_owned(),
            event: event.clone(),
            lost: lost.contains(&at),
        };
        Ok((at + 1, Entry::Published(published)))
    });
    let page = Page::parse(page).expect("it is a page");
    let report = compare(&page, entries, &Options::default()).expect("all can be read");
    assert_eq!(report.workers, 1, "{:?}", report.differences);
    report.lines(usize::MAX).collect()
}

/// A worker that works, rests, and works again.
fn messages() -> Vec<Message> {
    vec![
        load(9.1, 0),
        pass(9.0, 1, 12, 2, 0),
        load(8.9, 5),
        pass(8.0, 2, 250, 3, 4),
        trace(7.0, 30.0, 20),
        heartbeat(6.0, 3),
        pass(3.0, 4, 8, 4, 1),
        trace(2.9, 700.0, 3),
        pass(0.9, 5, 9, 5, 2),
        load(0.8, 8),
        pass(0.3, 6, 95, 6, 0),
        trace(0.2, 55.0, 9),
        load(0.1, 3),
    ]
}

#[test]
fn a_page_that_heard_everything_is_right_also_if_it_heard_the_last_too_late_or_began_late() {
    let all = messages();
    let heard: Vec<&Message> = all.iter().collect();
    assert_eq!(
        differences(&page_of_heard(&heard), &all, &[]),
        Vec::<String>::new()
    );
    // What was sent in the last moment is still on its way.
    assert_eq!(
        differences(&page_of_heard(&heard[..9]), &all, &[]),
        Vec::<String>::new()
    );
    // It began to listen behind the second pass and the first trace.
    assert_eq!(
        differences(&page_of_heard(&heard[5..]), &all, &[]),
        Vec::<String>::new()
    );
}

#[test]
fn a_page_that_counts_otherwise_is_named_with_the_message() {
    let all = messages();
    let heard: Vec<&Message> = all.iter().collect();
    let page = page_of_heard(&heard);
    let check = |from: &str, to: &str, expected: &str| {
        assert!(page.contains(from), "{from} is not on the page:\n{page}");
        let found = differences(&page.replace(from, to), &all, &[]).join("\n");
        assert!(found.contains(expected), "{found}");
    };
    let worker = "dynamo_namespace=\"n\",dynamo_component=\"c\",dynamo_endpoint=\"e\",worker_id=\"7\"";
    let of_worker =
        |metric: &str, further: &str, value: &str| format!("{metric}{{{worker}{further}}} {value}\n");
    let counter = |metric: &str, from: &str, to: &str| {
        let expected = format!("worker 7: {metric} is {to} on the page, {from} in the truth (line 11)");
        check(
            &of_worker(metric, "", from),
            &of_worker(metric, "", to),
            &expected,
        );
    };
    counter("llm_worker_prefill_tokens_total", "180", "181");
    counter("llm_worker_decode_steps_total", "20", "21");
    counter("llm_worker_decode_context_tokens", "300", "299");
    counter("llm_worker_request_slots_active", "7", "8");
    let kv = of_worker("llm_worker_kv_blocks_active", "", "3");
    let other = of_worker("llm_worker_kv_blocks_active", "", "77");
    check(
        &kv,
        &other,
        "llm_worker_kv_blocks_active is 77 on the page, 3 in the truth (line 13)",
    );
    let running = of_worker("llm_worker_requests_running", ",phase=\"decode\"", "6");
    let other = of_worker("llm_worker_requests_running", ",phase=\"decode\"", "9");
    check(
        &running,
        &other,
        "llm_worker_requests_running of decode is 9 on the page, 6 in the truth",
    );
    let pool = labels("e");
    let series = |metric: &str, value: &str| format!("{metric}{{{pool}}} {value}\n");
    check(
        &series("llm_forward_pass_seconds_count", "5"),
        &series("llm_forward_pass_seconds_count", "6"),
        "llm_forward_pass_seconds_count of n/c/e is 6 on the page, 5 in the truth",
    );
    check(
        &series("llm_request_cached_tokens_total", "48"),
        &series("llm_request_cached_tokens_total", "40"),
        "llm_request_cached_tokens_total of n/c/e is 40 on the page, 48 in the truth (line 12)",
    );
    check(
        &format!("llm_request_duration_seconds_bucket{{{pool},le=\"0.1\"}} 1\n"),
        &format!("llm_request_duration_seconds_bucket{{{pool},le=\"0.1\"}} 2\n"),
        "llm_request_duration_seconds_bucket{le=\"0.1\"} of n/c/e is 2 on the page, 1 in the truth",
    );
}

#[test]
fn a_pass_that_is_counted_twice_is_found_and_its_pool_is_left_out() {
    let all = messages();
    let mut heard: Vec<&Message> = all.iter().collect();
    heard.insert(9, &all[8]);
    let found = differences(&page_of_heard(&heard), &all, &[]);
    assert!(
        found
            .iter()
            .any(|line| line.contains("llm_worker_forward_pass_seconds_total")),
        "{found:?}"
    );
    assert!(
        !found
            .iter()
            .any(|line| line.contains("llm_forward_pass_seconds_")),
        "{found:?}"
    );
}

#[test]
fn losses_by_a_fault_are_what_the_page_must_count() {
    let all = messages();
    let heard: Vec<&Message> = all
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != 6)
        .map(|(_, one)| one)
        .collect();
    let page = page_of_heard(&heard);
    assert_eq!(differences(&page, &all, &[6]), Vec::<String>::new());
    let further = ",topic=\"forward-pass-metrics\"";
    let found = differences(
        &page.replace(&format!("{further}}} 1\n"), &format!("{further}}} 0\n")),
        &all,
        &[6],
    );
    assert!(
        found[0].contains("llm_worker_messages_lost_total is 0 on the page, 1 in the truth"),
        "{found:?}"
    );
}

#[test]
fn zeros_are_right_behind_a_heartbeat_alone() {
    let idle = |text: &str| -> String {
        let is_gauge = |line: &str| {
            let names = [
                "requests_running",
                "requests_queued",
                "queued_tokens",
                "decode_context",
                "slots_active",
                "requests_waiting",
            ];
            names
                .iter()
                .any(|name| line.split('{').next().unwrap_or_default().contains(name))
        };
        let zero = |line: &str| {
            line.rsplit_once(' ')
                .map_or_else(String::new, |(series, _)| format!("{series} 0"))
        };
        text.lines().map(|line| if is_gauge(line) { zero(line) } else { line.to_owned() } + "\n").collect()
    };
    let mut all = messages();
    let page = |all: &[Message]| page_of_heard(&all.iter().collect::<Vec<_>>());
    assert!(!differences(&idle(&page(&all)), &all, &[]).is_empty());
    all.push(heartbeat(0.05, 7));
    assert_eq!(differences(&idle(&page(&all)), &all, &[]), Vec::<String>::new());
    assert_eq!(
        differences(&page(&all), &all, &[]),
        Vec::<String>::new(),
        "a pass may be a long one"
    );
}

#[test]
fn a_worker_that_publishes_must_be_on_the_page() {
    let all: Vec<Message> = (0..50_u64)
        .map(|at| pass(6.0 - 0.1 * at as f64, at + 1, 8, 1, 0))
        .collect();
    let page = format!(
        "llm_collector_snapshot_timestamp_seconds{{{}}} {LOOKED}\n",
        labels("e")
    );
    let entries = all.iter().enumerate().map(|(at, (before, topic, event))| {
        let published = Publication {
            time_ns: 0,
            unix_seconds: LOOKED - before,
            worker: "7".to_owned(),
            topic: (*topic).to_owned(),
            event: event.clone(),
            lost: false,
        };
        Ok((at + 1, Entry::Published(published)))
    });
    let page = Page::parse(&page).expect("it is a page");
    let report = compare(&page, entries, &Options::default()).expect("all can be read");
    let lines: Vec<String> = report.lines(9).collect();
    assert_eq!(
        lines,
        ["worker 7: worker is absent on the page, publishing in the truth (line 50)"]
    );
}
