//! [`Pages`]: each page is rendered once for each snapshot, format and encoding, however many clients ask for it; so is
//! each answer of the JSON API.
//!
//! Rendering runs on threads that may block, at most two pages at a time. Clients that ask while a page is
//! being rendered wait for that page. Pages of an earlier snapshot are dropped when a new one is published; a client that
//! is still reading keeps its own, as long as there is room for it.

mod answers;
mod direct;
mod encoding;
mod jobs;
mod screens;
mod shelf;
mod stream;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::api::{Query, Resource};

use crate::export::{self, Format, LeftOut, Moment, Process};
use crate::history::Feed;
#[cfg(test)]
use crate::history::Keep;
use crate::live::Live;
use crate::looking::Looker;
use crate::published::Published;
use crate::ready;
use crate::view::SettingRow;

use answers::{Answers, What};
use jobs::{Jobs, Slots};

use shelf::Shelf;
use stream::Topics;

pub use answers::Form;
pub use encoding::Encoding;
pub use screens::ScreenError;
pub use stream::Follower;

/// What pages are made of.
pub struct Source {
    /// The latest snapshot.
    pub snapshots: watch::Receiver<Published>,
    /// What is on the page, and how long ago the last round may have ended.
    pub live: watch::Receiver<Live>,
    /// Reads what the page says of the process; called once for each page that is rendered.
    pub process: Box<dyn Fn() -> Process + Send + Sync>,
    /// The last 15 minutes.
    pub history: Feed,
    /// Asks what is on NATS.
    pub looker: Looker,
    /// The configuration in force.
    pub settings: watch::Receiver<Arc<[SettingRow]>>,
}

/// A page, ready to be sent. Copies share its text.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its text, in pieces.
    pub chunks: Arc<[Bytes]>,
    /// Their length.
    pub bytes: u64,
    /// Cancelled when clients that still read this page are to be cut off.
    pub cut: CancellationToken,
}

impl Page {
    /// The same text for a reader that is no client and has a limit of its own: it takes none of the room that is for
    /// clients, and is not cut off.
    pub(crate) fn apart(&self) -> Self {
        Self {
            chunks: self.chunks.iter().cloned().collect(),
            bytes: self.bytes,
            cut: CancellationToken::new(),
        }
    }
}

/// A page could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page cannot be rendered; the log says why")]
pub struct PageError;

/// The pages of the latest snapshot.
pub struct Pages {
    source: Arc<Source>,
    jobs: Jobs,
    edition: Mutex<Option<Arc<Edition>>>,
    has_reported_cut: Arc<AtomicBool>,
    shelf: Arc<Shelf>,
    topics: Topics,
}

/// All pages of one snapshot.
struct Edition {
    number: u64,
    published: Published,
    is_current: bool,
    live: Live,
    pages: [Slots; Format::ALL.len()],
    answers: Answers,
}

impl Pages {
    /// Serves the pages of what is published from now on.
    pub fn new(source: Source) -> Self {
        Self {
            source: Arc::new(source),
            jobs: Jobs::default(),
            edition: Mutex::default(),
            has_reported_cut: Arc::default(),
            shelf: Arc::default(),
            topics: Topics::default(),
        }
    }

    /// The latest snapshot.
    pub fn published(&self) -> Published {
        self.source.snapshots.borrow().clone()
    }

    /// Snapshots, as they are published.
    pub(crate) fn snapshots(&self) -> watch::Receiver<Published> {
        self.source.snapshots.clone()
    }

    /// How long ago the last round may have ended.
    pub fn round_limit(&self) -> Duration {
        self.live().round_limit
    }

    fn live(&self) -> Live {
        *self.source.live.borrow()
    }

    /// The page of the latest snapshot.
    ///
    /// # Errors
    /// When rendering ended unexpectedly. It is tried again with the next snapshot.
    pub async fn get(&self, format: Format, encoding: Encoding) -> Result<Page, PageError> {
        let edition = self.edition();
        let render = self.rendering(&edition, format);
        self.made(&edition, &edition.pages[format as usize], encoding, render)
            .await
    }

    /// The answer of the JSON API for the latest snapshot.
    ///
    /// # Errors
    /// When writing it ended unexpectedly.
    pub async fn answer(
        &self,
        resource: Resource,
        query: Query,
        encoding: Encoding,
    ) -> Result<Page, PageError> {
        let edition = self.edition();
        let (published, round_limit) = (edition.published.clone(), edition.live.round_limit);
        let slots = edition
            .answers
            .slots(What::Resource(resource, query.clone()), published.at.elapsed());
        let write = move || vec![resource.write(&published, round_limit, &query).into()].into();
        self.made(&edition, &slots, encoding, write).await
    }

    /// Drops pages as soon as their snapshot is no longer the latest. Ends when no more are published.
    pub async fn drop_outdated(&self) {
        let mut snapshots = self.source.snapshots.clone();
        while snapshots.changed().await.is_ok() {
            let outdated = {
                let latest = self.published();
                self.lock_edition().take_if(|edition| !edition.is_of(&latest))
            };
            if let Some(outdated) = outdated {
                // Returning the memory of a large page takes a while.
                spawn_blocking(move || drop(outdated));
            }
        }
    }

    /// Renders the page of an edition.
    fn rendering(&self, edition: &Edition, format: Format) -> impl FnOnce() -> Page + Send + 'static {
        let (source, has_reported_cut) = (Arc::clone(&self.source), Arc::clone(&self.has_reported_cut));
        let (snapshot, is_current) = (Arc::clone(&edition.published.snapshot), edition.is_current);
        let Live { options, reloads, .. } = edition.live;
        move || {
            let process = (source.process)();
            let moment = Moment {
                is_current,
                process,
                reloads,
            };
            let rendered = export::render(&snapshot, &moment, format, &options);
            if rendered.left_out.workers > 0 && !has_reported_cut.swap(true, Relaxed) {
                report_cut(rendered.left_out, options.max_series);
            }
            rendered.chunks.into()
        }
    }

    /// What `work` makes, as it is or compressed.
    async fn made(
        &self,
        edition: &Edition,
        slots: &Slots,
        encoding: Encoding,
        work: impl FnOnce() -> Page + Send + 'static,
    ) -> Result<Page, PageError> {
        let work = self.shelved(edition, work);
        let identity = self.jobs.make(&slots.identity, work).await?;
        match encoding {
            Encoding::Identity => Ok(identity),
            Encoding::Gzip => {
                let pack = move || encoding::gzip(&identity.chunks).into();
                self.jobs.make(&slots.gzip, self.shelved(edition, pack)).await
            }
        }
    }

    /// The same work, whose page is known to the shelf.
    fn shelved(
        &self,
        edition: &Edition,
        work: impl FnOnce() -> Page + Send + 'static,
    ) -> impl FnOnce() -> Page + Send + 'static {
        let (shelf, number) = (Arc::clone(&self.shelf), edition.number);
        move || {
            let page = work();
            shelf.put(number, &page);
            page
        }
    }

    fn edition(&self) -> Arc<Edition> {
        let published = self.published();
        let live = self.live();
        let is_current = ready::has_recent_round(&published, live.round_limit);
        let mut edition = self.lock_edition();
        match &*edition {
            Some(edition) if edition.shows(&published, is_current, &live) => Arc::clone(edition),
            _ => Arc::clone(edition.insert(Arc::new(Edition {
                number: self.shelf.next_edition(),
                published,
                is_current,
                live,
                pages: Default::default(),
                answers: Answers::default(),
            }))),
        }
    }

    fn lock_edition(&self) -> MutexGuard<'_, Option<Arc<Edition>>> {
        self.edition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    /// A source that has nothing but snapshots, for tests.
    #[cfg(test)]
    pub(crate) fn of(snapshots: watch::Receiver<Published>) -> Self {
        Self {
            snapshots,
            live: watch::channel(Live::default()).1,
            process: Box::new(Process::default),
            history: Feed::new(Keep::default()),
            looker: Looker::blind(),
            settings: watch::channel(Arc::default()).1,
        }
    }
}

impl Edition {
    fn shows(&self, published: &Published, is_current: bool, live: &Live) -> bool {
        self.is_of(published) && self.is_current == is_current && self.live == *live
    }

    fn is_of(&self, published: &Published) -> bool {
        Arc::ptr_eq(&self.published.snapshot, &published.snapshot)
    }
}

impl From<Vec<Bytes>> for Page {
    fn from(chunks: Vec<Bytes>) -> Self {
        Self {
            bytes: chunks.iter().map(|chunk| chunk.len() as u64).sum(),
            chunks: chunks.into(),
            cut: CancellationToken::new(),
        }
    }
}

fn report_cut(LeftOut { workers, series }: LeftOut, max_series: u64) {
    warn!(
        workers,
        series,
        max_series,
        "the page leaves out workers, because it would exceed its limit on series; raise --max-series, or show fewer \
         series for each worker with --worker-series core or with fewer mappings"
    );
}

#[cfg(test)]
mod tests;
