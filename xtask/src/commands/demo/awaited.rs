//! When the page shows the workers that the demo waits for.

use std::fmt;

use super::page::View;

/// How many further rounds must find as many workers before these are taken for all.
const ROUNDS: f64 = 2.0;

/// What is waited for, and what the last looks showed of it.
#[derive(Debug)]
pub(crate) struct Awaited {
    /// As many as this are enough.
    workers: Option<u32>,
    /// Whether a number that stays is enough too: a scenario may know its own number, and hold workers back.
    settled: bool,
    fresh: f64,
    /// The round that showed this number first.
    since: f64,
}

impl Awaited {
    pub(crate) fn exactly(workers: u32) -> Self {
        Self {
            workers: Some(workers),
            settled: false,
            fresh: 0.0,
            since: 0.0,
        }
    }

    /// Waits for some worker and a number that stays, or for as many as `workers` says.
    pub(crate) fn settled(workers: Option<u32>) -> Self {
        Self {
            workers,
            settled: true,
            fresh: 0.0,
            since: 0.0,
        }
    }

    /// Whether the page shows, after this look, what is waited for.
    ///
    /// Looks are many and rounds are few, so it is rounds that count.
    pub(crate) fn is_there(&mut self, view: &View) -> bool {
        if view.fresh != self.fresh {
            self.fresh = view.fresh;
            self.since = view.rounds;
        }
        let enough = self
            .workers
            .is_some_and(|workers| view.fresh >= f64::from(workers));
        enough || self.settled && view.fresh >= 1.0 && view.rounds >= self.since + ROUNDS
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.workers {
            Some(workers) if !self.settled => write!(f, "{workers} workers"),
            _ => f.write_str("any number of workers that stays"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rounds: f64, fresh: f64) -> View {
        View { fresh, rounds }
    }

    #[test]
    fn a_number_that_is_given_is_waited_for_however_long_another_stays() {
        let mut awaited = Awaited::exactly(4);
        assert!(!awaited.is_there(&at(1.0, 3.0)));
        assert!(!awaited.is_there(&at(9.0, 3.0)));
        assert!(awaited.is_there(&at(9.0, 4.0)));
    }

    #[test]
    fn without_a_number_it_must_stay_for_two_rounds() {
        let mut awaited = Awaited::settled(None);
        assert!(!awaited.is_there(&at(1.0, 3.0)));
        assert!(!awaited.is_there(&at(2.0, 3.0)));
        assert!(!awaited.is_there(&at(3.0, 8.0)), "it grew");
        assert!(!awaited.is_there(&at(4.0, 8.0)));
        assert!(!awaited.is_there(&at(4.0, 8.0)), "a look without a round between");
        assert!(awaited.is_there(&at(5.0, 8.0)));
    }

    #[test]
    fn a_page_without_workers_never_settles() {
        let mut awaited = Awaited::settled(None);
        assert!(!awaited.is_there(&at(0.0, 0.0)));
        assert!(!awaited.is_there(&at(99.0, 0.0)));
    }

    #[test]
    fn what_settles_is_there_at_once_with_the_number_that_is_given() {
        assert!(Awaited::settled(Some(8)).is_there(&at(1.0, 8.0)));
    }
}
