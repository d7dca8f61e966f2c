//! [`Format`]: the two exposition formats, and which one a client gets.

use super::accept::weight;

/// An exposition format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Classic,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OpenMetrics, Self::Classic];

    /// Chooses by the header `Accept`: OpenMetrics if it is accepted and weighs no less than plain text.
    pub fn negotiate(accept: &str) -> Self {
        let weight = |media_type| weight(accept, media_type).unwrap_or(0.0);
        let open_metrics = weight("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= weight("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    /// The header `Content-Type` of a page in this format; Prometheus 3 refuses a page without the right one.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_accept_header() {
        fn check(accept: &str, expected: Format) {
            assert_eq!(Format::negotiate(accept), expected, "{accept:?}");
        }
        check("", Format::Classic);
        check("*/*", Format::Classic);
        check("text/plain", Format::Classic);
        check("application/openmetrics-text", Format::OpenMetrics);
        check("application/openmetrics-text;q=0", Format::Classic);
        check("text/plain, application/openmetrics-text;q=0.5", Format::Classic);
        // What Prometheus 2.42 sends.
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics,
        );
    }
}
