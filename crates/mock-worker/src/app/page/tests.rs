//! The page of some workers, in both formats.

use super::*;
use crate::page::Page;
use crate::scenario::{Scenario, Setting};
use crate::stage::{Engine, Stage};
use sim::{Journal, Steps};

/// Two workers after a minute; the second one is down.
fn engines() -> Vec<Engine> {
    let settings = ["workers=2", "fault=[{kind=\"crash\",at=50,select={last=1}}]"];
    let settings: Vec<Setting> = settings
        .iter()
        .map(|text| text.parse().expect("a setting"))
        .collect();
    let scenario = Scenario::load("steady", &settings).expect("valid");
    let ids = [7, 8].map(protocol::WorkerId::new);
    let config = scenario.fleet(1, &ids, Steps::AtOnce).expect("it can be had");
    let mut stage = Stage::new(&config, &ids, &scenario.fault, 1).expect("it can be");
    stage.record_latencies();
    stage.advance(60_000_000_000, &mut Journal::default(), &mut Vec::new());
    stage.engines()
}

#[test]
fn the_page_has_each_worker_once_and_no_load_of_one_that_is_down() {
    let engines = engines();
    for format in [Format::Classic, Format::OpenMetrics] {
        let text = render(&engines, format);
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
    let classic = render(&engines(), Format::Classic);
    assert!(
        classic.contains("# TYPE vllm:prompt_tokens_total counter\n"),
        "{classic}"
    );
    assert!(classic.contains("_bucket{engine=\"0\",model_name=\"simulated\",worker_id=\"7\",le=\"0.3\"} "));
    assert!(classic.contains("le=\"1.0\"} "), "as vLLM writes it");
    let open_metrics = render(&engines(), Format::OpenMetrics);
    assert!(
        open_metrics.contains("# TYPE vllm:prompt_tokens counter\n"),
        "{open_metrics}"
    );
}
