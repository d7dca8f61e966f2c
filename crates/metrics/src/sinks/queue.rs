//! [`Queue`]: pages that wait for a receiver. It has a bound in number and in bytes; the oldest give way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::books::{Books, unix_millis};
use super::pace::Pace;
use crate::export::Format;
use crate::page::{Encoding, Page, Pages};

/// Pages that wait: two minutes of them at the default poll interval.
const MAX_PAGES: usize = 60;

/// Bytes that wait. The newest page waits whatever its size; its text is shared with the clients that scrape it.
const MAX_BYTES: u64 = 64 << 20;

/// A page, and when its snapshot was published.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) page: Page,
    pub(super) millis: u64,
    pub(super) since: Instant,
}

pub(super) struct Queue {
    pages: Mutex<VecDeque<Waiting>>,
    news: Notify,
    books: Arc<Books>,
}

impl Queue {
    pub(super) fn new(books: Arc<Books>) -> Self {
        Self {
            pages: Mutex::default(),
            news: Notify::new(),
            books,
        }
    }

    /// Puts the page of a snapshot into the queue once in an interval.
    pub(super) async fn collect(&self, pages: &Pages, interval: Duration) {
        let mut snapshots = pages.snapshots();
        let mut pace = Pace::new(interval);
        while pace.next(&mut snapshots).await {
            let (millis, since) = (unix_millis(), Instant::now());
            // A page that cannot be rendered is reported there.
            if let Ok(page) = pages.get(Format::OpenMetrics, Encoding::Identity).await {
                let page = page.apart();
                self.push(Waiting { page, millis, since });
            }
        }
        std::future::pending::<()>().await;
    }

    pub(super) fn push(&self, waiting: Waiting) {
        let mut pages = self.lock();
        pages.push_back(waiting);
        let mut bytes: u64 = pages.iter().map(|waiting| waiting.page.bytes).sum();
        while pages.len() > 1 && (pages.len() > MAX_PAGES || bytes > MAX_BYTES) {
            bytes -= pages.pop_front().map_or(0, |oldest| oldest.page.bytes);
            self.books.dropped(1);
        }
        self.books.waiting(pages.len());
        self.news.notify_one();
    }

    /// The oldest page, as soon as there is one.
    pub(super) async fn next(&self) -> Waiting {
        loop {
            let news = self.news.notified();
            {
                let mut pages = self.lock();
                if let Some(oldest) = pages.pop_front() {
                    self.books.waiting(pages.len());
                    return oldest;
                }
            }
            news.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::export::Sink;

    fn waiting(bytes: u64, millis: u64) -> Waiting {
        let page = Page {
            bytes,
            ..Page::from(vec![Bytes::new()])
        };
        Waiting {
            page,
            millis,
            since: Instant::now(),
        }
    }

    #[tokio::test]
    async fn the_oldest_pages_give_way_and_are_counted() {
        async fn check(pages: u64, bytes: u64, first: u64) {
            let books = Arc::new(Books::of(Sink::RemoteWrite));
            let queue = Queue::new(Arc::clone(&books));
            for millis in 0..pages {
                queue.push(waiting(bytes, millis));
            }
            assert_eq!(books.view().dropped, first);
            assert_eq!(books.view().waiting, pages - first);
            assert_eq!(queue.next().await.millis, first);
            assert_eq!(books.view().waiting, pages - first - 1);
        }
        check(60, 1, 0).await;
        check(61, 1, 1).await;
        check(4, 16 << 20, 0).await;
        check(5, 16 << 20, 1).await;
        check(3, 100 << 20, 2).await;
    }
}
