//! Prometheus remote write 1.0: each snapshot's page as samples, and a marker for each series that ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::books::{Books, unix_millis};
use super::http::{Http, MAX_AGE, Outcome, is_passing};
use super::queue::{Queue, Waiting};
use super::receiver::Receiver;
use super::write_request::{self, Before, Ending, Written};
use crate::page::{Page, Pages};

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
    /// The time between two writes.
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
    let http = Http::new(config.receiver, is_passing).context("failed to prepare HTTP")?;
    let mut writing = Writing {
        http,
        labels: Arc::new(config.labels),
        shown: None,
        owed: Vec::new(),
        millis: 0,
        books: Arc::clone(&books),
    };
    let queue = Queue::new(books);
    tokio::select! {
        () = stop.cancelled() => {}
        () = queue.collect(&pages, config.interval) => {}
        () = writing.write_all(&queue) => {}
    }
    writing.end().await;
    Ok(())
}

struct Writing {
    http: Http,
    labels: Arc<BTreeMap<String, String>>,
    /// The page that was written last, of which the receiver may have a part only.
    shown: Option<Page>,
    /// Series that left the page in writes which did not arrive as a whole, and when.
    owed: Vec<(Instant, Bytes)>,
    /// The time of the samples of that page.
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

    /// Writes a page. Which series may end later is noted before the first request is sent, so that none is forgotten
    /// where the write breaks off.
    async fn write(&mut self, Waiting { page, millis, since }: Waiting) {
        // A clock that was set back would make every sample one that is out of order.
        self.millis = millis.max(self.millis + 1);
        // Older series are out of sight by themselves.
        self.owed.retain(|(left, _)| left.elapsed() < MAX_AGE);
        let Written { bodies, gone } = self.written(page.clone(), Ending::Gone).await;
        self.shown = Some(page);
        if !gone.is_empty() {
            self.owed.push((Instant::now(), gone));
        }
        let mut is_whole = true;
        for body in bodies {
            match self.http.deliver(&HEADERS, &body, since, &self.books).await {
                Outcome::Arrived(_) => {}
                Outcome::Refused => is_whole = false,
                Outcome::TooOld => return self.books.dropped(1),
            }
        }
        if is_whole {
            self.owed.clear();
            self.http.succeeded(&self.books);
        }
    }

    /// Ends all series, so that the last values are not taken for current ones. It is tried once.
    async fn end(&mut self) {
        let Some(shown) = self.shown.clone() else { return };
        self.millis = unix_millis().max(self.millis + 1);
        for body in self.written(shown, Ending::All).await.bodies {
            let url = self.http.url().clone();
            if self.http.send(Method::POST, url, &HEADERS, body).await.is_err() {
                self.books.failed();
                return;
            }
        }
    }

    async fn written(&self, page: Page, ending: Ending) -> Written {
        let before = self.shown.clone();
        let owed: Vec<Bytes> = self.owed.iter().map(|(_, lines)| lines.clone()).collect();
        let (millis, labels) = (self.millis as i64, Arc::clone(&self.labels));
        let written = spawn_blocking(move || {
            let before = Before {
                page: before.as_ref().map_or(&[][..], |page| &*page.chunks),
                owed: &owed,
            };
            write_request::write(before, &page.chunks, ending, millis, &labels)
        });
        written.await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Sink;

    fn page(text: &str) -> Page {
        Page::from(vec![Bytes::copy_from_slice(text.as_bytes())])
    }

    /// Writing to an address where nothing listens.
    fn writing() -> Writing {
        let receiver: Receiver = "http://127.0.0.1:1/write".parse().expect("an address");
        Writing {
            http: Http::new(receiver, is_passing).expect("a client"),
            labels: Arc::default(),
            shown: None,
            owed: Vec::new(),
            millis: 0,
            books: Arc::new(Books::of(Sink::RemoteWrite)),
        }
    }

    async fn write(writing: &mut Writing, text: &str) -> Duration {
        let since = Instant::now();
        let waiting = Waiting {
            page: page(text),
            millis: 1,
            since,
        };
        writing.write(waiting).await;
        since.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_is_given_up_after_five_minutes_and_not_before() {
        let mut writing = writing();
        let taken = write(&mut writing, "a 1\n").await;
        assert!(taken > MAX_AGE && taken < MAX_AGE * 2, "{taken:?}");
        let view = writing.books.view();
        assert_eq!((view.dropped, view.succeeded), (1, 0));
        assert!(view.failed > 10, "{view:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn series_that_left_in_a_failed_write_are_owed_their_end_as_long_as_they_can_be_seen() {
        let mut writing = writing();
        writing.shown = Some(page("a 1\nb 1\n"));
        write(&mut writing, "a 1\n").await;
        let owed = |writing: &Writing| -> Vec<Bytes> {
            writing.owed.iter().map(|(_, lines)| lines.clone()).collect()
        };
        assert_eq!(owed(&writing), ["b 0\n"]);
        // By now `b` is out of sight, and `a` has just left.
        write(&mut writing, "c 1\n").await;
        assert_eq!(owed(&writing), ["a 0\n"]);
    }
}
