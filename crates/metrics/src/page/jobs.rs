//! [`Jobs`]: pages that are being made, on threads that may block.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, Shared};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;
use tracing::error;

use super::{Page, PageError};

/// Pages that are rendered or compressed at the same time. More would take processor time from the rounds; a page of a
/// large fleet is written by two threads.
pub(super) const MAX_JOBS: usize = 2;

type Making = Shared<BoxFuture<'static, Result<Page, PageError>>>;

/// One page: not asked for yet, or being made, or made.
pub(super) type Slot = Mutex<Option<Making>>;

/// One page in each encoding.
#[derive(Default)]
pub(super) struct Slots {
    /// As it is.
    pub(super) identity: Slot,
    /// Compressed.
    pub(super) gzip: Slot,
}

/// Makes pages, not too many at a time.
pub(super) struct Jobs(Arc<Semaphore>);

impl Default for Jobs {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_JOBS)))
    }
}

impl Jobs {
    /// The page in a slot. The first client starts making it; the work does not depend on any client's patience.
    pub(super) async fn make(
        &self,
        slot: &Slot,
        work: impl FnOnce() -> Page + Send + 'static,
    ) -> Result<Page, PageError> {
        let making = {
            let mut slot = slot.lock().await;
            match &*slot {
                Some(making) => making.clone(),
                None => {
                    let permit = Arc::clone(&self.0).acquire_owned().await.map_err(|_| PageError)?;
                    let job = spawn_blocking(move || {
                        let page = work();
                        drop(permit);
                        page
                    });
                    let page = async {
                        job.await.map_err(|reason| {
                            error!(%reason, "the page cannot be rendered");
                            PageError
                        })
                    };
                    slot.insert(page.boxed().shared()).clone()
                }
            }
        };
        making.await
    }

    /// What some other work makes, on a thread that may block.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PageError> {
        let permit = Arc::clone(&self.0).acquire_owned().await.map_err(|_| PageError)?;
        let job = spawn_blocking(move || {
            let made = work();
            drop(permit);
            made
        });
        job.await.map_err(|reason| {
            error!(%reason, "the page cannot be rendered");
            PageError
        })
    }
}
