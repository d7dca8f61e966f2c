//! The page of some workers, in both formats.

use super::*;
use crate::page::Page;
use crate::scenario::{Scenario, Setting};
use crate::stage::{Engine, Stage};
use sim::{Journal, Steps};

/// Two workers after a minute; the second one is down.
fn engines(of: EngineArg) -> Vec<Engine> {
    let settings = ["workers=2", "fault=[{kind=\"crash\",at=50,select={last=1}}]"];
    let settings: Vec<Setting> = settings
        .iter()
        .map(|text| text.parse().expect("a setting"))
        .collect();
    let scenario = Scenario::load("steady", &settings).expect("valid");
    let ids = [7, 8].map(protocol::WorkerId::new);
    let config = scenario.fleet(1, &ids, Steps::AtOnce).expect("it can be had");
    let mut stage = Stage::new(&config, &ids, &scenario.fault, 1).expect("it can be");
    stage.record_latencies(bounds(of));
    stage.advance(60_000_000_000, &mut Journal::default(), &mut Vec::new());
    let mut engines = stage.engines();
    Throughput::default().measure(stage.now(), &mut engines);
    engines
}

fn text(of: EngineArg, format: Format) -> String {
    let path = "dynamo/back\"end/generate".parse().expect("a path");
    render(of, &engines(of), &Pool::new(&path), format)
}

#[test]
fn the_page_has_each_worker_once_and_no_load_of_one_that_is_down() {
    let engines = engines(EngineArg::Vllm);
    for format in [Format::Classic, Format::OpenMetrics] {
        let text = text(EngineArg::Vllm, format);
        assert_eq!(text.ends_with("# EOF\n"), format == Format::OpenMetrics);
        let page = Page::parse(&text).expect("well-formed");
        let first = [("worker_id", "7"), ("engine", "0"), ("model_name", "simulated")];
        assert!(!page.absent("vllm:kv_cache_usage_perc", &first));
        assert!(page.absent("vllm:num_requests_waiting", &[("engine", "1")]));
        let counters = engines.iter().map(|engine| engine.view.counters);
        let finished: u64 = counters.clone().map(|counters| counters.finished).sum();
        let stopped = [("finished_reason", "stop")];
        assert_eq!(page.sum("vllm:request_success_total", &stopped), finished as f64);
        let aborted = [("finished_reason", "abort"), ("engine", "1")];
        assert!(page.sum("vllm:request_success_total", &aborted) > 0.0);
        for name in [
            "e2e_request_latency_seconds",
            "request_prompt_tokens",
            "request_decode_time_seconds",
        ] {
            assert_eq!(
                page.sum(&format!("vllm:{name}_count"), &[]),
                finished as f64,
                "{name}"
            );
            let all = [("le", "+Inf")];
            assert_eq!(
                page.sum(&format!("vllm:{name}_bucket"), &all),
                finished as f64,
                "{name}"
            );
        }
        let tokens: u64 = counters.map(|counters| counters.output_tokens).sum();
        assert_eq!(page.sum("vllm:generation_tokens_total", &[]), tokens as f64);
    }
}

#[test]
fn a_counter_is_named_as_each_format_wants_it() {
    let classic = text(EngineArg::Vllm, Format::Classic);
    assert!(
        classic.contains("# TYPE vllm:prompt_tokens_total counter\n"),
        "{classic}"
    );
    assert!(classic.contains("_bucket{engine=\"0\",model_name=\"simulated\",worker_id=\"7\",le=\"0.3\"} "));
    assert!(classic.contains("le=\"1.0\"} "), "as vLLM writes it");
    let open_metrics = text(EngineArg::Vllm, Format::OpenMetrics);
    assert!(
        open_metrics.contains("# TYPE vllm:prompt_tokens counter\n"),
        "{open_metrics}"
    );
}

/// Name, type and labels of every family, as the engines' sources and documents have them.
fn families(of: EngineArg) -> String {
    let text = text(of, Format::Classic);
    let mut families = String::new();
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        let (name, kind) = line["# TYPE ".len()..]
            .split_once(' ')
            .expect("a name and a type");
        let sample = text.lines().find(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', '_']))
        });
        let labels = sample
            .and_then(|sample| sample.split_once('{'))
            .expect("labels")
            .1;
        let labels = labels.split_once('}').expect("their end").0;
        let names: Vec<&str> = labels
            .split("\",")
            .filter_map(|label| label.split_once('='))
            .map(|(label, _)| label)
            .filter(|label| *label != "le")
            .collect();
        families.push_str(&format!("{name} {kind} {}\n", names.join(",")));
    }
    families
}

#[test]
fn names_types_and_labels_are_those_of_each_engine() {
    insta::assert_snapshot!("vllm", families(EngineArg::Vllm));
    insta::assert_snapshot!("sglang", families(EngineArg::Sglang));
    insta::assert_snapshot!("dynamo", families(EngineArg::Dynamo));
}

#[test]
fn the_same_workers_are_under_the_names_of_each_engine() {
    let page = |of| Page::parse(&text(of, Format::OpenMetrics)).expect("well-formed");
    let (vllm, sglang, dynamo) = (
        page(EngineArg::Vllm),
        page(EngineArg::Sglang),
        page(EngineArg::Dynamo),
    );
    let first = [("worker_id", "7")];
    for (of_vllm, page, name) in [
        ("vllm:num_requests_running", &sglang, "sglang:num_running_reqs"),
        ("vllm:num_requests_waiting", &sglang, "sglang:num_queue_reqs"),
        ("vllm:kv_cache_usage_perc", &sglang, "sglang:token_usage"),
        (
            "vllm:generation_tokens_total",
            &sglang,
            "sglang:generation_tokens_total",
        ),
        (
            "vllm:prompt_tokens_cached_total",
            &sglang,
            "sglang:cached_tokens_total",
        ),
        (
            "vllm:e2e_request_latency_seconds_sum",
            &sglang,
            "sglang:e2e_request_latency_seconds_sum",
        ),
        (
            "vllm:kv_cache_usage_perc",
            &dynamo,
            "dynamo_component_gpu_cache_usage_percent",
        ),
        (
            "vllm:e2e_request_latency_seconds_count",
            &dynamo,
            "dynamo_component_request_duration_seconds_count",
        ),
    ] {
        assert_eq!(vllm.sum(of_vllm, &first), page.sum(name, &first), "{name}");
        assert!(vllm.sum(of_vllm, &first) >= 0.0);
    }
    let rate = sglang.sum("sglang:gen_throughput", &first);
    let tokens = sglang.sum("sglang:generation_tokens_total", &first);
    assert!(
        tokens > 0.0 && (rate - tokens / 60.0).abs() < 1e-9,
        "{rate} of {tokens}"
    );
    let pool = [("dynamo_component", "back\"end"), ("dynamo_endpoint", "generate")];
    assert!(dynamo.sum("dynamo_component_requests_total", &pool) > 0.0);
    let sources = vllm.sum("vllm:prompt_tokens_by_source_total", &first);
    assert_eq!(sources, vllm.sum("vllm:prompt_tokens_total", &first));
}
