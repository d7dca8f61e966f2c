//! Figures as people read them in a table.

use crate::table::{Cell, NOTHING};
use crate::view::{Figure, Level, Spark};

/// Bars of a spark line and of the heat strip, the lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The mark next to a figure or a name, which shows its level without its colour.
pub(super) const fn mark(level: Level) -> &'static str {
    match level {
        Level::None | Level::Ok => "",
        Level::New => "+",
        Level::Warn => "~",
        Level::Bad => "!",
        Level::Stale => "?",
    }
}

/// A figure with its mark.
pub(super) fn figure(figure: Option<Figure>, write: impl Fn(f64) -> String) -> Cell {
    match figure {
        Some(Figure { value, level }) => Cell::new(format!("{}{}", write(value), mark(level)), level),
        None => Cell::nothing(),
    }
}

/// A value without a target.
pub(super) fn plain(value: Option<f64>, write: impl Fn(f64) -> String) -> Cell {
    value.map_or_else(Cell::nothing, |value| Cell::from(write(value)))
}

pub(super) fn percent(ratio: f64) -> String {
    format!("{:.0}%", ratio * 100.0)
}

/// A ratio that is usually small.
pub(super) fn small_percent(ratio: f64) -> String {
    match ratio {
        0.0 => "0%".to_owned(),
        ratio if ratio < 0.1 => format!("{:.1}%", ratio * 100.0),
        ratio => percent(ratio),
    }
}

/// A number with as many digits as a person compares.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1e6 => format!("{:.1}M", value / 1e6),
        large if large >= 1e4 => format!("{:.1}k", value / 1e3),
        whole if whole >= 100.0 || whole.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

/// A time from zero on.
pub(super) fn age(seconds: f64) -> String {
    match seconds.max(0.0) {
        seconds if seconds < 10.0 => format!("{seconds:.1}s"),
        seconds if seconds < 120.0 => format!("{seconds:.0}s"),
        seconds if seconds < 7200.0 => format!("{:.0}m", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.0}h", seconds / 3600.0),
        seconds => format!("{:.0}d", seconds / 86_400.0),
    }
}

/// A time that is usually a fraction of a second.
pub(super) fn short_time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.001 => format!("{:.0}us", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.0}ms", seconds * 1e3),
        seconds => age(seconds),
    }
}

pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 30 => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
        bytes if bytes >= 1 << 20 => format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20)),
        bytes => format!("{:.0} KiB", bytes as f64 / 1024.0),
    }
}

/// A bar that is filled up to `value` of 1, and hatched up to `largest`.
pub(super) fn bar(value: f64, largest: f64, width: usize) -> String {
    let place = |ratio: f64| (ratio.clamp(0.0, 1.0) * width as f64).round() as usize;
    let (full, hatched) = (place(value), place(largest));
    let character = |column: usize| match column {
        column if column < full => '█',
        column if column < hatched => '▒',
        _ => '·',
    };
    (0..width).map(character).collect()
}

/// The bar of a share of the largest value. Only nothing has the lowest one, so a queue of 1 next to one of 1,000 is seen.
pub(super) fn step(value: f64, largest: f64) -> char {
    if value <= 0.0 || largest <= 0.0 {
        return BARS[0];
    }
    let highest = BARS.len() - 1;
    BARS[((value / largest * highest as f64).ceil() as usize).min(highest)]
}

/// A line of at most `width` bars, the youngest at the right end; a gap where nothing is known. Bars are shares of the
/// largest value, or of `scale` where that is larger.
pub(super) fn line(values: &[Option<f64>], width: usize, scale: f64) -> String {
    let count = values.len().div_ceil(width.max(1)).max(1);
    // Groups end at the youngest value, so that it does not move from one group to another.
    let groups = values.rchunks(count).map(|group| {
        let known = group.iter().flatten().copied();
        known.reduce(f64::max)
    });
    let mut groups: Vec<Option<f64>> = groups.collect();
    groups.reverse();
    let largest = groups.iter().flatten().copied().fold(scale, f64::max);
    let step = |value: &Option<f64>| value.map_or(' ', |value| step(value, largest));
    groups.iter().map(step).collect()
}

/// A spark line for a cell.
pub(super) fn spark(spark: &Spark, width: usize) -> Cell {
    use crate::view::HeatKey::{Hits, Kv, Slots};
    let scale = match spark.key {
        Kv | Slots | Hits => 1.0,
        _ => 0.0,
    };
    let text = line(&spark.values, width, scale);
    match text.trim().is_empty() {
        true => Cell::from(NOTHING.to_owned()),
        false => Cell::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_a_person_compares() {
        let numbers = [0.0, 0.25, 12.0, 12.34, 123.4, 9_999.0, 12_345.0, 2_500_000.0];
        let expected = ["0", "0.2", "12", "12.3", "123", "9999", "12.3k", "2.5M"];
        assert_eq!(numbers.map(number), expected);
        let ages = [-1.0, 0.44, 12.4, 119.0, 121.0, 7300.0, 200_000.0];
        assert_eq!(ages.map(age), ["0.0s", "0.4s", "12s", "119s", "2m", "2h", "2d"]);
        assert_eq!([0.0, 0.004, 0.25].map(small_percent), ["0%", "0.4%", "25%"]);
        assert_eq!([0.0004, 0.25, 3.0].map(short_time), ["400us", "250ms", "3.0s"]);
    }

    #[test]
    fn a_bar_has_two_lengths() {
        assert_eq!(bar(0.25, 0.75, 8), "██▒▒▒▒··");
        assert_eq!(bar(0.0, 2.0, 4), "▒▒▒▒");
    }

    #[test]
    fn only_nothing_has_the_lowest_bar_and_what_is_unknown_is_a_gap() {
        let values = [Some(0.0), None, Some(1.0), Some(1000.0)];
        assert_eq!(line(&values, 10, 0.0), "▁ ▂█");
        assert_eq!(line(&[Some(0.5)], 10, 1.0), "▅");
        let many: Vec<Option<f64>> = (0..9).map(|value| Some(f64::from(value))).collect();
        assert_eq!(line(&many, 3, 0.0).chars().count(), 3);
        assert_eq!(line(&[], 3, 0.0), "");
    }
}
