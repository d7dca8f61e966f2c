//! Prometheus remote write 1.0: each snapshot's page as samples, and a marker for each series that ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::books::{Books, unix_millis};
use super::http::{Failure, Http};
use super::queue::{Queue, Waiting};
use super::receiver::Receiver;
use super::write_request::{self, Ending};
use crate::export::Format;
use crate::page::{Encoding, Page, Pages};

/// A page that was not taken for so long is given up: a query does not look further back.
const MAX_AGE: Duration = Duration::from_secs(300);

const HEADERS: [(HeaderName, &str); 3] = [
    (CONTENT_ENCODING, "snappy"),
    (CONTENT_TYPE, "application/x-protobuf"),
    (
        HeaderName::from_static("x-prometheus-remote-write-version"),
        "0.1.0",
    ),
];

/// Where and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteWrite {
    pub(super) receiver: Receiver,
    pub(super) token_file: Option<PathBuf>,
    /// The shortest time between two pushes.
    pub(super) interval: Duration,
    pub(super) labels: BTreeMap<String, String>,
}

/// Writes until `stop`, and then ends all series.
pub(super) async fn run(
    config: RemoteWrite,
    pages: Arc<Pages>,
    books: Arc<Books>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let http = Http::new(config.receiver, config.token_file).context("failed to prepare HTTP")?;
    let mut writing = Writing {
        http,
        labels: Arc::new(config.labels),
        shown: None,
        millis: 0,
        books: Arc::clone(&books),
    };
    let queue = Queue::new(books);
    tokio::select! {
        () = stop.cancelled() => {}
        () = collect(&pages, config.interval, &queue) => {}
        () = writing.write_all(&queue) => {}
    }
    writing.end().await;
    Ok(())
}

/// Puts the page of each snapshot into the queue.
async fn collect(pages: &Pages, interval: Duration, queue: &Queue) {
    let mut snapshots = pages.snapshots();
    while snapshots.changed().await.is_ok() {
        let (millis, since) = (unix_millis(), Instant::now());
        // A page that cannot be rendered is reported there.
        if let Ok(page) = pages.get(Format::OpenMetrics, Encoding::Identity).await {
            queue.push(Waiting { page, millis, since });
        }
        sleep_until(since + interval).await;
    }
    std::future::pending::<()>().await;
}

struct Writing {
    http: Http,
    labels: Arc<BTreeMap<String, String>>,
    /// The page that the receiver has.
    shown: Option<Page>,
    /// The time of its samples.
    millis: u64,
    books: Arc<Books>,
}

impl Writing {
    async fn write_all(&mut self, queue: &Queue) {
        loop {
            let waiting = queue.next().await;
            self.write(waiting).await;
        }
    }

    async fn write(&mut self, Waiting { page, millis, since }: Waiting) {
        // A clock that was set back would make every sample one that is out of order.
        self.millis = millis.max(self.millis + 1);
        let bodies = self.bodies(page.clone(), Ending::Gone).await;
        let mut is_whole = true;
        for body in bodies {
            while let Err(failure) = self.send(body.clone()).await {
                if !self.http.failed(failure, &self.books).await {
                    is_whole = false;
                    break;
                }
                if since.elapsed() > MAX_AGE {
                    self.books.dropped(1);
                    return;
                }
            }
        }
        self.shown = Some(page);
        if is_whole {
            self.http.succeeded(&self.books);
        }
    }

    /// Ends all series, so that the last values are not taken for current ones. It is tried once.
    async fn end(&mut self) {
        let Some(shown) = self.shown.take() else { return };
        self.millis = unix_millis().max(self.millis + 1);
        self.shown = Some(shown.clone());
        for body in self.bodies(shown, Ending::All).await {
            if self.send(body).await.is_err() {
                self.books.failed();
                return;
            }
        }
    }

    async fn bodies(&self, page: Page, ending: Ending) -> Vec<Bytes> {
        let before = self.shown.clone();
        let (millis, labels) = (self.millis as i64, Arc::clone(&self.labels));
        let bodies = spawn_blocking(move || {
            let before = before.as_ref().map_or(&[][..], |page| &*page.chunks);
            write_request::bodies(before, &page.chunks, ending, millis, &labels)
        });
        let bodies = bodies.await.unwrap_or_default();
        bodies.into_iter().map(Bytes::from).collect()
    }

    async fn send(&self, body: Bytes) -> Result<(), Failure> {
        let url = self.http.url().clone();
        self.http.send(Method::POST, url, &HEADERS, body).await
    }
}
