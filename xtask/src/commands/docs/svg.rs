//! A writer of SVG, as much of it as the plots need.
//!
//! Positions have one digit after the point, so that the same picture has the same bytes everywhere.

use std::fmt::Write as _;

/// Distances from the left and from the top, in pixels.
pub(crate) type Point = (f64, f64);

/// Which point of a text its position is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug)]
pub(crate) struct Svg {
    text: String,
}

impl Svg {
    /// A white page: the picture is shown on light and on dark pages, which shine through where nothing is drawn.
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n\
             <title>{}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
            escaped(title)
        );
        Self { text }
    }

    pub(crate) fn line(&mut self, (x1, y1): Point, (x2, y2): Point, colour: &str, width: f64) {
        self.push(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             stroke=\"{colour}\" stroke-width=\"{width:.1}\"/>"
        ));
    }

    pub(crate) fn polyline(&mut self, points: impl IntoIterator<Item = Point>, colour: &str, width: f64) {
        let points: Vec<String> = points
            .into_iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        self.push(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width:.1}\" \
             stroke-linejoin=\"round\"/>",
            points.join(" ")
        ));
    }

    pub(crate) fn text(&mut self, (x, y): Point, anchor: Anchor, text: &str) {
        let anchor = anchor.as_str();
        let text = escaped(text);
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    pub(crate) fn headline(&mut self, (x, y): Point, text: &str) {
        let text = escaped(text);
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"15\" font-weight=\"bold\">{text}</text>"
        ));
    }

    /// A text that is read from below, centred on its position.
    pub(crate) fn upwards(&mut self, (x, y): Point, text: &str) {
        let text = escaped(text);
        self.push(format_args!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\">{text}</text>"
        ));
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{element}");
    }
}

impl Anchor {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_two_points_has_two_points() {
        let mut svg = Svg::new(10.0, 10.0, "");
        svg.polyline([(1.0, 2.0), (3.26, 4.0)], "#0072b2", 1.5);
        let svg = svg.finish();
        assert!(svg.contains("points=\"1.0,2.0 3.3,4.0\""), "{svg}");
    }

    #[test]
    fn a_text_cannot_be_taken_for_an_element() {
        let mut svg = Svg::new(10.0, 10.0, "a & b");
        svg.text((0.0, 0.0), Anchor::Middle, "<script>");
        let svg = svg.finish();
        assert!(
            svg.contains("a &amp; b") && svg.contains("&lt;script&gt;"),
            "{svg}"
        );
    }

    #[test]
    fn what_is_drawn_stands_on_white() {
        let svg = Svg::new(10.0, 20.0, "").finish();
        assert!(
            svg.contains("<rect width=\"10\" height=\"20\" fill=\"#ffffff\"/>"),
            "{svg}"
        );
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    }
}
