//! The engines' own metrics on a page in OpenMetrics, under the names that vLLM uses, for those who scrape engines
//! directly.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use sim::View;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use web::{Listeners, Security, Server};

use crate::args::{Config, InvalidInput};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Somebody asks for the page.
#[derive(Debug)]
pub(super) struct Ask(oneshot::Sender<String>);

/// Clients that ask for the page; none where there is no page. The page is served as long as this is kept.
#[derive(Debug)]
pub(super) struct Asking(Option<(mpsc::Receiver<Ask>, JoinSet<()>)>);

impl Ask {
    pub(super) fn answer(self, page: String) {
        // The client may be gone.
        let _ = self.0.send(page);
    }
}

impl Asking {
    pub(super) async fn next(&mut self) -> Option<Ask> {
        match &mut self.0 {
            Some((asking, _)) => asking.recv().await,
            None => std::future::pending().await,
        }
    }
}

/// Takes the addresses of the page, if it is wanted.
///
/// # Errors
/// Where one is in use; [`InvalidInput`] where the web configuration file cannot be used.
pub(super) async fn bind(config: &Config) -> anyhow::Result<Option<Server>> {
    if config.listen.is_empty() {
        return Ok(None);
    }
    let security = Security::open(config.web_config.as_ref()).map_err(|error| {
        let error = anyhow::Error::new(error);
        InvalidInput(error.context("--web-config-file cannot be used"))
    })?;
    let listeners = Listeners::bind(&config.listen).await?;
    Ok(Some(Server::new(listeners, security, config.limits)))
}

/// Serves the page, if it is wanted.
pub(super) fn serve(server: Option<Server>) -> Asking {
    let Some(server) = server else {
        return Asking(None);
    };
    let (ask, asking) = mpsc::channel(16);
    let router = Router::new()
        .route("/metrics", get(page))
        .method_not_allowed_fallback(async || {
            (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n")
        })
        .fallback(async || (StatusCode::NOT_FOUND, "not here; there is /metrics\n"))
        .with_state(ask);
    server.announce("serving the engines' own metrics", "/metrics");
    let mut serving = JoinSet::new();
    // It ends with the program, when it is dropped.
    serving.spawn(server.serve(router, CancellationToken::new()));
    Asking(Some((asking, serving)))
}

async fn page(State(ask): State<mpsc::Sender<Ask>>) -> Response {
    let (answer, answered) = oneshot::channel();
    if ask.send(Ask(answer)).await.is_ok()
        && let Ok(page) = answered.await
    {
        return ([(CONTENT_TYPE, OPEN_METRICS)], page).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "the workers are stopping\n").into_response()
}

type Value = fn(&View) -> Option<f64>;

/// Name, type, help, and where it comes from.
const METRICS: [(&str, MetricType, &str, Value); 10] = [
    (
        "vllm:num_requests_running",
        MetricType::Gauge,
        "Requests that run",
        |view| view.load.map(|load| load.request_active_slots as f64),
    ),
    (
        "vllm:num_requests_waiting",
        MetricType::Gauge,
        "Requests that wait",
        |view| view.load.map(|load| load.num_requests_waiting as f64),
    ),
    (
        "vllm:kv_cache_usage_perc",
        MetricType::Gauge,
        "KV-cache use, 1 is all of it",
        |view| view.load.map(|load| load.gpu_cache_usage_perc),
    ),
    (
        "vllm:num_preemptions",
        MetricType::Counter,
        "Requests set back for want of KV blocks",
        |view| Some(view.counters.preemptions as f64),
    ),
    (
        "vllm:prompt_tokens",
        MetricType::Counter,
        "Tokens of prompts that were computed",
        |view| Some(view.counters.input_tokens as f64),
    ),
    (
        "vllm:generation_tokens",
        MetricType::Counter,
        "Tokens of answers that were made",
        |view| Some(view.counters.output_tokens as f64),
    ),
    (
        "vllm:prefix_cache_queries",
        MetricType::Counter,
        "KV blocks looked up in the prefix cache",
        |view| Some(view.counters.lookup_blocks as f64),
    ),
    (
        "vllm:prefix_cache_hits",
        MetricType::Counter,
        "KV blocks found in the prefix cache",
        |view| Some(view.counters.hit_blocks as f64),
    ),
    (
        "vllm:request_success",
        MetricType::Counter,
        "Requests that got their whole answer",
        |view| Some(view.counters.finished as f64),
    ),
    (
        "vllm:request_queue_time_seconds",
        MetricType::Counter,
        "Time that requests waited for their first start",
        |view| Some(view.counters.queue_ns as f64 / 1e9),
    ),
];

/// All workers at a moment, each with its id.
#[derive(Debug)]
struct Engines(Vec<(u64, View)>);

impl Collector for Engines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, kind, help, value) in METRICS {
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            for (id, view) in &self.0 {
                let Some(value) = value(view) else { continue };
                let labels = [
                    ("model_name", "simulated".to_owned()),
                    ("worker_id", id.to_string()),
                ];
                let sample = metric.encode_family(&labels)?;
                match kind {
                    MetricType::Counter => ConstCounter::new(value).encode(sample)?,
                    _ => ConstGauge::new(value).encode(sample)?,
                }
            }
        }
        Ok(())
    }
}

/// Writes the page of these workers.
pub(super) fn render(workers: Vec<(u64, View)>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Engines(workers)));
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &registry).expect("a string takes all");
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Page;
    use sim::{Counters, Load};

    #[test]
    fn the_page_has_each_worker_once_and_no_load_of_one_that_is_down() {
        let view = |load| View {
            load,
            counters: Counters {
                output_tokens: 12,
                ..Counters::default()
            },
            requests: 0,
            errors: 0,
            processing_ns: 0,
        };
        let load = Load {
            num_requests_waiting: 3,
            ..Load::default()
        };
        let page = render(vec![(7, view(Some(load))), (8, view(None))]);
        let page = Page::parse(&page).expect("well-formed");
        assert_eq!(page.sum("vllm:num_requests_waiting", &[("worker_id", "7")]), 3.0);
        assert!(page.absent("vllm:num_requests_waiting", &[("worker_id", "8")]));
        assert_eq!(page.sum("vllm:generation_tokens_total", &[]), 24.0);
    }
}
