//! A panel of a plot: some values over one time axis, with an axis, marks and a legend of its own.

use super::svg::{Anchor, Point, Svg};
use super::ticks::Ticks;

/// Steps of the upright axis, at most.
const STEPS: u32 = 5;
/// Lines at the marks, so pale that they are never taken for a value.
pub(crate) const GRID: &str = "#dddddd";
const FRAME: &str = "#888888";
/// Distance between two entries of a legend, at least, and the width of a letter.
const ENTRY: f64 = 130.0;
const LETTER: f64 = 6.5;

/// One line of a panel.
#[derive(Debug)]
pub(crate) struct Series {
    /// Empty for a line that the legend leaves out.
    pub(crate) name: &'static str,
    pub(crate) colour: &'static str,
    /// Seconds, and the value then.
    pub(crate) points: Vec<Point>,
}

#[derive(Debug)]
pub(crate) struct Panel {
    /// What the axis measures, with its unit.
    axis: &'static str,
    ticks: Ticks,
    series: Vec<Series>,
}

/// Where a panel is on the page, and which time it spans.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) seconds: f64,
}

impl Place {
    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// How far from the left a time is.
    pub(crate) fn x(&self, seconds: f64) -> f64 {
        let whole = if self.seconds > 0.0 { self.seconds } else { 1.0 };
        self.left + self.width * seconds / whole
    }

    fn y(&self, value: f64, end: f64) -> f64 {
        self.bottom() - self.height * value / end
    }
}

impl Panel {
    /// A panel whose axis ends at a round number above all values.
    pub(crate) fn new(axis: &'static str, series: Vec<Series>) -> Self {
        let values = series.iter().flat_map(|series| &series.points);
        let largest = values.map(|(_, value)| *value).fold(0.0, f64::max);
        let ticks = Ticks::up_to(largest, STEPS);
        Self { axis, ticks, series }
    }

    /// A panel of ratios: its axis shows all that there is, however little is used.
    pub(crate) fn of_ratios(axis: &'static str, series: Vec<Series>) -> Self {
        let ticks = Ticks::up_to(1.0, STEPS);
        Self { axis, ticks, series }
    }

    pub(crate) fn draw(&self, place: Place, svg: &mut Svg) {
        for (value, label) in self.ticks.labelled() {
            let y = place.y(value, self.ticks.end());
            svg.line((place.left, y), (place.right(), y), GRID, 1.0);
            svg.text((place.left - 8.0, y + 4.0), Anchor::End, &label);
        }
        svg.upwards((16.0, place.top + place.height / 2.0), self.axis);
        for series in &self.series {
            let point = |(seconds, value): &Point| (place.x(*seconds), place.y(*value, self.ticks.end()));
            svg.polyline(series.points.iter().map(point), series.colour, 1.5);
        }
        // Over the lines, which may run along it.
        let corner = (place.left, place.bottom());
        svg.line((place.left, place.top), corner, FRAME, 1.0);
        svg.line(corner, (place.right(), place.bottom()), FRAME, 1.0);
        self.legend(place, svg);
    }

    fn legend(&self, place: Place, svg: &mut Svg) {
        let y = place.top - 10.0;
        let mut x = place.left;
        for series in self.series.iter().filter(|series| !series.name.is_empty()) {
            svg.line((x, y), (x + 20.0, y), series.colour, 3.0);
            svg.text((x + 26.0, y + 4.0), Anchor::Start, series.name);
            x += ENTRY.max(46.0 + LETTER * series.name.len() as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        left: 100.0,
        top: 50.0,
        width: 200.0,
        height: 100.0,
        seconds: 10.0,
    };

    fn series(points: &[Point]) -> Vec<Series> {
        vec![Series {
            name: "waiting",
            colour: "#d55e00",
            points: points.to_vec(),
        }]
    }

    fn drawn(panel: &Panel) -> String {
        let mut svg = Svg::new(400.0, 200.0, "");
        panel.draw(PLACE, &mut svg);
        svg.finish()
    }

    #[test]
    fn values_are_drawn_between_zero_and_the_end_of_the_axis() {
        let svg = drawn(&Panel::new("requests", series(&[(0.0, 0.0), (10.0, 7.0)])));
        assert!(svg.contains("points=\"100.0,150.0 300.0,62.5\""), "{svg}");
        for part in [">8<", ">requests<", ">waiting<"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }

    #[test]
    fn ratios_are_drawn_between_zero_and_one() {
        let svg = drawn(&Panel::of_ratios("ratio", series(&[(0.0, 0.1), (5.0, 0.5)])));
        assert!(svg.contains("points=\"100.0,140.0 200.0,100.0\""), "{svg}");
        assert!(svg.contains(">1.0<"), "{svg}");
    }

    #[test]
    fn a_panel_without_values_is_drawn_all_the_same() {
        let svg = drawn(&Panel::new("requests", series(&[])));
        assert!(svg.contains(">requests<") && !svg.contains("NaN"), "{svg}");
    }
}
