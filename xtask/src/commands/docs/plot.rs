//! A run as a picture: what comes, what it fills, and who must wait, under each other along one time axis.

use super::panel::{GRID, Panel, Place, Series};
use super::samples::{Run, Sample};
use super::svg::{Anchor, Point, Svg};
use super::ticks::Ticks;

const WIDTH: f64 = 800.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 72.0;
const HEIGHT: f64 = 130.0;
/// Between two panels, for the legend of the lower one.
const GAP: f64 = 42.0;
const BOTTOM: f64 = 50.0;
/// Steps of the time axis, at most.
const STEPS: u32 = 12;

// Colours that people who confuse red and green can distinguish, dark enough for white.
const BLUE: &str = "#0072b2";
const ORANGE: &str = "#d55e00";
const GREEN: &str = "#009e73";
const PURPLE: &str = "#8a4fa0";
/// One of many lines, of which none is looked at alone.
const PALE: &str = "#9bb8cc";

/// The panels of a run, from the cause at the top to the effect at the bottom.
pub(crate) fn panels(run: &Run) -> [Panel; 3] {
    let series = |name, colour, points| Series { name, colour, points };
    let arrivals = series("arrivals", BLUE, run.arrival_rate());
    let kv_use = series("KV blocks in use", GREEN, run.over_time(Sample::kv_use));
    let waiting = run.over_time(|sample| Some(sample.waiting as f64));
    let running = run.over_time(|sample| Some(sample.running as f64));
    // The queue is what one looks for, so it is drawn over the rest.
    let requests = vec![
        series("running", PURPLE, running),
        series("waiting", ORANGE, waiting),
    ];
    [
        Panel::new("requests/s", vec![arrivals]),
        Panel::of_ratios("ratio", vec![kv_use]),
        Panel::new("requests", requests),
    ]
}

/// What the panels of the dashboard `llm-pools` show, under their titles: a pool by worker, and as a whole.
pub(crate) fn dashboard(run: &Run) -> [Panel; 2] {
    let series = |name, colour, points| Series { name, colour, points };
    let total = |points: &[Point]| points.iter().map(|(_, value)| value).sum::<f64>();
    let mut workers: Vec<&Vec<Point>> = run.kv_use.values().collect();
    // The busiest worker is drawn over the others.
    workers.sort_by(|one, other| total(one).total_cmp(&total(other)));
    let busiest = workers.pop().cloned().unwrap_or_default();
    let others = workers.iter().map(|points| series("", PALE, (*points).clone()));
    let mut by_worker: Vec<Series> = others.collect();
    if let Some(first) = by_worker.first_mut() {
        first.name = "KV Cache Utilization by Worker";
    }
    by_worker.push(series("the busiest worker", ORANGE, busiest));
    let mean = run.over_time(Sample::kv_use);
    [
        Panel::of_ratios("ratio", by_worker),
        Panel::of_ratios("ratio", vec![series("Average KV Cache Utilization", GREEN, mean)]),
    ]
}

/// Draws panels under each other.
pub(crate) fn draw(title: &str, seconds: f64, panels: &[Panel]) -> String {
    let height = TOP + panels.len() as f64 * (HEIGHT + GAP) - GAP + BOTTOM;
    let mut svg = Svg::new(WIDTH, height, title);
    svg.headline((LEFT, 28.0), title);
    let mut place = Place {
        left: LEFT,
        top: TOP,
        width: WIDTH - LEFT - RIGHT,
        height: HEIGHT,
        seconds,
    };
    let unit = Unit::of(seconds);
    let ticks = Ticks::within(seconds / unit.seconds, STEPS);
    for panel in panels {
        for (value, _) in ticks.labelled() {
            let x = place.x(value * unit.seconds);
            svg.line((x, place.top), (x, place.bottom()), GRID, 1.0);
        }
        panel.draw(place, &mut svg);
        place.top += HEIGHT + GAP;
    }
    let bottom = height - BOTTOM;
    for (value, label) in ticks.labelled() {
        let x = place.x(value * unit.seconds);
        svg.text((x, bottom + 18.0), Anchor::Middle, &label);
    }
    let middle = place.left + place.width / 2.0;
    svg.text((middle, bottom + 38.0), Anchor::Middle, unit.label);
    svg.finish()
}

/// In what a time axis is measured.
#[derive(Debug, PartialEq)]
struct Unit {
    seconds: f64,
    label: &'static str,
}

impl Unit {
    /// Small numbers are read faster than large ones.
    fn of(seconds: f64) -> Self {
        let (seconds, label) = match seconds {
            ..=300.0 => (1.0, "time (s)"),
            ..=18_000.0 => (60.0, "time (min)"),
            _ => (3600.0, "time (h)"),
        };
        Self { seconds, label }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        let sample = |seconds: u64, arrivals, running, waiting| Sample {
            time_ns: seconds * 1_000_000_000,
            arrivals,
            workers: 1,
            running,
            waiting,
            blocks_held: 5,
            blocks: 10,
        };
        Run {
            samples: vec![sample(1, 2, 2, 0), sample(2, 11, 8, 3)],
            kv_use: [("1", 0.2), ("2", 0.9), ("3", 0.3)]
                .map(|(worker, share)| (worker.to_owned(), vec![(1.0, share), (2.0, share)]))
                .into(),
        }
    }

    #[test]
    fn a_plot_of_two_samples_has_two_points_on_each_line() {
        let svg = draw("two", 2.0, &panels(&run()));
        let lines: Vec<_> = svg
            .lines()
            .filter_map(|line| line.strip_prefix("<polyline points=\""))
            .collect();
        assert_eq!(lines.len(), 4);
        for line in lines {
            let (points, _) = line.split_once('"').unwrap();
            assert_eq!(points.split(' ').count(), 2, "{line}");
        }
    }

    #[test]
    fn a_plot_says_what_it_shows_and_in_which_units() {
        let svg = draw("spike: a queue", 2.0, &panels(&run()));
        for part in [
            ">spike: a queue</text>",
            ">arrivals<",
            ">requests/s<",
            ">KV blocks in use<",
            ">ratio<",
            ">waiting<",
            ">running<",
            ">requests<",
            ">time (s)<",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }

    #[test]
    fn the_busiest_worker_is_drawn_last_and_named() {
        let svg = draw("pool", 2.0, &dashboard(&run()));
        let lines = svg.lines().filter(|line| line.starts_with("<polyline"));
        let colours: Vec<bool> = lines.map(|line| line.contains(ORANGE)).collect();
        assert_eq!(colours, [false, false, true, false], "{svg}");
        let busiest = svg.lines().find(|line| line.contains(ORANGE)).unwrap();
        // 0.9 of the panel's height, from its bottom at 202.
        assert!(busiest.contains(",85.0 "), "{busiest}");
        for name in [
            "KV Cache Utilization by Worker",
            "the busiest worker",
            "Average KV Cache Utilization",
        ] {
            assert_eq!(svg.matches(&format!(">{name}<")).count(), 1, "{name}: {svg}");
        }
    }

    #[test]
    fn the_same_run_gives_the_same_bytes() {
        assert_eq!(
            draw("run", 2.0, &panels(&run())),
            draw("run", 2.0, &panels(&run()))
        );
    }

    #[test]
    fn a_long_run_is_measured_in_a_longer_unit() {
        let check = |seconds: f64, expected: &str| {
            assert_eq!(Unit::of(seconds).label, expected, "{seconds}");
        };
        check(60.0, "time (s)");
        check(600.0, "time (min)");
        check(86_400.0, "time (h)");
    }
}
