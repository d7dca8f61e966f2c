//! One figure: what was measured, its goal, and whether it is reached.

/// What the collector's figure is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A multiple of what is measured next to it.
    Ratio,
    Seconds,
    Bytes,
    /// What should not have happened.
    Count,
    /// What happens on no machine, however slow.
    Mistakes,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) workers: u32,
    pub(super) unit: Unit,
    /// The most that it may be; `None` where the figure is for information.
    pub(super) goal: Option<f64>,
    /// What was measured, or why it could not be.
    pub(super) outcome: Result<Measured, String>,
}

/// A number and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) value: f64,
    pub(super) detail: String,
}

impl Figure {
    /// A time of the collector as a multiple of that of its yardstick.
    pub(super) fn ratio(
        name: &'static str,
        workers: u32,
        goal: Option<f64>,
        collector: f64,
        yardstick: f64,
    ) -> Self {
        let outcome = if yardstick > 0.0 && collector.is_finite() {
            Ok(Measured {
                value: collector / yardstick,
                detail: format!("{} ÷ {}", seconds(collector), seconds(yardstick)),
            })
        } else {
            Err("nothing to compare with was measured".to_owned())
        };
        Self {
            name,
            workers,
            unit: Unit::Ratio,
            goal,
            outcome,
        }
    }

    pub(super) fn number(
        name: &'static str,
        workers: u32,
        unit: Unit,
        goal: Option<f64>,
        value: f64,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            name,
            workers,
            unit,
            goal,
            outcome: Ok(Measured {
                value,
                detail: detail.into(),
            }),
        }
    }

    pub(super) fn failed(name: &'static str, workers: u32, reason: impl Into<String>) -> Self {
        Self {
            name,
            workers,
            unit: Unit::Ratio,
            goal: None,
            outcome: Err(reason.into()),
        }
    }

    /// The cells of the table.
    pub(super) fn cells(&self) -> [String; 6] {
        let (measured, detail) = match &self.outcome {
            Ok(measured) => (self.shown(measured.value), measured.detail.clone()),
            Err(_) => ("–".to_owned(), String::new()),
        };
        let goal = self.goal.map_or("–".to_owned(), |goal| match (self.unit, goal) {
            (Unit::Count | Unit::Mistakes, 0.0) => "none".to_owned(),
            (_, goal) => format!(
                "≤ {}",
                self.shown(goal).trim_end_matches('0').trim_end_matches('.')
            ),
        });
        [
            self.name.to_owned(),
            thousands(u64::from(self.workers)),
            measured,
            goal,
            self.result(),
            detail,
        ]
    }

    fn result(&self) -> String {
        match (&self.outcome, self.goal) {
            (Err(reason), _) => format!("failed: {reason}"),
            (Ok(_), None) => String::new(),
            (Ok(measured), Some(goal)) if measured.value <= goal => "ok".to_owned(),
            (Ok(_), Some(_)) => "missed".to_owned(),
        }
    }

    /// Whether the figure is so bad that a slow machine cannot be the reason: a ratio above twice its goal, a mistake, or
    /// nothing measured.
    pub(super) fn has_regressed(&self) -> bool {
        match (&self.outcome, self.goal) {
            (Err(_), _) => true,
            (Ok(_), None) => false,
            (Ok(measured), Some(goal)) => match self.unit {
                Unit::Ratio => measured.value > 2.0 * goal,
                Unit::Mistakes => measured.value > goal,
                Unit::Seconds | Unit::Bytes | Unit::Count => false,
            },
        }
    }

    fn shown(&self, value: f64) -> String {
        match self.unit {
            Unit::Ratio => format!("{value:.2}"),
            Unit::Seconds => seconds(value),
            Unit::Bytes => megabytes(value),
            Unit::Count | Unit::Mistakes => thousands(value as u64),
        }
    }
}

/// The middle one, or the mean of the two in the middle; not a number where there are none.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// A time with three digits that count.
pub(super) fn seconds(seconds: f64) -> String {
    let (number, unit) = match seconds {
        short if short < 1e-3 => (seconds * 1e6, "µs"),
        short if short < 1.0 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    let digits = match number {
        small if small < 10.0 => 2,
        middling if middling < 100.0 => 1,
        _ => 0,
    };
    format!("{number:.digits$} {unit}")
}

pub(super) fn megabytes(bytes: f64) -> String {
    let digits = if bytes < 10e6 { 1 } else { 0 };
    format!("{:.digits$} MB", bytes / 1e6)
}

/// 10000 as 10,000.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        let check = |values: &[f64], expected: f64| {
            assert_eq!(median(values.iter().copied()), expected, "{values:?}");
        };
        check(&[3.0], 3.0);
        check(&[9.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0, 2.0, 90.0], 3.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(thousands(100_000), "100,000");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(100), "100");
        assert_eq!(seconds(1.7e-6), "1.70 µs");
        assert_eq!(seconds(0.0405), "40.5 ms");
        assert_eq!(seconds(0.390), "390 ms");
        assert_eq!(seconds(1.7), "1.70 s");
        assert_eq!(megabytes(91_400_000.0), "91 MB");
        assert_eq!(megabytes(2_345_678.0), "2.3 MB");
    }

    #[test]
    fn a_figure_is_ok_missed_or_failed() {
        let check = |figure: Figure, expected: [&str; 4], regressed: bool| {
            let cells = figure.cells();
            assert_eq!(cells[2..], expected.map(str::to_owned), "{figure:?}");
            assert_eq!(figure.has_regressed(), regressed, "{figure:?}");
        };
        let ratio = |collector| Figure::ratio("round", 1_000, Some(1.3), collector, 0.005);
        check(ratio(0.006), ["1.20", "≤ 1.3", "ok", "6.00 ms ÷ 5.00 ms"], false);
        check(
            ratio(0.0115),
            ["2.30", "≤ 1.3", "missed", "11.5 ms ÷ 5.00 ms"],
            false,
        );
        check(
            ratio(0.022),
            ["4.40", "≤ 1.3", "missed", "22.0 ms ÷ 5.00 ms"],
            true,
        );
        let lost = |lost| Figure::number("events lost", 1_000, Unit::Count, Some(0.0), lost, "of 10");
        check(lost(0.0), ["0", "none", "ok", "of 10"], false);
        check(lost(3.0), ["3", "none", "missed", "of 10"], false);
        let wrong = |wrong| Figure::number("sums", 250, Unit::Mistakes, Some(0.0), wrong, "of 7");
        check(wrong(0.0), ["0", "none", "ok", "of 7"], false);
        check(wrong(1.0), ["1", "none", "missed", "of 7"], true);
        let time = Figure::number("page", 10_000, Unit::Seconds, Some(0.03), 0.3, "30 MB");
        check(time, ["300 ms", "≤ 30.0 ms", "missed", "30 MB"], false);
        let failed = Figure::failed("round", 100_000, "2 of 100,000 workers are fresh");
        check(
            failed,
            ["–", "–", "failed: 2 of 100,000 workers are fresh", ""],
            true,
        );
        let plain = Figure::ratio("round", 100, None, 0.003, 0.0015);
        check(plain, ["2.00", "–", "", "3.00 ms ÷ 1.50 ms"], false);
    }

    #[test]
    fn a_ratio_to_nothing_is_a_failure() {
        assert!(Figure::ratio("round", 1, None, 1.0, 0.0).outcome.is_err());
        assert!(Figure::ratio("round", 1, None, f64::NAN, 1.0).outcome.is_err());
    }
}
