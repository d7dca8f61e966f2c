//! [`PoolSort`]: by what pools are put in order; and an order that is kept.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::view::PoolRow;

/// By what pools are put in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum PoolSort {
    /// By the gravest problem, then by saturation.
    #[default]
    Severity,
    Name,
    Kv,
    Waiting,
    Requests,
    Errors,
}

impl PoolSort {
    const ALL: [Self; 6] = [
        Self::Severity,
        Self::Name,
        Self::Kv,
        Self::Waiting,
        Self::Requests,
        Self::Errors,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Name => "name",
            Self::Kv => "kv",
            Self::Waiting => "waiting",
            Self::Requests => "requests",
            Self::Errors => "errors",
        }
    }

    /// The order after this one.
    pub(super) fn next(self) -> Self {
        after(self, &Self::ALL)
    }

    pub(super) fn compare(self, a: &PoolRow, b: &PoolRow) -> Ordering {
        let kv = |row: &PoolRow| row.kv_spread.map(|spread| spread.max.value);
        let waiting = |row: &PoolRow| row.waiting.map(|waiting| waiting as f64);
        let by_figure = match self {
            Self::Severity => a.rank.cmp(&b.rank),
            Self::Name => Ordering::Equal,
            Self::Kv => descending(kv(a), kv(b)),
            Self::Waiting => descending(waiting(a), waiting(b)),
            Self::Requests => descending(a.requests_per_second, b.requests_per_second),
            Self::Errors => descending(a.error_ratio, b.error_ratio),
        };
        by_figure.then_with(|| a.name.cmp(&b.name))
    }
}

fn descending(a: Option<f64>, b: Option<f64>) -> Ordering {
    b.unwrap_or(-1.0).total_cmp(&a.unwrap_or(-1.0))
}

/// The one after this; after the last comes the first.
pub(super) fn after<T: Copy + PartialEq>(this: T, all: &[T]) -> T {
    let place = all.iter().position(|one| *one == this).unwrap_or(0);
    all[(place + 1) % all.len()]
}

/// The one before this; before the first comes the last.
pub(super) fn before<T: Copy + PartialEq>(this: T, all: &[T]) -> T {
    let place = all.iter().position(|one| *one == this).unwrap_or(0);
    all[(place + all.len() - 1) % all.len()]
}

/// Puts rows in the order that is kept. What was not there then follows in its own order.
pub(super) fn keep<R>(rows: &mut [R], kept: &[String], key: impl Fn(&R) -> &str) {
    let places: HashMap<&str, usize> = kept
        .iter()
        .enumerate()
        .map(|(place, key)| (key.as_str(), place))
        .collect();
    rows.sort_by_key(|row| places.get(key(row)).copied().unwrap_or(usize::MAX));
}
