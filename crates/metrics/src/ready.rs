//! Whether the collector is ready, and why not. `/readyz` and `llm_collector_up` decide by the same conditions.

use std::fmt;
use std::time::Duration;

use fleet::{PoolName, Settings};

use crate::published::Published;

/// Pools that a reason names; of more, it says how many there are.
const MAX_NAMED: usize = 5;

/// One condition that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// There is no connection to NATS.
    NotConnected,
    /// No round has ended since the start.
    NoRound,
    /// The last round ended too long ago.
    RoundTooOld {
        /// Its age.
        age: Duration,
    },
    /// The last round brought neither a valid reply nor a definite answer that no service is subscribed.
    RoundFailed,
    /// The same, for some of the pools.
    PoolsFailed(Vec<PoolName>),
}

/// How long ago the last round may have ended.
pub fn round_limit(settings: &Settings) -> Duration {
    settings.poll_interval * 2 + settings.round_timeout
}

/// Whether a round has ended, and recently.
pub fn has_recent_round(published: &Published, limit: Duration) -> bool {
    published.round_age().is_some_and(|age| age <= limit)
}

/// All conditions that are not met; without any, the collector is ready.
pub fn why_not(published: &Published, limit: Duration) -> Vec<NotReady> {
    let snapshot = &published.snapshot;
    let mut reasons = Vec::new();
    if !snapshot.link.connected {
        reasons.push(NotReady::NotConnected);
    }
    match published.round_age() {
        None => {
            reasons.push(NotReady::NoRound);
            return reasons;
        }
        Some(age) if age > limit => reasons.push(NotReady::RoundTooOld { age }),
        Some(_) => {}
    }
    if !snapshot.up {
        reasons.push(NotReady::RoundFailed);
        return reasons;
    }
    let down = snapshot.pools.iter().filter(|pool| !pool.up);
    let down: Vec<PoolName> = down.map(|pool| pool.name.clone()).collect();
    if !down.is_empty() {
        reasons.push(NotReady::PoolsFailed(down));
    }
    reasons
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FAILED: &str = "the last round got no valid reply";
        match self {
            Self::NotConnected => f.write_str("not connected to NATS"),
            Self::NoRound => f.write_str("no round has ended yet"),
            Self::RoundTooOld { age } => write!(f, "the last round ended {:.1}s ago", age.as_secs_f64()),
            Self::RoundFailed => f.write_str(FAILED),
            Self::PoolsFailed(pools) => {
                write!(f, "{FAILED} for ")?;
                for (index, pool) in pools.iter().take(MAX_NAMED).enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    // A name may come from outside.
                    write!(f, "{separator}{}", pool.to_string().escape_debug())?;
                }
                match pools.len().saturating_sub(MAX_NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fleet::{LinkView, PoolView, Snapshot};
    use tokio::time::advance;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(6);

    fn snapshot(pools_up: &[bool]) -> Snapshot {
        let pool = |(index, up): (usize, &bool)| {
            let name = PoolName::Workers(format!("dynamo/c{index}/e").parse().expect("a path"));
            let mut pool = PoolView::empty(name, Settings::default());
            pool.up = *up;
            Arc::new(pool)
        };
        Snapshot {
            up: true,
            round_age: Some(Duration::from_secs(1)),
            link: LinkView {
                connected: true,
                ..LinkView::default()
            },
            pools: pools_up.iter().enumerate().map(pool).collect(),
            ..Snapshot::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ready_means_connected_up_and_a_recent_round() {
        fn check(snapshot: Snapshot, expected: &str) {
            let reasons = why_not(&Published::now(Arc::new(snapshot)), LIMIT);
            let shown: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            assert_eq!(shown.join("; "), expected);
        }
        let good = || snapshot(&[true, true]);
        let age = |seconds| Some(Duration::from_secs(seconds));
        check(good(), "");
        check(snapshot(&[]), "");
        check(
            Snapshot::default(),
            "not connected to NATS; no round has ended yet",
        );
        check(
            Snapshot {
                link: LinkView::default(),
                ..good()
            },
            "not connected to NATS",
        );
        check(
            Snapshot { up: false, ..good() },
            "the last round got no valid reply",
        );
        check(
            Snapshot {
                round_age: age(6),
                ..good()
            },
            "",
        );
        check(
            Snapshot {
                round_age: age(7),
                ..good()
            },
            "the last round ended 7.0s ago",
        );
        check(
            Snapshot {
                round_age: None,
                ..good()
            },
            "no round has ended yet",
        );
        check(
            snapshot(&[true, false]),
            "the last round got no valid reply for dynamo/c1/e",
        );
        check(
            snapshot(&[false; 7]),
            "the last round got no valid reply for dynamo/c0/e, dynamo/c1/e, dynamo/c2/e, dynamo/c3/e, dynamo/c4/e and 2 more",
        );
        check(
            Snapshot {
                link: LinkView::default(),
                round_age: age(60),
                ..snapshot(&[false])
            },
            "not connected to NATS; the last round ended 60.0s ago; the last round got no valid reply for dynamo/c0/e",
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_grows_old_while_no_snapshot_is_published() {
        let published = Published::now(Arc::new(snapshot(&[true])));
        advance(Duration::from_secs(5)).await;
        assert!(why_not(&published, LIMIT).is_empty() && has_recent_round(&published, LIMIT));
        advance(Duration::from_secs(1)).await;
        let age = Duration::from_secs(7);
        assert_eq!(why_not(&published, LIMIT), [NotReady::RoundTooOld { age }]);
        assert!(!has_recent_round(&published, LIMIT));
    }

    #[test]
    fn two_rounds_may_fail_to_start_before_the_last_one_is_too_old() {
        assert_eq!(round_limit(&Settings::default()), LIMIT);
    }
}
