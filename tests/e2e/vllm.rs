//! The engines' own page, scraped by a real Prometheus and asked what vLLM's published dashboard asks.

use serde_json::json;
use tests::{NatsServer, Prometheus, Workers, eventually, tools};

/// The queries of `examples/observability/prometheus_grafana/grafana.json` of vLLM, panel by panel.
fn dashboard() -> Vec<String> {
    let mut queries = Vec::new();
    for histogram in [
        "e2e_request_latency_seconds",
        "inter_token_latency_seconds",
        "time_to_first_token_seconds",
    ] {
        for quantile in ["0.99", "0.95", "0.9", "0.5"] {
            queries.push(format!(
                "histogram_quantile({quantile}, sum by(le) (rate(vllm:{histogram}_bucket{{M}}[I])))"
            ));
        }
        queries.push(format!(
            "rate(vllm:{histogram}_sum{{M}}[I])\n/\nrate(vllm:{histogram}_count{{M}}[I])"
        ));
    }
    for query in [
        "rate(vllm:prompt_tokens_total{M}[I])",
        "rate(vllm:generation_tokens_total{M}[I])",
        "vllm:num_requests_running{M}",
        "vllm:num_requests_waiting{M}",
        "vllm:kv_cache_usage_perc{M}",
        "sum by(le) (increase(vllm:request_prompt_tokens_bucket{M}[I]))",
        "sum by(le) (increase(vllm:request_generation_tokens_bucket{M}[I]))",
        "sum by(finished_reason) (increase(vllm:request_success_total{M}[I]))",
        "rate(vllm:request_queue_time_seconds_sum{M}[I])",
        "rate(vllm:request_prefill_time_seconds_sum{M}[I])",
        "rate(vllm:request_decode_time_seconds_sum{M}[I])",
        "rate(vllm:request_max_num_generation_tokens_sum{M}[I])",
    ] {
        queries.push(query.to_owned());
    }
    let fill = |query: String| {
        query
            .replace("{M}", "{model_name=\"simulated\"}")
            .replace("[I]", "[10s]")
    };
    queries.into_iter().map(fill).collect()
}

#[tokio::test]
async fn every_panel_of_vllms_dashboard_has_data() {
    let test = "every_panel_of_vllms_dashboard_has_data";
    let Some(program) = tools::program("E2E_PROMETHEUS", test) else {
        return;
    };
    let server = NatsServer::start().await;
    let arguments = [
        "run",
        "steady",
        "--workers",
        "2",
        "--seed",
        "1",
        "--speed",
        "4",
        "--metrics-port",
        "0",
    ];
    let mut workers = Workers::start(&server, &arguments).await;
    let url = workers.engines_page().await;
    let address = url.trim_start_matches("http://").trim_end_matches("/metrics");
    let job = json!({"job_name": "engines", "static_configs": [{"targets": [address]}]});
    let prometheus = Prometheus::start(&program, &[job]).await;
    for query in dashboard() {
        eventually(&format!("{query} has data"), async || {
            let answer = prometheus.get("query", ("query", &query)).await?;
            let results = answer["data"]["result"].as_array().cloned().unwrap_or_default();
            // A quotient of nothing by nothing is a line without points.
            let is_shown =
                |result: &serde_json::Value| result["value"][1].as_str().is_some_and(|v| v != "NaN");
            match results.iter().any(is_shown) {
                true => Ok(()),
                false => Err(answer.to_string()),
            }
        })
        .await;
    }
    // The series have the types that vLLM's have.
    for (metric, kind) in [
        ("vllm:request_success_total", "counter"),
        ("vllm:num_requests_running", "gauge"),
        ("vllm:time_to_first_token_seconds", "histogram"),
    ] {
        let name = metric.trim_end_matches("_total");
        eventually(&format!("{metric} is a {kind}"), async || {
            for name in [metric, name] {
                let answer = prometheus.get("metadata", ("metric", name)).await?;
                if answer["data"][name][0]["type"] == kind {
                    return Ok(());
                }
            }
            Err("another type, or none".to_owned())
        })
        .await;
    }
}
