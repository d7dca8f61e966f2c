//! Tick marks at round numbers.

/// Numbers from 0 at equal distances; the distance is 1, 2 or 5 times a power of ten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ticks {
    step: f64,
    /// How many digits a label has after the point.
    decimals: usize,
    /// How many steps there are.
    count: u32,
}

/// 0.6 is three times 0.2, but 0.6 / 0.2 is less than 3.
const HAIR: f64 = 1e-9;

impl Ticks {
    /// From 0 to the first tick that is not below `largest`, in at most `most` steps.
    pub(crate) fn up_to(largest: f64, most: u32) -> Self {
        Self::new(largest, most, |steps| (steps - HAIR).ceil())
    }

    /// From 0 to the last tick that is not above `end`, in at most `most` steps.
    pub(crate) fn within(end: f64, most: u32) -> Self {
        Self::new(end, most, |steps| (steps + HAIR).floor())
    }

    fn new(length: f64, most: u32, whole: fn(f64) -> f64) -> Self {
        // What has no length is drawn as if it had 1.
        let length = if length > 0.0 { length } else { 1.0 };
        let (step, decimals) = step(length / f64::from(most));
        Self {
            step,
            decimals,
            count: whole(length / step) as u32,
        }
    }

    /// The last tick.
    pub(crate) fn end(&self) -> f64 {
        self.value(self.count)
    }

    /// Each tick with its label.
    pub(crate) fn labelled(&self) -> impl Iterator<Item = (f64, String)> {
        (0..=self.count).map(|number| {
            let value = self.value(number);
            (value, format!("{value:.*}", self.decimals))
        })
    }

    fn value(&self, number: u32) -> f64 {
        f64::from(number) * self.step
    }
}

/// The smallest round step that is not below `smallest`, and how many digits it has after the point.
fn step(smallest: f64) -> (f64, usize) {
    let power = smallest.log10().floor() as i32;
    let decimals = |power: i32| power.min(0).unsigned_abs() as usize;
    let steps = [1.0, 2.0, 5.0].map(|factor| (factor * 10_f64.powi(power), decimals(power)));
    let next = (10_f64.powi(power + 1), decimals(power + 1));
    let fits = |(step, _): &(f64, usize)| *step >= smallest * (1.0 - HAIR);
    steps.into_iter().find(fits).unwrap_or(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Ticks) -> String {
        ticks
            .labelled()
            .map(|(_, label)| label)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn an_axis_ends_at_a_round_number_that_is_not_below_the_largest_value() {
        let check = |largest: f64, expected: &str| {
            assert_eq!(labels(Ticks::up_to(largest, 5)), expected, "{largest}");
        };
        check(1.0, "0.0 0.2 0.4 0.6 0.8 1.0");
        check(5.0, "0 1 2 3 4 5");
        check(5.1, "0 2 4 6");
        check(37.0, "0 10 20 30 40");
        check(50.0, "0 10 20 30 40 50");
        check(999.0, "0 200 400 600 800 1000");
        check(0.03, "0.00 0.01 0.02 0.03");
        check(1_234_567.0, "0 500000 1000000 1500000");
    }

    #[test]
    fn marks_within_a_length_do_not_go_beyond_it() {
        let check = |end: f64, expected: &str| {
            assert_eq!(labels(Ticks::within(end, 10)), expected, "{end}");
        };
        check(5.0, "0.0 0.5 1.0 1.5 2.0 2.5 3.0 3.5 4.0 4.5 5.0");
        check(59.0, "0 10 20 30 40 50");
        check(90.0, "0 10 20 30 40 50 60 70 80 90");
        check(0.6, "0.0 0.1 0.2 0.3 0.4 0.5 0.6");
    }

    #[test]
    fn what_has_no_length_has_marks_all_the_same() {
        assert_eq!(labels(Ticks::up_to(0.0, 2)), "0.0 0.5 1.0");
    }

    #[test]
    fn no_length_has_more_marks_than_asked_for() {
        for exponent in -9..9 {
            for factor in [1.0, 1.5, 2.0, 3.0, 4.99, 5.0, 7.0, 9.999] {
                let length = factor * 10_f64.powi(exponent);
                let ticks = Ticks::up_to(length, 5);
                assert!((1..=5).contains(&ticks.count), "{length}: {} marks", ticks.count);
                assert!(ticks.end() >= length * (1.0 - HAIR), "{length}: {}", ticks.end());
                assert!(Ticks::within(length, 5).end() <= length * (1.0 + HAIR));
            }
        }
    }
}
