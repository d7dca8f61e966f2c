//! [`Feed`]: where screens come from, a running collector or NATS itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::own::Own;
use super::remote::Remote;
use crate::view::{Ask, Screen};

/// Time to the next attempt to reach a collector that does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Time from one screen to the next: a person sees no more, and events may publish many snapshots in a second.
const REST: Duration = Duration::from_millis(500);

/// What a terminal learns of a screen.
#[derive(Debug)]
pub(super) enum Update {
    /// It is so now.
    Screen(Ask, Arc<Screen>),
    /// What it is about is not there.
    Gone(Ask),
    /// It cannot be had, for this reason.
    Silent(String),
}

/// Where screens come from.
pub(super) enum Feed {
    /// A running collector.
    Remote(Box<Remote>),
    /// NATS itself.
    Own(Box<Own>),
}

impl Feed {
    /// Hands on the screen that is wanted, again whenever it changes, until nothing takes it any more.
    ///
    /// # Errors
    /// Where gathering has ended.
    pub(super) async fn run(
        self,
        wanted: watch::Receiver<Ask>,
        updates: mpsc::Sender<Update>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Remote(remote) => {
                follow(&remote, wanted, &updates).await;
                Ok(())
            }
            Self::Own(own) => gather(*own, wanted, &updates).await,
        }
    }
}

async fn follow(remote: &Remote, mut wanted: watch::Receiver<Ask>, updates: &mpsc::Sender<Update>) {
    loop {
        let ask = wanted.borrow_and_update().clone();
        tokio::select! {
            reason = remote.follow(&ask, updates) => {
                if updates.send(Update::Silent(reason.to_string())).await.is_err() {
                    return;
                }
                tokio::select! {
                    () = sleep(RETRY) => {}
                    changed = wanted.changed() => if changed.is_err() { return },
                }
            }
            changed = wanted.changed() => if changed.is_err() { return },
        }
    }
}

async fn gather(
    mut own: Own,
    mut wanted: watch::Receiver<Ask>,
    updates: &mpsc::Sender<Update>,
) -> anyhow::Result<()> {
    loop {
        let ask = wanted.borrow_and_update().clone();
        let update = match own.view(&ask).await? {
            Some(screen) => Update::Screen(ask, Arc::new(screen)),
            None => Update::Gone(ask),
        };
        if updates.send(update).await.is_err() {
            return Ok(());
        }
        tokio::select! {
            changed = wanted.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
            changed = own.changed() => changed?,
        }
        tokio::select! {
            () = sleep(REST) => {}
            changed = wanted.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}
