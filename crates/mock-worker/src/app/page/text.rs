//! Writes a page, as OpenMetrics or in the classic text format.

use std::fmt::Write as _;

use sim::Histogram;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Format {
    Classic,
    OpenMetrics,
}

/// How whole numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// With a fraction, as OpenMetrics wants bounds and Python's library writes all numbers: `1.0`.
    OfPython,
    /// Without one, as Rust's library and so Dynamo write them: `1`.
    OfRust,
}

/// Of what a histogram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Its numbers are nanoseconds, and are written as seconds.
    Seconds,
    Tokens,
}

impl Format {
    /// What a client wants whose header `Accept` is this. OpenMetrics is for those that ask for it.
    pub(super) fn wanted(accept: &str) -> Self {
        let weight = |kind: &str| {
            let offers = accept.split(',').filter_map(|offer| {
                let mut parts = offer.split(';').map(str::trim);
                let is_it = parts.next()?.eq_ignore_ascii_case(kind);
                let mut weight = || parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok());
                is_it.then(|| weight().unwrap_or(1.0))
            });
            offers.fold(0.0, f64::max)
        };
        let open_metrics = weight("application/openmetrics-text");
        match open_metrics > 0.0 && open_metrics >= weight("text/plain") {
            true => Self::OpenMetrics,
            false => Self::Classic,
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A page under way.
pub(super) struct Writer {
    format: Format,
    numbers: Numbers,
    text: String,
}

impl Writer {
    pub(super) fn new(format: Format, numbers: Numbers) -> Self {
        Self {
            format,
            numbers,
            text: String::new(),
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) {
        self.head(name, "gauge", help);
    }

    /// `name` has no `_total`; samples have it.
    pub(super) fn counter(&mut self, name: &str, help: &str) {
        match self.format {
            Format::Classic => self.head(&format!("{name}_total"), "counter", help),
            Format::OpenMetrics => self.head(name, "counter", help),
        }
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str) {
        self.head(name, "histogram", help);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// `labels` are written already, without braces.
    pub(super) fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let _ = writeln!(self.text, "{name}{{{labels}}} {}", self.numbers.text(value));
    }

    pub(super) fn buckets(&mut self, name: &str, labels: &str, unit: Unit, histogram: &Histogram) {
        let scaled = |value: u64| match unit {
            Unit::Seconds => value as f64 / 1e9,
            Unit::Tokens => value as f64,
        };
        let numbers = self.numbers;
        let bounds = histogram.bounds.iter().map(|bound| numbers.text(scaled(*bound)));
        let mut count = 0;
        for (bound, more) in bounds.chain(["+Inf".to_owned()]).zip(&histogram.counts) {
            count += more;
            let count = numbers.text(count as f64);
            let _ = writeln!(self.text, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
        }
        self.sample(&format!("{name}_count"), labels, count as f64);
        self.sample(&format!("{name}_sum"), labels, scaled(histogram.sum));
    }
}

impl Numbers {
    fn text(self, value: f64) -> String {
        match self {
            Self::OfPython => format!("{value:?}"),
            Self::OfRust => format!("{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_those_that_ask_for_it() {
        fn check(accept: &str, expected: Format) {
            assert_eq!(Format::wanted(accept), expected, "{accept:?}");
        }
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
        check(prometheus, Format::OpenMetrics);
        check("", Format::Classic);
        check("*/*", Format::Classic);
        check("text/plain", Format::Classic);
        check("application/openmetrics-text;q=0", Format::Classic);
        check("text/plain, application/openmetrics-text;q=0.5", Format::Classic);
        check("Application/OpenMetrics-Text", Format::OpenMetrics);
    }
}
