//! [`Feed`]: a history that is fed by what is published.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::{History, Keep};
use crate::published::Published;

/// A history, shared by the task that feeds it and by all that read it.
#[derive(Debug, Clone)]
pub struct Feed(Arc<RwLock<History>>);

impl Feed {
    /// A history of nothing yet.
    pub fn new(keep: Keep) -> Self {
        Self(Arc::new(RwLock::new(History::new(keep))))
    }

    /// Feeds it with snapshots and never ends by itself: when the publishing task ends, that task reports the reason.
    ///
    /// # Errors
    /// When taking in a snapshot panics.
    pub async fn run(self, mut snapshots: watch::Receiver<Published>) -> anyhow::Result<()> {
        loop {
            let published = snapshots.borrow_and_update().clone();
            let history = self.clone();
            // With many workers it takes milliseconds, in which nothing else would go on.
            let taken = tokio::task::spawn_blocking(move || history.take_in(&published));
            taken.await?;
            if snapshots.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Takes in a snapshot that the task may not have taken in yet.
    fn take_in(&self, published: &Published) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take_in(published);
    }

    /// Reads it, as of a snapshot or a later one.
    pub fn read<T>(&self, published: &Published, read: impl FnOnce(&History) -> T) -> T {
        self.take_in(published);
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_end_of_snapshots_is_reported_by_the_task_that_published_them_alone() {
        let (publish, snapshots) = watch::channel(Published::now(Arc::default()));
        let task = Feed::new(Keep::Off).run(snapshots);
        drop(publish);
        let day = Duration::from_hours(24);
        assert!(tokio::time::timeout(day, task).await.is_err(), "it ended");
    }
}
