//! From a snapshot to the page that Prometheus reads, in the format that it asks for.

pub mod catalogue;
mod classic_text;
mod openmetrics;

use std::fmt;
use std::sync::Arc;

use crate::args::Compat;
use crate::fleet::Snapshot;

/// An exposition format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Classic,
}

impl Format {
    /// Chooses by the header `Accept`: OpenMetrics where it is asked for and not refused or less wanted than text.
    pub fn negotiate(accept: &str) -> Self {
        let quality = |media_type: &str| {
            accept
                .split(',')
                .filter_map(|offer| {
                    let mut parts = offer.split(';').map(str::trim);
                    (parts.next()? == media_type).then(|| {
                        parts
                            .find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok())
                            .unwrap_or(1.0)
                    })
                })
                .fold(0.0, f64::max)
        };
        let open_metrics = quality("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= quality("text/plain") {
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

/// Writes the page.
///
/// # Errors
/// Where a value has no text form, which does not happen with checked stats.
pub fn render(snapshot: &Arc<Snapshot>, format: Format, compat: Compat) -> Result<String, fmt::Error> {
    let page = openmetrics::render(snapshot, compat)?;
    Ok(match format {
        Format::OpenMetrics => page,
        Format::Classic => classic_text::from_openmetrics(&page),
    })
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
