//! With whom, and when: selectors and schedules.

use protocol::WorkerId;
use serde::Deserialize;
use sim::random::Random;

use super::Fault;

/// Which workers a fault concerns.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Select {
    /// All of them.
    #[default]
    All,
    /// Those with these ids, in decimal.
    Ids(Vec<Id>),
    /// Those at these places of the fleet, counted from 0.
    Places(Vec<u32>),
    /// The first so many of the fleet.
    First(u32),
    /// The last so many of the fleet.
    Last(u32),
    /// A share of them, drawn by the seed; at least one, unless it is 0.
    Fraction(f64),
    /// Every so-manieth, the first among them.
    Every(u32),
}

/// An id; as a text where it does not fit the integers of TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "IdText")]
pub struct Id(pub u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum IdText {
    Number(u64),
    Text(String),
}

impl TryFrom<IdText> for Id {
    type Error = String;

    fn try_from(id: IdText) -> Result<Self, String> {
        match id {
            IdText::Number(id) => Ok(Self(id)),
            IdText::Text(text) => match text.parse() {
                Ok(id) => Ok(Self(id)),
                Err(_) => Err(format!("{text:?} is not a worker id; write it in decimal")),
            },
        }
    }
}

impl Select {
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Fraction(share) if !(0.0..=1.0).contains(share) => {
                Err(format!("fraction is {share}; it must lie between 0 and 1"))
            }
            Self::Every(0) => Err("every is 0; it must be 1 or more".to_owned()),
            _ => Ok(()),
        }
    }

    /// The places of the workers that are concerned, in ascending order.
    pub(crate) fn places(&self, ids: &[WorkerId], seed: u64, question: u64) -> Vec<usize> {
        let all = 0..ids.len();
        match self {
            Self::All => all.collect(),
            Self::Ids(wanted) => all
                .filter(|&at| wanted.iter().any(|id| id.0 == ids[at].get()))
                .collect(),
            Self::Places(wanted) => all.filter(|at| wanted.contains(&(*at as u32))).collect(),
            Self::First(count) => all.take(*count as usize).collect(),
            Self::Last(count) => all.skip(ids.len().saturating_sub(*count as usize)).collect(),
            Self::Every(step) => all.step_by(*step as usize).collect(),
            Self::Fraction(share) => {
                let wanted = libm::ceil(share * ids.len() as f64) as usize;
                let rank = |at: &usize| Random::at(seed, *at as u32, question, u64::MAX).bits();
                let mut places: Vec<usize> = all.collect();
                places.sort_by_key(rank);
                places.truncate(wanted);
                places.sort_unstable();
                places
            }
        }
    }
}

/// One time that a fault lasts, in nanoseconds since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Which time, counted from 0.
    pub number: u64,
    /// Its beginning.
    pub from: u64,
    /// Its end, which does not belong to it; `None` where it never ends.
    pub until: Option<u64>,
}

impl Fault {
    /// The `number`-th time that it strikes the worker that is the `rank`-th of those concerned.
    pub(crate) fn window(&self, rank: u64, number: u64) -> Option<Window> {
        let most = match self.every {
            None => 1,
            Some(_) => self.count.unwrap_or(u64::MAX),
        };
        let period = self.every.map_or(0, |every| every.0);
        let from = rank
            .checked_mul(self.stagger.0)
            .and_then(|stagger| stagger.checked_add(period.checked_mul(number)?))
            .and_then(|after| after.checked_add(self.at.0))?;
        (number < most).then(|| Window {
            number,
            from,
            until: self.length.map(|length| from.saturating_add(length.0)),
        })
    }

    /// The time it is in force with that worker at `now`, where it is.
    pub(crate) fn window_at(&self, rank: u64, now: u64) -> Option<Window> {
        let first = self.window(rank, 0)?;
        let since = now.checked_sub(first.from)?;
        let number = self.every.map_or(0, |every| since / every.0);
        let number = number.min(self.count.map_or(number, |count| count.saturating_sub(1)));
        self.window(rank, number)
            .filter(|window| window.until.is_none_or(|until| now < until))
    }

    /// Whether it strikes at `now`: with a probability, each second of the worker is drawn anew.
    pub(crate) fn strikes(&self, seed: u64, question: u64, place: usize, now: u64) -> bool {
        self.probability.is_none_or(|probability| {
            let second = now / 1_000_000_000;
            Random::at(seed, place as u32, question, second).unit() < probability
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use sim::nanos::Nanos;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_fault_is_in_force_from_its_beginning_up_to_its_end() {
        let check = |fault: &Fault, rank: u64, expected: &[u64]| {
            let struck: Vec<u64> = (0..40)
                .filter(|second| fault.window_at(rank, second * SECOND).is_some())
                .collect();
            assert_eq!(struck, expected, "{fault:?}");
        };
        let seconds = |seconds| Some(Nanos(seconds * SECOND));
        let mut fault = Fault::new(Kind::Silent);
        fault.at = Nanos(35 * SECOND);
        check(&fault, 0, &[35, 36, 37, 38, 39]);
        fault.length = seconds(2);
        check(&fault, 0, &[35, 36]);
        fault.at = Nanos(5 * SECOND);
        (fault.every, fault.count) = (seconds(10), Some(3));
        check(&fault, 0, &[5, 6, 15, 16, 25, 26]);
        fault.stagger = Nanos(3 * SECOND);
        check(&fault, 2, &[11, 12, 21, 22, 31, 32]);
        fault.count = Some(0);
        check(&fault, 0, &[]);
    }

    #[test]
    fn selectors_select_whom_they_say() {
        let ids: Vec<WorkerId> = (0..10).map(|id| WorkerId::new(id + 100)).collect();
        let check = |select: Select, expected: &[usize]| {
            assert_eq!(select.places(&ids, 1, 0), expected, "{select:?}");
        };
        check(Select::First(3), &[0, 1, 2]);
        check(Select::Last(2), &[8, 9]);
        check(Select::Every(4), &[0, 4, 8]);
        check(Select::Ids(vec![Id(103), Id(7)]), &[3]);
        check(Select::Places(vec![4, 1, 10]), &[1, 4]);
        check(Select::Fraction(0.0), &[]);
        check(Select::Fraction(1.0), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let some = Select::Fraction(0.3).places(&ids, 1, 0);
        assert_eq!(some.len(), 3);
        assert_ne!(
            some,
            Select::Fraction(0.3).places(&ids, 2, 0),
            "the seed draws them"
        );
    }

    #[test]
    fn a_probability_is_drawn_for_each_second() {
        let mut fault = Fault::new(Kind::Drop);
        fault.probability = Some(0.25);
        let struck = (0..4000)
            .filter(|second| fault.strikes(1, 0, 3, second * SECOND))
            .count();
        assert!((900..1100).contains(&struck), "{struck} of 4000");
        assert_eq!(
            fault.strikes(1, 0, 3, SECOND),
            fault.strikes(1, 0, 3, SECOND + 999),
            "the same second"
        );
    }
}
