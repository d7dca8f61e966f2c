//! [`Own`]: gathers without a collector, by the same state machine, and makes the same screens of what it finds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;

use crate::export::Process;
use crate::history::{Feed, Keep};
use crate::live::Live;
use crate::looking::Looker;
use crate::page::{Pages, Source};
use crate::probe::Looking;
use crate::published::Published;
use crate::ready;
use crate::tasks::Tasks;
use crate::usage;
use crate::view::{Ask, Screen, SettingRow};

/// Longer than any terminal is looked at.
const INDEFINITELY: Duration = Duration::from_secs(365 * 86_400);

/// A collector without a page, for one terminal.
pub(super) struct Own {
    pages: Pages,
    snapshots: watch::Receiver<Published>,
    tasks: Tasks,
}

impl Own {
    /// Connects, looks around for so long, and goes on in the background.
    ///
    /// # Errors
    /// Where NATS cannot be reached or asked.
    pub(super) async fn start(
        looking: &Looking,
        settings: Arc<[SettingRow]>,
        interval: Duration,
        look: Duration,
    ) -> anyhow::Result<Self> {
        let rhythm = looking.rhythm(interval);
        let round_limit = ready::round_limit(&rhythm);
        let (mut engine, snapshots) = looking.gathering(rhythm)?;
        let history = Feed::new(Keep::default());
        let live = Live {
            round_limit,
            ..Live::default()
        };
        let pages = Pages::new(Source {
            snapshots: snapshots.clone(),
            live: watch::channel(live).1,
            process: Box::new(|| Process {
                usage: usage::read(),
                ..Process::default()
            }),
            history: history.clone(),
            looker: Looker::new(engine.reporter(), engine.link().clone()),
            settings: watch::channel(settings).1,
        });
        let mut tasks = Tasks::default();
        tasks.start("remembering", history.run(snapshots.clone()));
        engine.look(look).await?;
        engine.has_asked()?;
        tasks.start("gathering", async move { engine.go_on(INDEFINITELY).await });
        Ok(Self {
            pages,
            snapshots,
            tasks,
        })
    }

    /// The screen of the latest snapshot; `None` where what it is about is not there.
    ///
    /// # Errors
    /// When making it ended unexpectedly.
    pub(super) async fn view(&mut self, ask: &Ask) -> anyhow::Result<Option<Screen>> {
        self.snapshots.mark_unchanged();
        self.pages.view(ask).await.context("failed to make the screen")
    }

    /// Waits for another snapshot.
    pub(super) async fn changed(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            Ok(()) = self.snapshots.changed() => Ok(()),
            reason = self.tasks.ended() => Err(reason),
        }
    }
}
