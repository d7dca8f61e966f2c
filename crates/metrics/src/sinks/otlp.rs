//! OpenTelemetry's protocol, OTLP over HTTP: each snapshot's page as metrics in binary protobuf.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use reqwest::{Method, StatusCode, Url};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::books::{Books, unix_millis};
use super::export_request::{self, Times};
use super::http::{Http, Outcome};
use super::queue::{Queue, Waiting};
use super::receiver::Receiver;
use crate::export::Format;
use crate::page::{Encoding, Page, Pages};

const HEADERS: [(HeaderName, &str); 2] = [
    (CONTENT_ENCODING, "gzip"),
    (CONTENT_TYPE, "application/x-protobuf"),
];

/// Where a receiver takes metrics.
const PATH: &str = "/v1/metrics";

/// Where and what to export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Otlp {
    pub(super) receiver: Receiver,
    /// The time between two exports.
    pub(super) interval: Duration,
    /// The attributes of the resource.
    pub(super) attributes: BTreeMap<String, String>,
}

/// Exports until `stop`, and then what is the latest.
pub(super) async fn run(
    config: Otlp,
    pages: Arc<Pages>,
    books: Arc<Books>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut exporting = Exporting {
        http: Http::new(config.receiver, is_passing).context("failed to prepare HTTP")?,
        attributes: Arc::new(config.attributes),
        started: unix_millis(),
        books: Arc::clone(&books),
    };
    let queue = Queue::new(books);
    tokio::select! {
        () = stop.cancelled() => {}
        () = queue.collect(&pages, config.interval) => {}
        () = exporting.export_all(&queue) => {}
    }
    exporting.end(&pages).await;
    Ok(())
}

/// Where metrics go at an endpoint, as the specification of `OTEL_EXPORTER_OTLP_ENDPOINT` has it: the path of the signal
/// follows that of the endpoint. An endpoint that has it already stays as it is.
pub(super) fn signal_url(mut endpoint: Url) -> Url {
    let path = endpoint.path().trim_end_matches('/');
    if !path.ends_with(PATH) {
        let path = [path, PATH].concat();
        endpoint.set_path(&path);
    }
    endpoint
}

/// The answers after which OTLP has a client try again; of all others it must not.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

struct Exporting {
    http: Http,
    attributes: Arc<BTreeMap<String, String>>,
    /// When everything that this process counts began, in Unix time.
    started: u64,
    books: Arc<Books>,
}

impl Exporting {
    async fn export_all(&mut self, queue: &Queue) {
        loop {
            let waiting = queue.next().await;
            self.export(waiting).await;
        }
    }

    async fn export(&mut self, Waiting { page, millis, since }: Waiting) {
        let mut is_whole = true;
        for body in self.bodies(page, millis).await {
            match self.http.deliver(&HEADERS, &body, since, &self.books).await {
                Outcome::Arrived(answer) => self.look_at(&answer),
                Outcome::Refused => is_whole = false,
                Outcome::TooOld => return self.books.dropped(1),
            }
        }
        if is_whole {
            self.http.succeeded(&self.books);
        }
    }

    /// Exports the latest page, without which what was counted since the last export would be lost. It is tried once.
    async fn end(&mut self, pages: &Pages) {
        let Ok(page) = pages.get(Format::OpenMetrics, Encoding::Identity).await else {
            return;
        };
        for body in self.bodies(page, unix_millis()).await {
            let url = self.http.url().clone();
            match self.http.send(Method::POST, url, &HEADERS, body).await {
                Ok(answer) => self.look_at(&answer),
                Err(_) => return self.books.failed(),
            }
        }
    }

    async fn bodies(&self, page: Page, millis: u64) -> Vec<Bytes> {
        let (times, attributes) = (Times::new(self.started, millis), Arc::clone(&self.attributes));
        let bodies = spawn_blocking(move || export_request::bodies(&page.chunks, times, &attributes));
        let bodies = bodies.await.unwrap_or_default();
        bodies.into_iter().map(Bytes::from).collect()
    }

    /// Counts the points that a receiver rejected of a request that it took.
    fn look_at(&mut self, answer: &[u8]) {
        let Ok(response) = ExportMetricsServiceResponse::decode(answer) else {
            return;
        };
        let partial = response.partial_success.unwrap_or_default();
        if let Ok(points @ 1..) = u64::try_from(partial.rejected_data_points) {
            self.http.rejected(points, &partial.error_message, &self.books);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_metrics_follows_that_of_the_endpoint() {
        fn check(endpoint: &str, expected: &str) {
            let url = signal_url(endpoint.parse().expect(endpoint));
            assert_eq!(url.as_str(), expected, "{endpoint}");
        }
        check("http://otel:4318", "http://otel:4318/v1/metrics");
        check("https://otel/", "https://otel/v1/metrics");
        check("http://otel/collector/", "http://otel/collector/v1/metrics");
        check(
            "http://otel/otlp?tenant=a",
            "http://otel/otlp/v1/metrics?tenant=a",
        );
        check("http://otel/api/v1/metrics", "http://otel/api/v1/metrics");
    }

    #[test]
    fn only_answers_that_the_protocol_names_are_followed_by_another_attempt() {
        for (status, expected) in [
            (429, true),
            (502, true),
            (503, true),
            (504, true),
            (400, false),
            (404, false),
            (500, false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(is_passing(status), expected, "{status}");
        }
    }
}
