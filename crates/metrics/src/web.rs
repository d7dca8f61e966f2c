//! HTTP: which path answers with what. The JSON API is below `/api/v1`.

mod screens;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use web::{Cut, Server, shared_body};

use crate::api::{Query, Resource};
use crate::export::Format;
use crate::external::ExternalUrl;
use crate::page::{Encoding, Form, Page, Pages, ScreenError};
use crate::ready;
use crate::view::{Ask, Kind};

/// The answer to every other path.
const NOT_FOUND: &str = "not here; the pages are /, /why, /collector, /metrics, /healthz, /readyz and /api/v1/{pools,workers,services,snapshot,overview,pool,worker,why,collector,stream}\n";

/// What every handler needs.
#[derive(Clone)]
struct App {
    pages: Arc<Pages>,
    /// Cancelled when streams are to end.
    stop: CancellationToken,
}

impl FromRef<App> for Arc<Pages> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.pages)
    }
}

/// Serves until `stop`, then lets the requests that are under way end.
pub async fn serve(
    server: Server,
    pages: Arc<Pages>,
    external: Option<&ExternalUrl>,
    stop: CancellationToken,
) {
    let app = App {
        pages: Arc::clone(&pages),
        stop: stop.clone(),
    };
    let router = match external.map(ExternalUrl::prefix) {
        None | Some("") => router(app),
        Some(prefix) => under(prefix, router(app)),
    };
    let served = server.serve(router, stop);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        () = &mut served => {}
        // No more snapshots: the last ones are served until the end.
        () = pages.drop_outdated() => served.await,
    }
}

/// The same under a prefix as well: some proxies take it off, and some do not.
fn under(prefix: &str, router: Router) -> Router {
    let slashed = format!("{prefix}/");
    let to_root = {
        let slashed = slashed.clone();
        async move || Redirect::permanent(&slashed)
    };
    let prefixed = Router::new()
        .route(prefix, get(to_root))
        .nest_service(&slashed, router.clone());
    prefixed.fallback_service(router)
}

fn router(app: App) -> Router {
    Router::new()
        .route("/", get(screens::root))
        .route("/why", get(screens::why))
        .route("/collector", get(screens::collector))
        .route("/live", get(stream::page))
        .route("/assets/{name}", get(screens::asset))
        .route("/metrics", get(metrics))
        .route("/metrics/", get(metrics))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/api/v1/stream", get(stream::data))
        .route("/api/v1/{resource}", get(answer))
        .route("/api/v1/schema/{resource}", get(schema))
        .method_not_allowed_fallback(async || {
            (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n")
        })
        .fallback(async || (StatusCode::NOT_FOUND, NOT_FOUND))
        .with_state(app)
}

async fn metrics(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    let format = Format::negotiate(&joined(&headers, header::ACCEPT));
    let encoding = Encoding::negotiate(&joined(&headers, header::ACCEPT_ENCODING));
    match pages.get(format, encoding).await {
        Ok(page) => response(&page, format.content_type(), encoding),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn answer(
    State(pages): State<Arc<Pages>>,
    Path(resource): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Some(kind) = Kind::named(&resource) {
        return screen(&pages, kind, query.as_deref().unwrap_or_default(), &headers).await;
    }
    let Some(resource) = Resource::named(&resource) else {
        return (StatusCode::NOT_FOUND, NOT_FOUND).into_response();
    };
    let query: Query = match query.as_deref().unwrap_or_default().parse() {
        Ok(query) => query,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let encoding = Encoding::negotiate(&joined(&headers, header::ACCEPT_ENCODING));
    match pages.answer(resource, query, encoding).await {
        Ok(page) => json(&page, resource.name(), encoding),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn screen(pages: &Pages, kind: Kind, query: &str, headers: &HeaderMap) -> Response {
    let ask = match Ask::read(kind, query) {
        Ok(ask) => ask,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let encoding = Encoding::negotiate(&joined(headers, header::ACCEPT_ENCODING));
    match pages.screen(ask, Form::Json, encoding).await {
        Ok(page) => json(&page, kind.name(), encoding),
        Err(error) => failed(&error),
    }
}

fn json(page: &Page, name: &str, encoding: Encoding) -> Response {
    let mut response = response(page, "application/json", encoding);
    let schema = format!("</api/v1/schema/{name}>; rel=\"describedby\"");
    let schema = HeaderValue::try_from(schema).expect("names of resources are letters");
    response.headers_mut().insert(header::LINK, schema);
    response
}

fn failed(error: &ScreenError) -> Response {
    let status = match error {
        ScreenError::Missing(_) => StatusCode::NOT_FOUND,
        ScreenError::Page(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, format!("{error}\n")).into_response()
}

async fn schema(Path(resource): Path<String>) -> Response {
    let schema = Resource::named(&resource).map(Resource::schema);
    match schema.or_else(|| Kind::named(&resource).map(Kind::schema)) {
        Some(schema) => {
            let content_type = [(header::CONTENT_TYPE, "application/schema+json")];
            (content_type, format!("{:#}\n", schema.as_value())).into_response()
        }
        None => (StatusCode::NOT_FOUND, NOT_FOUND).into_response(),
    }
}

fn response(page: &Page, content_type: &'static str, encoding: Encoding) -> Response {
    let mut response = Response::new(shared_body(Arc::clone(&page.chunks)));
    response.extensions_mut().insert(Cut {
        token: page.cut.clone(),
        chunks: Arc::clone(&page.chunks),
    });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, page.bytes.into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if let Some(encoding) = encoding.content_encoding() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// All values of a header, as if they were sent in one. What is not text is not understood either.
fn joined(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers.get_all(name);
    let values: Vec<&str> = values.iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

async fn readyz(State(pages): State<Arc<Pages>>) -> (StatusCode, String) {
    let reasons = ready::why_not(&pages.published(), pages.round_limit());
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready: {}\n", reasons.join("; ")),
    )
}
