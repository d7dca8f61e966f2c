//! The engines' own page, scraped by a real Prometheus and asked what the published dashboards of the engines ask.

use serde_json::json;
use tests::{NatsServer, Prometheus, Workers, eventually, tools};

/// The queries of `examples/observability/prometheus_grafana/grafana.json` of vLLM, panel by panel.
fn of_vllm() -> Vec<String> {
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
    queries.into_iter().map(filled).collect()
}

/// A query with the model and the interval that a dashboard would fill in.
fn filled(query: String) -> String {
    query
        .replace("{M}", "{model_name=\"simulated\"}")
        .replace("[I]", "[10s]")
}

/// The queries of `examples/monitoring/grafana/dashboards/json/sglang-dashboard.json` of SGLang, panel by panel.
fn of_sglang() -> Vec<String> {
    let mut queries = Vec::new();
    for histogram in ["e2e_request_latency_seconds", "time_to_first_token_seconds"] {
        for quantile in ["0.99", "0.9", "0.5"] {
            queries.push(format!(
                "histogram_quantile({quantile}, sum by (le) (rate(sglang:{histogram}_bucket[I])))"
            ));
        }
        queries.push(format!(
            "avg(rate(sglang:{histogram}_sum[I]) / rate(sglang:{histogram}_count[I]))"
        ));
        queries.push(format!(
            "sum by(le) (increase(sglang:{histogram}_bucket{{M}}[I]))"
        ));
    }
    for gauge in [
        "num_running_reqs",
        "gen_throughput",
        "cache_hit_rate",
        "num_queue_reqs",
    ] {
        queries.push(format!("sglang:{gauge}"));
    }
    queries.into_iter().map(filled).collect()
}

/// What Dynamo's documents ask of a worker's own page.
fn of_dynamo() -> Vec<String> {
    let queries = [
        "sum(dynamo_component_inflight_requests{dynamo_component=\"my_component\",dynamo_endpoint=\"my_endpoint\"})",
        "sum(rate(dynamo_component_requests_total{M}[I]))",
        "histogram_quantile(0.95, sum by (le) (rate(dynamo_component_request_duration_seconds_bucket{M}[I])))",
        "dynamo_component_gpu_cache_usage_percent{dp_rank=\"0\"} * dynamo_component_total_blocks",
    ];
    queries
        .into_iter()
        .map(|query| filled(query.to_owned()))
        .collect()
}

/// Every query has data, and the metrics have these types.
async fn is_answered(engine: &str, queries: Vec<String>, types: [(&str, &str); 3], test: &str) {
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
        "--engine",
        engine,
        "--metrics-port",
        "0",
    ];
    let mut workers = Workers::start(&server, &arguments).await;
    let url = workers.engines_page().await;
    let address = url.trim_start_matches("http://").trim_end_matches("/metrics");
    let job = json!({"job_name": "engines", "static_configs": [{"targets": [address]}]});
    let prometheus = Prometheus::start(&program, &[job]).await;
    for query in queries {
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
    for (metric, kind) in types {
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

#[tokio::test]
async fn every_panel_of_vllms_dashboard_has_data() {
    let types = [
        ("vllm:request_success_total", "counter"),
        ("vllm:num_requests_running", "gauge"),
        ("vllm:time_to_first_token_seconds", "histogram"),
    ];
    let test = "every_panel_of_vllms_dashboard_has_data";
    is_answered("vllm", of_vllm(), types, test).await;
}

#[tokio::test]
async fn every_panel_of_sglangs_dashboard_has_data() {
    let types = [
        ("sglang:num_requests_total", "counter"),
        ("sglang:token_usage", "gauge"),
        ("sglang:queue_time_seconds", "histogram"),
    ];
    let test = "every_panel_of_sglangs_dashboard_has_data";
    is_answered("sglang", of_sglang(), types, test).await;
}

#[tokio::test]
async fn the_page_of_a_worker_of_dynamo_has_data() {
    let types = [
        ("dynamo_component_requests_total", "counter"),
        ("dynamo_component_inflight_requests", "gauge"),
        ("dynamo_component_request_duration_seconds", "histogram"),
    ];
    let test = "the_page_of_a_worker_of_dynamo_has_data";
    is_answered("dynamo", of_dynamo(), types, test).await;
}
