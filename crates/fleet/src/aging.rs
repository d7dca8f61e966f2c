//! How a worker's knowledge grows old: in rounds, in time, and by the loss of the link.

use std::time::Duration;

use crate::{Now, Settings, WorkerState};

/// Rounds after a reconnect in which a missing worker does not age, because subscriptions spread through a cluster
/// gradually.
const GRACE_ROUNDS: u32 = 2;

/// The rounds that there were, by what they mean for workers which did not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Aging {
    /// Rounds that make a worker which misses them stale.
    stale_rounds: u32,
    /// Rounds that bring a worker which misses them closer to being gone. A round that failed is none of them.
    gone_rounds: u32,
    /// How often the link was lost. What was known before is not current.
    pub(crate) link_epoch: u32,
    grace: u32,
    /// When the link was lost, while it is.
    lost_at: Option<Duration>,
    /// When it was last restored.
    restored_at: Duration,
}

/// When a worker answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// `None` while it has only answered too late.
    fresh: Option<Fresh>,
    gone_rounds: u32,
    /// Its last late answer, in rounds.
    late: Option<u32>,
    unix: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Fresh {
    stale_rounds: u32,
    link_epoch: u32,
    at: Duration,
}

impl Aging {
    /// Ends a round.
    pub(crate) fn round_ended(&mut self, failed: bool) {
        match (failed, self.grace) {
            (true, _) => self.stale_rounds += 1,
            (false, 0) => {
                self.stale_rounds += 1;
                self.gone_rounds += 1;
            }
            (false, _) => self.grace -= 1,
        }
    }

    /// How many rounds there were that did not fail.
    pub(crate) fn rounds(&self) -> u64 {
        u64::from(self.gone_rounds)
    }

    /// The link is lost: nothing that is known is current.
    pub(crate) fn link_lost(&mut self, now: Now) {
        self.link_epoch += 1;
        self.lost_at.get_or_insert(now.mono);
    }

    /// The link is restored.
    pub(crate) fn link_restored(&mut self, now: Now) {
        self.grace = GRACE_ROUNDS;
        self.lost_at = None;
        self.restored_at = now.mono;
    }

    /// For how long there has been a link to hear something by, of the time since `then`. After an outage it begins anew.
    pub(crate) fn listened_since(&self, then: Duration, now: Now) -> Duration {
        let until = self.lost_at.unwrap_or(now.mono);
        until.saturating_sub(then.max(self.restored_at))
    }

    /// An answer in time. `is_in_round` where its round has not ended yet: that end is not held against the worker.
    pub(crate) fn seen(&self, is_in_round: bool, now: Now) -> Seen {
        let current = u32::from(is_in_round);
        Seen {
            fresh: Some(Fresh {
                stale_rounds: self.stale_rounds + current,
                link_epoch: self.link_epoch,
                at: now.mono,
            }),
            gone_rounds: self.gone_rounds + current,
            late: None,
            unix: now.unix,
        }
    }

    /// No answer at all: the worker is known by its events.
    pub(crate) fn unseen(&self) -> Seen {
        Seen {
            fresh: None,
            gone_rounds: self.gone_rounds,
            late: None,
            unix: Duration::ZERO,
        }
    }

    /// A first answer that came too late.
    pub(crate) fn seen_late(&self, now: Now) -> Seen {
        Seen {
            fresh: None,
            gone_rounds: self.gone_rounds,
            late: Some(self.gone_rounds),
            unix: now.unix,
        }
    }
}

impl Seen {
    /// Takes in a late answer: the worker lives, but what is known of it stays as old as it is.
    pub(crate) fn answered_late(&mut self, aging: &Aging) {
        self.late = Some(aging.gone_rounds);
        self.gone_rounds = self.gone_rounds.max(aging.gone_rounds);
    }

    /// The state of the worker.
    pub(crate) fn state(&self, aging: &Aging, now: Now, settings: &Settings) -> WorkerState {
        let is_fresh = self.fresh.is_some_and(|fresh| {
            fresh.link_epoch == aging.link_epoch
                && aging.stale_rounds.saturating_sub(fresh.stale_rounds) < settings.stale_after
                && now.mono.saturating_sub(fresh.at) <= settings.fresh_for()
        });
        let is_late = || {
            let missed = |late: u32| aging.gone_rounds.saturating_sub(late);
            self.late
                .is_some_and(|late| missed(late) <= settings.stale_after.max(2))
        };
        if is_fresh {
            WorkerState::Fresh
        } else if is_late() {
            WorkerState::Late
        } else {
            WorkerState::Stale
        }
    }

    /// How many rounds the worker has missed, of those that prove something.
    pub(crate) fn missed(&self, aging: &Aging) -> u32 {
        aging.gone_rounds.saturating_sub(self.gone_rounds)
    }

    /// When it last answered in time.
    pub(crate) fn answered_at(&self) -> Option<Duration> {
        self.fresh.map(|fresh| fresh.at)
    }

    /// When a fresh worker ceases to be so for its age.
    pub(crate) fn fresh_until(&self, settings: &Settings) -> Option<Duration> {
        self.fresh.map(|fresh| fresh.at + settings.fresh_for())
    }

    /// Whether no answer of it came in time yet.
    pub(crate) fn is_late_only(&self) -> bool {
        self.fresh.is_none()
    }

    /// Whether the worker has missed so many rounds that it is gone.
    pub(crate) fn is_gone(&self, aging: &Aging, settings: &Settings) -> bool {
        self.missed(aging) >= settings.gone_after
    }

    /// Whether it has ever answered.
    pub(crate) fn has_answered(&self) -> bool {
        self.fresh.is_some() || self.late.is_some()
    }

    /// When it last gave valid statistics, in Unix time.
    pub(crate) fn unix(&self) -> Option<Duration> {
        self.has_answered().then_some(self.unix)
    }
}
