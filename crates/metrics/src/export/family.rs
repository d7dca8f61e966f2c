//! [`Family`]: what the catalogue declares of one metric, and what the writer holds its samples to.

use std::marker::PhantomData;

use super::format::Format;
use super::labels::Labels;

/// What kind of values a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up.
    Counter,
    /// Counts observations in buckets.
    Histogram,
    /// Only goes up, under a name without `_total`, which OpenMetrics allows no counter to have. Classic text calls it
    /// a counter, as upstream does. Its name is the same in both formats, so that a dashboard finds it.
    Unknown,
}

/// A family whose samples are single values.
#[derive(Debug)]
pub(crate) enum Single {}

/// A family whose samples are buckets, a sum and a count.
#[derive(Debug)]
pub(crate) enum Buckets {}

/// For each [`Kind`], the shape of its samples. The catalogue chooses both by one word.
pub(crate) mod shapes {
    pub(crate) type Gauge = super::Single;
    pub(crate) type Counter = super::Single;
    pub(crate) type Unknown = super::Single;
    pub(crate) type Histogram = super::Buckets;
}

/// One metric family whose samples have the labels of the group `G` and `N` more, and the shape `S`.
#[derive(Debug)]
pub(crate) struct Family<G, const N: usize = 0, S = Single> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Option<&'static str>,
    pub(super) more: [&'static str; N],
    pub(super) help: &'static str,
    pub(super) types: PhantomData<fn() -> (G, S)>,
}

/// What the catalogue says of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The heading that it belongs under.
    pub section: &'static str,
    /// Its name; for a counter without `_total`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The unit of its values, if they have one.
    pub unit: Option<&'static str>,
    /// Its labels, without the `le` of histograms; several lists where its samples are about different things.
    pub labels: Vec<Vec<&'static str>>,
    /// What it means.
    pub help: &'static str,
}

impl Kind {
    /// The type as a page of this format has it.
    pub(super) fn word(self, format: Format, has_quantiles: bool) -> &'static str {
        match (self, format) {
            // Prometheus' lint allows the label `quantile` to no other type.
            (Self::Gauge, Format::Classic) if has_quantiles => "summary",
            (Self::Gauge, _) => "gauge",
            (Self::Counter, _) | (Self::Unknown, Format::Classic) => "counter",
            (Self::Histogram, _) => "histogram",
            (Self::Unknown, Format::OpenMetrics) => "unknown",
        }
    }

    /// What the names of its samples have on top of the family's.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Gauge | Self::Histogram | Self::Unknown => "",
        }
    }
}

impl<G: Labels, const N: usize, S> Family<G, N, S> {
    pub(super) fn entry(&self, section: &'static str) -> Entry {
        Entry {
            section,
            name: self.name,
            kind: self.kind,
            unit: self.unit,
            labels: G::SETS.iter().map(|set| [*set, &self.more].concat()).collect(),
            help: self.help,
        }
    }

    pub(super) fn has_quantiles(&self) -> bool {
        self.more.contains(&"quantile")
    }
}

impl Entry {
    /// The name by which a query finds it, in both formats.
    pub fn shown_name(&self) -> String {
        format!("{}{}", self.name, self.kind.suffix())
    }
}
