//! The pages for people, and what they are made of.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{failed, joined, json, response};
use crate::html;
use crate::page::{Encoding, Form, Pages, ScreenError};
use crate::view::{Ask, AskError, Kind};

/// Nothing but what the collector itself serves, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How long a browser may keep a script or a style sheet whose address has its edition.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

pub(super) async fn root(
    State(pages): State<Arc<Pages>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let ask = Ask::read_page(query.as_deref().unwrap_or_default());
    show(&pages, ask, &headers).await
}

pub(super) async fn why(
    State(pages): State<Arc<Pages>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let ask = Ask::read(Kind::Why, query.as_deref().unwrap_or_default());
    show(&pages, ask, &headers).await
}

pub(super) async fn collector(
    State(pages): State<Arc<Pages>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let ask = Ask::read(Kind::Collector, query.as_deref().unwrap_or_default());
    show(&pages, ask, &headers).await
}

async fn show(pages: &Pages, ask: Result<Ask, AskError>, headers: &HeaderMap) -> Response {
    let ask = match ask {
        Ok(ask) => ask,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let accepted = joined(headers, header::ACCEPT);
    let form = match accepted.contains("application/json") && !accepted.contains("text/html") {
        true => Form::Json,
        false => Form::Html,
    };
    let encoding = Encoding::negotiate(&joined(headers, header::ACCEPT_ENCODING));
    let name = ask.kind.name();
    let mut response = match (pages.screen(ask.clone(), form, encoding).await, form) {
        (Ok(page), Form::Json) => json(&page, name, encoding),
        (Ok(page), Form::Html) => response(&page, "text/html; charset=utf-8", encoding),
        (Err(ScreenError::Missing(text)), Form::Html) => {
            let page = axum::response::Html(html::missing(&ask, &text));
            (StatusCode::NOT_FOUND, page).into_response()
        }
        (Err(error), _) => failed(&error),
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CACHE_CONTROL, "no-store");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    response
}

pub(super) async fn asset(Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let (content_type, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", html::STYLE),
        "live.js" => ("text/javascript; charset=utf-8", html::SCRIPT),
        "icon.svg" => ("image/svg+xml", html::ICON),
        _ => return (StatusCode::NOT_FOUND, super::NOT_FOUND).into_response(),
    };
    let edition = query.as_deref().and_then(|query| query.strip_prefix("v="));
    let keep = match edition == Some(html::edition()) {
        true => FOR_GOOD,
        false => "no-cache",
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, keep),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
