//! [`Writer`]: the text of a page in either format, one line after the other.
//!
//! The formats differ in the names of counter families (`_total` belongs to the family in classic text), in `# UNIT`
//! and `# EOF`, which only OpenMetrics has, in the quotes of `# HELP`, which only OpenMetrics escapes, and in two types
//! (see [`Kind`](super::Kind)). Samples are the same to the byte.

use bytes::Bytes;
use fleet::Histogram;

use super::chunks::Chunks;
use super::family::{Buckets, Family, Kind, Single};
use super::format::Format;
use super::labels::{Labels, Text, write_escaped, write_label};
use super::value::{Value, write_number};

/// Writes one page.
#[derive(Debug)]
pub(crate) struct Writer {
    format: Format,
    out: Chunks,
}

/// Writes the samples of one family. A family without samples leaves no trace.
#[derive(Debug)]
pub(crate) struct Samples<'w, G, const N: usize = 0, S = Single> {
    format: Format,
    out: &'w mut Chunks,
    family: &'w Family<G, N, S>,
    /// The name of a single value's sample.
    name: String,
    is_announced: bool,
}

impl Writer {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            out: Chunks::default(),
        }
    }

    /// Begins a family. Each family is begun once.
    pub(crate) fn family<'w, G: Labels, const N: usize, S>(
        &'w mut self,
        family: &'w Family<G, N, S>,
    ) -> Samples<'w, G, N, S> {
        Samples::new(self.format, &mut self.out, family)
    }

    /// The format of the page.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Puts families that were written elsewhere behind those that are here.
    pub(crate) fn append(&mut self, families: Chunks) {
        self.out.append(families);
    }

    /// Ends the page.
    pub(crate) fn finish(mut self) -> Vec<Bytes> {
        if self.format == Format::OpenMetrics {
            self.out.open().extend_from_slice(b"# EOF\n");
        }
        self.out.finish()
    }
}

impl<'w, G: Labels, const N: usize, S> Samples<'w, G, N, S> {
    /// Begins a family in a text of its own, for which [`Writer::append`] finds the place later.
    pub(crate) fn new(format: Format, out: &'w mut Chunks, family: &'w Family<G, N, S>) -> Self {
        Self {
            format,
            out,
            family,
            name: [family.name, family.kind.suffix()].concat(),
            is_announced: false,
        }
    }
}

impl<G: Labels, const N: usize> Samples<'_, G, N, Single> {
    /// Writes one sample, unless its value is not a number: the labels of the group, and one value for each further
    /// label.
    pub(crate) fn write(&mut self, labels: Text<'_, G>, more: [&str; N], value: impl Into<Value>) {
        let value = value.into();
        if !value.is_finite() {
            return;
        }
        self.announce();
        let out = self.out.open();
        out.extend_from_slice(self.name.as_bytes());
        if N == 0 {
            out.extend_from_slice(labels.between());
        } else {
            write_labels(out, labels, self.family.more, more);
            out.extend_from_slice(b"} ");
        }
        value.write(out);
        out.push(b'\n');
    }
}

impl<G: Labels, const N: usize> Samples<'_, G, N, Single> {
    /// As [`write`](Self::write), with labels that the user chooses behind those that are declared.
    pub(crate) fn write_chosen<'a>(
        &mut self,
        labels: Text<'_, G>,
        more: [&str; N],
        chosen: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: impl Into<Value>,
    ) {
        self.announce();
        let out = self.out.open();
        out.extend_from_slice(self.name.as_bytes());
        let mut before = write_labels(out, labels, self.family.more, more);
        for (name, value) in chosen {
            out.push(before);
            write_label(out, name, value);
            before = b',';
        }
        out.extend_from_slice(b"} ");
        value.into().write(out);
        out.push(b'\n');
    }
}

/// Writes labels and more, without the closing brace, and says what separates the next one.
fn write_labels<G, const N: usize>(
    out: &mut Vec<u8>,
    labels: Text<'_, G>,
    names: [&str; N],
    values: [&str; N],
) -> u8 {
    let mut before = begin(out, labels);
    for (name, value) in names.into_iter().zip(values) {
        out.push(before);
        write_label(out, name, value);
        before = b',';
    }
    before
}

/// Writes labels to which more are added, and says what separates the next one.
fn begin<G>(out: &mut Vec<u8>, labels: Text<'_, G>) -> u8 {
    if labels.within().is_empty() {
        return b'{';
    }
    out.push(b'{');
    out.extend_from_slice(labels.within());
    b','
}

impl<G: Labels, const N: usize> Samples<'_, G, N, Buckets> {
    /// Writes the buckets, the sum and the count of one histogram, with one value for each further label.
    pub(crate) fn histogram(&mut self, labels: Text<'_, G>, more: [&str; N], histogram: &Histogram) {
        self.announce();
        let mut count = 0;
        let bounds = histogram.bounds.iter().copied().chain([f64::INFINITY]);
        for (bound, observations) in bounds.zip(&histogram.counts) {
            count += observations;
            let out = self.out.open();
            write_all(out, &[&self.name, "_bucket"]);
            let before = write_labels(out, labels, self.family.more, more);
            out.push(before);
            out.extend_from_slice(b"le=\"");
            if bound.is_finite() {
                write_number(out, bound);
            } else {
                out.extend_from_slice(b"+Inf");
            }
            out.extend_from_slice(b"\"} ");
            Value::from(count).write(out);
            out.push(b'\n');
        }
        for (suffix, value) in [
            ("_sum", Value::from(histogram.sum)),
            ("_count", Value::from(count)),
        ] {
            let out = self.out.open();
            write_all(out, &[&self.name, suffix]);
            match N {
                0 => out.extend_from_slice(labels.between()),
                _ => {
                    write_labels(out, labels, self.family.more, more);
                    out.extend_from_slice(b"} ");
                }
            }
            value.write(out);
            out.push(b'\n');
        }
    }
}

impl<G: Labels, const N: usize, S> Samples<'_, G, N, S> {
    /// Writes what precedes the first sample.
    fn announce(&mut self) {
        if std::mem::replace(&mut self.is_announced, true) {
            return;
        }
        let family = self.family;
        let about = About {
            name: family.name,
            kind: family.kind,
            unit: family.unit,
            help: family.help,
            has_quantiles: family.has_quantiles(),
        };
        about.write(self.out.open(), self.format);
    }
}

/// What precedes the samples of a family.
pub(super) struct About<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) unit: Option<&'a str>,
    pub(super) help: &'a str,
    pub(super) has_quantiles: bool,
}

impl About<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>, format: Format) {
        let is_open = format == Format::OpenMetrics;
        let suffix = if is_open { "" } else { self.kind.suffix() };
        write_all(out, &["# HELP ", self.name, suffix, " "]);
        write_escaped(out, self.help, is_open);
        let kind = self.kind.word(format, self.has_quantiles);
        write_all(out, &["\n# TYPE ", self.name, suffix, " ", kind, "\n"]);
        // OpenMetrics takes a unit only where the name ends with it.
        let is_its_end = |unit: &&str| {
            self.name
                .strip_suffix(*unit)
                .is_some_and(|rest| rest.ends_with('_'))
        };
        if let Some(unit) = self.unit.filter(is_its_end).filter(|_| is_open) {
            write_all(out, &["# UNIT ", self.name, " ", unit, "\n"]);
        }
    }
}

fn write_all(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;
    use crate::export::Kind;
    use crate::export::family::shapes;
    use crate::export::labels::{Process, Texts, UpstreamPool};

    fn family<G, const N: usize, S>(
        name: &'static str,
        kind: Kind,
        unit: Option<&'static str>,
        more: [&'static str; N],
    ) -> Family<G, N, S> {
        let help = "It \"is\"\\.";
        Family {
            name,
            kind,
            unit,
            more,
            help,
            types: PhantomData,
        }
    }

    fn page(format: Format) -> String {
        let gauge: Family<Process> = family("g_seconds", Kind::Gauge, Some("seconds"), []);
        let counter: Family<UpstreamPool> = family("c", Kind::Counter, Some("c"), []);
        let unknown: Family<Process, 2> = family("u", Kind::Unknown, None, ["x", "y"]);
        let quantiles: Family<UpstreamPool, 1> = family("q", Kind::Gauge, None, ["quantile"]);
        let histogram: Family<UpstreamPool, 0, shapes::Histogram> = family("h", Kind::Histogram, None, []);
        let mut labels = Texts::default();
        labels.render([(["c\"", "e"], &[][..])]);
        let labels = labels.iter().next().expect("there is one");

        let mut writer = Writer::new(format);
        writer.family(&gauge).write(Text::NONE, [], 0.5);
        writer.family(&counter).write(labels, [], 4.0);
        writer.family(&unknown).write(Text::NONE, ["1", "a\nb"], 7_u64);
        writer.family(&quantiles).write(labels, ["0.5"], 0.25);
        let mut observed = Histogram::new(&[0.5, 1.0]);
        for value in [0.25, 0.75, 3.0] {
            observed.observe(value);
        }
        writer.family(&histogram).histogram(labels, [], &observed);
        String::from_utf8(writer.finish().concat()).expect("text")
    }

    #[test]
    fn openmetrics_names_families_without_total_and_has_units_and_an_end() {
        let expected = r#"# HELP g_seconds It \"is\"\\.
# TYPE g_seconds gauge
# UNIT g_seconds seconds
g_seconds 0.5
# HELP c It \"is\"\\.
# TYPE c counter
c_total{component="c\"",endpoint="e"} 4
# HELP u It \"is\"\\.
# TYPE u unknown
u{x="1",y="a\nb"} 7
# HELP q It \"is\"\\.
# TYPE q gauge
q{component="c\"",endpoint="e",quantile="0.5"} 0.25
# HELP h It \"is\"\\.
# TYPE h histogram
h_bucket{component="c\"",endpoint="e",le="0.5"} 1
h_bucket{component="c\"",endpoint="e",le="1.0"} 2
h_bucket{component="c\"",endpoint="e",le="+Inf"} 3
h_sum{component="c\"",endpoint="e"} 4
h_count{component="c\"",endpoint="e"} 3
# EOF
"#;
        assert_eq!(page(Format::OpenMetrics), expected);
    }

    #[test]
    fn classic_text_names_counters_as_their_samples_and_calls_quantiles_a_summary() {
        let expected = r#"# HELP g_seconds It "is"\\.
# TYPE g_seconds gauge
g_seconds 0.5
# HELP c_total It "is"\\.
# TYPE c_total counter
c_total{component="c\"",endpoint="e"} 4
# HELP u It "is"\\.
# TYPE u counter
u{x="1",y="a\nb"} 7
# HELP q It "is"\\.
# TYPE q summary
q{component="c\"",endpoint="e",quantile="0.5"} 0.25
# HELP h It "is"\\.
# TYPE h histogram
h_bucket{component="c\"",endpoint="e",le="0.5"} 1
h_bucket{component="c\"",endpoint="e",le="1.0"} 2
h_bucket{component="c\"",endpoint="e",le="+Inf"} 3
h_sum{component="c\"",endpoint="e"} 4
h_count{component="c\"",endpoint="e"} 3
"#;
        assert_eq!(page(Format::Classic), expected);
    }

    #[test]
    fn a_value_that_is_no_number_is_absent_and_so_is_a_family_without_samples() {
        let gauge: Family<Process> = family("g", Kind::Gauge, None, []);
        let mut writer = Writer::new(Format::Classic);
        let mut samples = writer.family(&gauge);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            samples.write(Text::NONE, [], value);
        }
        assert!(writer.finish().is_empty());
    }
}
