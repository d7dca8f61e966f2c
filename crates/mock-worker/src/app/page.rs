//! The engines' own metrics on a page, under the names of a real engine, for those who scrape engines directly.

mod dynamo;
mod family;
mod sglang;
mod text;
mod throughput;
mod vllm;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use web::{Listeners, Security, Server};

use sim::Bounds;

use crate::args::{Config, EngineArg, InvalidInput};
use crate::stage::Engine;

pub(super) use family::Pool;
pub(super) use text::Format;
use text::{Numbers, Writer};
pub(super) use throughput::Throughput;

/// A request for the page, in a format.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) format: Format,
    answer: oneshot::Sender<String>,
}

/// Clients that ask for the page; none where there is no page. The page is served as long as this is kept.
#[derive(Debug)]
pub(super) struct Asking(Option<(mpsc::Receiver<Ask>, JoinSet<()>)>);

impl Ask {
    pub(super) fn answer(self, page: String) {
        // The client may be gone.
        let _ = self.answer.send(page);
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

/// The buckets of that engine's histograms.
pub(super) const fn bounds(engine: EngineArg) -> &'static Bounds {
    match engine {
        EngineArg::Vllm => &Bounds::VLLM,
        EngineArg::Sglang => &Bounds::SGLANG,
        EngineArg::Dynamo => &Bounds::DYNAMO,
    }
}

/// Writes the page of these workers, under the names of that engine.
pub(super) fn render(engine: EngineArg, engines: &[Engine], pool: &Pool, format: Format) -> String {
    let groups = match engine {
        EngineArg::Vllm => vllm::GROUPS,
        EngineArg::Sglang => sglang::GROUPS,
        EngineArg::Dynamo => dynamo::GROUPS,
    };
    let numbers = match (engine, format) {
        (EngineArg::Dynamo, Format::Classic) => Numbers::OfRust,
        _ => Numbers::OfPython,
    };
    family::render(groups, engines, pool, Writer::new(format, numbers))
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
        .fallback(async || (StatusCode::NOT_FOUND, "not here; the page is /metrics\n"))
        .with_state(ask);
    server.announce("serving the engines' own metrics", "/metrics");
    let mut serving = JoinSet::new();
    // It ends with the program, when it is dropped.
    serving.spawn(server.serve(router, CancellationToken::new()));
    Asking(Some((asking, serving)))
}

async fn page(State(ask): State<mpsc::Sender<Ask>>, headers: HeaderMap) -> Response {
    let accept: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let format = Format::wanted(&accept.join(","));
    let (answer, answered) = oneshot::channel();
    if ask.send(Ask { format, answer }).await.is_ok()
        && let Ok(page) = answered.await
    {
        let headers = [(CONTENT_TYPE, format.content_type()), (VARY, "Accept")];
        return (headers, page).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "the workers are stopping\n").into_response()
}

#[cfg(test)]
mod tests;
