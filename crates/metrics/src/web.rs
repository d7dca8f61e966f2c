//! The page: `/metrics`, `/healthz`, `/readyz`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tracing::error;

use crate::args::Compat;
use crate::export::{self, Format};
use crate::fleet::Snapshot;

/// What the handlers read.
#[derive(Debug, Clone)]
pub struct PageState {
    /// The latest snapshot.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Whether upstream's metric names are written.
    pub compat: Compat,
    /// How old the last round may be for the collector to be ready.
    pub fresh_for: Duration,
}

/// Serves until `stop`, then lets the requests that are under way end.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(listener: TcpListener, state: PageState, stop: CancellationToken) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                "not here; there are /metrics, /healthz and /readyz\n",
            )
        })
        .layer(CompressionLayer::new())
        .with_state(state);
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn metrics(State(state): State<PageState>, headers: HeaderMap) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let format = Format::negotiate(accept);
    let snapshot = state.snapshots.borrow().clone();
    // The page of a large fleet takes long enough to hold up the rounds.
    let page = tokio::task::spawn_blocking(move || export::render(&snapshot, format, state.compat)).await;
    match page.map_err(anyhow::Error::from).and_then(|page| Ok(page?)) {
        Ok(page) => {
            let headers = [
                (header::CONTENT_TYPE, format.content_type()),
                (header::VARY, "accept"),
            ];
            (headers, page).into_response()
        }
        Err(reason) => {
            error!(%reason, "the page cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written\n").into_response()
        }
    }
}

async fn ready(State(state): State<PageState>) -> (StatusCode, String) {
    let snapshot = state.snapshots.borrow().clone();
    match why_not_ready(&snapshot, state.fresh_for, SystemTime::now()) {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

fn why_not_ready(snapshot: &Snapshot, fresh_for: Duration, now: SystemTime) -> Option<&'static str> {
    if !snapshot.link.connected {
        return Some("not connected to NATS");
    }
    let age = |at: Option<SystemTime>| at.map(|at| now.duration_since(at).unwrap_or_default());
    match snapshot.pools.iter().map(|pool| age(pool.snapshot_at)).max() {
        Some(Some(oldest)) if oldest <= fresh_for => None,
        Some(Some(_)) => Some("the last round is too long ago"),
        _ => Some("no round has ended yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Fleet, FleetSettings, LinkView, RoundSummary};
    use crate::gather::Finish;
    use crate::matching::Target;

    #[test]
    fn ready_means_connected_and_a_fresh_round() {
        let target = Target::new("a/b/c".parse().expect("a path"), &[]);
        let mut fleet = Fleet::new(vec![target], FleetSettings::DEFAULT);
        let start = SystemTime::UNIX_EPOCH;
        let link = LinkView {
            connected: true,
            ..LinkView::default()
        };
        let check = |fleet: &Fleet, link, after, expected| {
            let why = why_not_ready(
                &fleet.snapshot(link),
                Duration::from_secs(6),
                start + Duration::from_secs(after),
            );
            assert_eq!(why, expected);
        };
        check(&fleet, LinkView::default(), 0, Some("not connected to NATS"));
        check(&fleet, link, 0, Some("no round has ended yet"));
        let mut round = |finish, after| {
            let now = start + Duration::from_secs(after);
            fleet.apply_round(
                &[],
                |_| None,
                RoundSummary {
                    finish,
                    duration: Duration::ZERO,
                    now,
                },
            );
        };
        round(Finish::NoResponders, 10);
        round(Finish::Error, 20);
        check(&fleet, link, 16, None);
        check(&fleet, link, 17, Some("the last round is too long ago"));
    }
}
