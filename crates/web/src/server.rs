//! [`Server`]: accepts, secures, limits, and hands requests to a router.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::body::{Cut, Endless, Sent};
use crate::counts::{Closed, Counts};
use crate::gate::{Gate, Place};
use crate::guarded::Guarded;
use crate::limits::{HEAD, Limits, open_files};
use crate::line::Line;
use crate::listen::{Listeners, Stream};
use crate::security::{Policy, Security};

/// How long nothing is accepted after a failure; most often no file descriptor is free.
const BREATH: Duration = Duration::from_millis(50);

/// What may be asked for without a password: whether the program is well.
pub const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// Serves a router.
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
    security: Security,
    limits: Limits,
    counts: Arc<Counts>,
}

impl Server {
    /// Serves on these listeners, as soon as [`serve`](Self::serve) is called.
    pub fn new(listeners: Listeners, security: Security, limits: Limits) -> Self {
        let within = limits.within_open_files();
        if within.connections < limits.connections {
            info!(
                connections = within.connections,
                open_files = open_files(),
                "the limit on open files leaves room for fewer connections than --http-max-connections; raise it with ulimit -n"
            );
        }
        Self {
            listeners,
            security,
            limits: within,
            counts: Arc::default(),
        }
    }

    /// What became of connections.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// The port of the first listener that has one.
    pub fn port(&self) -> Option<u16> {
        self.listeners.port()
    }

    /// Writes to the log where a page of this path can be read, and whether from this machine only.
    pub fn announce(&self, what: &str, path: &str) {
        for url in self.listeners.urls(self.security.scheme(), path) {
            info!(%url, "{what}");
        }
        if self.listeners.are_local() {
            info!(
                "only programs on this machine can reach the page; --listen 0.0.0.0:PORT opens it to others"
            );
        }
    }

    /// Serves until `stop`, then lets the requests that are under way end.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let Self {
            listeners,
            security,
            limits,
            counts,
        } = self;
        let app = App {
            router: TowerToHyperService::new(router),
            policy: security.policy(),
            counts,
            limits,
            stop: stop.clone(),
        };
        let mut connections = JoinSet::new();
        tokio::select! {
            () = stop.cancelled() => {}
            () = accept(&listeners, &app, &mut connections) => {}
            () = security.follow() => {}
        }
        drop(listeners);
        while connections.join_next().await.is_some() {}
    }
}

async fn accept(listeners: &Listeners, app: &App, connections: &mut JoinSet<()>) {
    let gate = Gate::new(app.limits.connections);
    loop {
        let stream = match listeners.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                app.counts.count_accept_error(&error);
                gate.evict();
                sleep(BREATH).await;
                continue;
            }
        };
        let place = gate.place().await;
        connections.spawn(app.clone().connection(stream, place));
        while let Some(ended) = connections.try_join_next() {
            if let Err(error) = ended {
                warn!(%error, "a connection ended unexpectedly");
            }
        }
    }
}

/// What every connection needs.
#[derive(Debug, Clone)]
struct App {
    router: TowerToHyperService<Router>,
    policy: watch::Receiver<Arc<Policy>>,
    counts: Arc<Counts>,
    limits: Limits,
    stop: CancellationToken,
}

impl App {
    async fn connection(self, stream: Box<dyn Stream>, place: Place) {
        let line = Arc::clone(&place.line);
        let reason = tokio::select! {
            () = self.talk(stream, &line) => return,
            reason = line.is_over(&self.limits) => reason,
        };
        self.counts.count_closed(reason, None);
    }

    async fn talk(&self, stream: Box<dyn Stream>, line: &Arc<Line>) {
        let tls = self.policy.borrow().tls.clone();
        let Some(tls) = tls else {
            return self.exchange(stream, line).await;
        };
        match TlsAcceptor::from(tls).accept(stream).await {
            Ok(stream) => self.exchange(stream, line).await,
            Err(error) => self.counts.count_closed(Closed::Tls, Some(&error)),
        }
    }

    async fn exchange(&self, stream: impl Stream + 'static, line: &Arc<Line>) {
        let io = TokioIo::new(Guarded::new(stream, Arc::clone(line)));
        let service = service_fn(|request| self.respond(request, Arc::clone(line)));
        let connection = http1::Builder::new()
            // The line has all limits of time.
            .header_read_timeout(None)
            .max_buf_size(HEAD)
            .serve_connection(io, service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        // What a client sends, and when it goes, is its own affair.
        ended.ok();
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        line: Arc<Line>,
    ) -> Result<Response<Sent>, Infallible> {
        line.works();
        let policy = Arc::clone(&self.policy.borrow());
        let is_open = OPEN_PATHS.contains(&request.uri().path());
        let mut response = match is_open || policy.users.admit(request.headers()).await {
            true => self.router.call(request).await?,
            false => {
                self.counts.count_unauthorized();
                unauthorized()
            }
        };
        for (name, value) in &policy.headers {
            response.headers_mut().insert(name, value.clone());
        }
        match response.extensions_mut().remove::<Endless>() {
            Some(Endless) => line.sends_without_end(),
            None => line.sends(response.extensions_mut().remove::<Cut>()),
        }
        Ok(response.map(|body| Sent::new(body, line)))
    }
}

fn unauthorized() -> Response<Body> {
    let mut response = Response::new(Body::from("a user and a password are needed\n"));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let challenge = HeaderValue::from_static("Basic realm=\"metrics\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}
