//! A number over time as a line of small bars.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};

/// From the lowest, which is zero alone, to the largest value seen.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// As many bars as fit on a line of 80 with a label before them.
const LONGEST: usize = 60;

#[derive(Debug, Default)]
pub(crate) struct Sparkline {
    recent: VecDeque<Option<f64>>,
    last: Option<f64>,
    largest: Option<f64>,
}

impl Sparkline {
    /// Takes the next value in; one that is unknown leaves a gap.
    pub(crate) fn push(&mut self, value: Option<f64>) {
        if self.recent.len() == LONGEST {
            self.recent.pop_front();
        }
        self.recent.push_back(value);
        if let Some(value) = value {
            self.last = Some(value);
            self.largest = Some(self.largest.map_or(value, |largest| largest.max(value)));
        }
    }

    /// The last value that was known.
    pub(crate) fn last(&self) -> Option<f64> {
        self.last
    }

    /// The largest value of all, those included whose bars are out of sight by now.
    pub(crate) fn largest(&self) -> Option<f64> {
        self.largest
    }
}

impl fmt::Display for Sparkline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = self.largest.unwrap_or(0.0);
        self.recent
            .iter()
            .try_for_each(|value| f.write_char(value.map_or(' ', |value| bar(value, largest))))
    }
}

/// Rounded up: a queue of one beside one of a thousand is still seen to be a queue.
fn bar(value: f64, largest: f64) -> char {
    if value <= 0.0 || largest <= 0.0 {
        return BARS[0];
    }
    let highest = BARS.len() - 1;
    let step = (value / largest * highest as f64).ceil() as usize;
    BARS[step.min(highest)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Sparkline {
        let mut sparkline = Sparkline::default();
        values.into_iter().for_each(|value| sparkline.push(Some(value)));
        sparkline
    }

    #[test]
    fn bars_rise_and_fall_with_the_values() {
        let sparkline = of([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 3.0, 0.0]);
        assert_eq!(sparkline.to_string(), "▁▂▃▄▅▆▇█▄▁");
    }

    #[test]
    fn only_nothing_has_the_lowest_bar() {
        assert_eq!(of([0.0, 1.0, 1000.0]).to_string(), "▁▂█");
        assert_eq!(of([0.0, 0.0]).to_string(), "▁▁");
    }

    #[test]
    fn the_scale_is_kept_when_the_largest_value_is_out_of_sight() {
        let mut sparkline = of([70.0]);
        (0..LONGEST).for_each(|_| sparkline.push(Some(10.0)));
        assert_eq!(sparkline.to_string(), "▂".repeat(LONGEST));
        assert_eq!(sparkline.largest(), Some(70.0));
        assert_eq!(sparkline.last(), Some(10.0));
    }

    #[test]
    fn what_is_unknown_is_a_gap_and_no_value() {
        let mut sparkline = of([1.0]);
        sparkline.push(None);
        sparkline.push(Some(1.0));
        sparkline.push(None);
        assert_eq!(sparkline.to_string(), "█ █ ");
        assert_eq!(sparkline.last(), Some(1.0));
        assert_eq!(Sparkline::default().largest(), None);
    }
}
