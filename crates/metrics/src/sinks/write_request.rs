//! The body of a remote write: `WriteRequest` of Prometheus' `remote.proto`, written straight from the lines of a page.
//! The test reads the bytes with messages that `prost` derives.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

use bytes::{BufMut, Bytes};
use hashbrown::{DefaultHashBuilder, HashSet};
use prost::encoding::encoded_len_varint;

use super::lines::{self, Sample};
use super::protobuf::{Encoded, begin, double, field, field_length, integer};

/// The label that has the name of the metric.
const NAME: &str = "__name__";

/// Samples of one request; Prometheus sends up to 2,000 to 10,000 itself.
pub(super) const MAX_SAMPLES: usize = 5_000;

/// About as long is a line of a page.
const BYTES_PER_SAMPLE: usize = 200;

/// The value that ends a series at once, where otherwise it would be shown for five minutes more.
pub(super) const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Which of the samples a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// All of the page, and the end of those that were on the page before and no longer are.
    Gone,
    /// The end of all that were on the page before.
    All,
}

/// What a receiver may show before a write.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before<'a> {
    /// The page that was written last.
    pub(super) page: &'a [Bytes],
    /// Series that had left the page by then, and whose end did not arrive for certain.
    pub(super) owed: &'a [Bytes],
}

/// A write.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Its bodies, compressed.
    pub(super) bodies: Vec<Bytes>,
    /// The series that were on the page before and end in these bodies, as lines of a page.
    pub(super) gone: Bytes,
}

/// What brings a receiver from the page before to this one.
pub(super) fn write(
    before: Before<'_>,
    page: &[Bytes],
    ending: Ending,
    millis: i64,
    external: &BTreeMap<String, String>,
) -> Written {
    let mut out = Bodies::new(millis, external);
    let mut gone = Vec::new();
    let hasher = DefaultHashBuilder::default();
    let bytes: usize = page.iter().map(Bytes::len).sum();
    let mut present = HashSet::with_capacity(bytes / BYTES_PER_SAMPLE);
    if ending == Ending::Gone {
        lines::samples(page, |sample| {
            present.insert(hasher.hash_one(sample.series));
            out.add(sample, sample.value);
        });
    }
    lines::samples(before.page, |sample| {
        if present.insert(hasher.hash_one(sample.series)) {
            out.add(sample, STALE);
            gone.extend_from_slice(sample.series.as_bytes());
            gone.extend_from_slice(b" 0\n");
        }
    });
    lines::samples(before.owed, |sample| {
        if present.insert(hasher.hash_one(sample.series)) {
            out.add(sample, STALE);
        }
    });
    Written {
        bodies: out.finish(),
        gone: gone.into(),
    }
}

struct Bodies<'a> {
    millis: i64,
    external: &'a BTreeMap<String, String>,
    labels: Encoded<Labels>,
    done: Vec<Bytes>,
    open: Vec<u8>,
    samples: usize,
}

/// Labels in their order. The name of the metric is one of them, and comes between these.
struct Labels {
    before_name: Vec<u8>,
    after_name: Vec<u8>,
}

impl<'a> Bodies<'a> {
    fn new(millis: i64, external: &'a BTreeMap<String, String>) -> Self {
        Self {
            millis,
            external,
            labels: Encoded::new(),
            done: Vec::new(),
            open: Vec::new(),
            samples: 0,
        }
    }

    fn add(&mut self, sample: Sample<'_>, value: f64) {
        let external = self.external;
        let labels = self.labels.of(sample, |sample| Labels::of(sample, external));
        let of_name = label_length(NAME, sample.name);
        let of_sample = 1 + 8 + 1 + encoded_len_varint(self.millis as u64);
        let of_labels = labels.before_name.len() + field_length(of_name) + labels.after_name.len();
        let out = &mut self.open;
        begin(out, 1, of_labels + field_length(of_sample));
        out.put_slice(&labels.before_name);
        label(out, NAME, sample.name);
        out.put_slice(&labels.after_name);
        begin(out, 2, of_sample);
        double(out, 1, value);
        integer(out, 2, self.millis);
        self.samples += 1;
        if self.samples == MAX_SAMPLES {
            self.seal();
        }
    }

    fn seal(&mut self) {
        let packed = snap::raw::Encoder::new().compress_vec(&self.open);
        // It fails above 4 GB alone.
        self.done.extend(packed.map(Bytes::from));
        self.open.clear();
        self.samples = 0;
    }

    fn finish(mut self) -> Vec<Bytes> {
        if self.samples > 0 {
            self.seal();
        }
        self.done
    }
}

impl Labels {
    fn of(sample: Sample<'_>, external: &BTreeMap<String, String>) -> Self {
        // Of a label that both have, the sample's own counts, as in a scrape with `honor_labels`.
        let mut labels: Vec<(&str, Cow<'_, str>)> = sample.labels().collect();
        let own = labels.len();
        for (name, value) in external {
            if labels[..own].iter().all(|(known, _)| known != name) {
                labels.push((name, Cow::Borrowed(value)));
            }
        }
        labels.sort_unstable_by_key(|(name, _)| *name);
        let (mut before_name, mut after_name) = (Vec::new(), Vec::new());
        for (name, value) in &labels {
            let out = if *name < NAME {
                &mut before_name
            } else {
                &mut after_name
            };
            label(out, name, value);
        }
        Self {
            before_name,
            after_name,
        }
    }
}

fn label_length(name: &str, value: &str) -> usize {
    field_length(name.len()) + field_length(value.len())
}

fn label(out: &mut Vec<u8>, name: &str, value: &str) {
    begin(out, 1, label_length(name, value));
    field(out, 1, name.as_bytes());
    field(out, 2, value.as_bytes());
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        timeseries: Vec<TimeSeries>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        samples: Vec<Value>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Label {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        value: String,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Value {
        #[prost(double, tag = "1")]
        value: f64,
        #[prost(int64, tag = "2")]
        timestamp: i64,
    }

    /// Each series in a line, with its labels in their order.
    fn read(bodies: &[Bytes]) -> Vec<String> {
        let series = bodies.iter().flat_map(|body| {
            let plain = snap::raw::Decoder::new().decompress_vec(body).expect("snappy");
            WriteRequest::decode(&*plain).expect("a request").timeseries
        });
        series
            .map(|series| {
                let labels: Vec<_> = series
                    .labels
                    .iter()
                    .map(|Label { name, value }| format!("{name}={value}"))
                    .collect();
                let [Value { value, timestamp }] = &series.samples[..] else {
                    panic!("one sample: {series:?}")
                };
                let value = match value.to_bits() == STALE.to_bits() {
                    true => "stale".to_owned(),
                    false => value.to_string(),
                };
                format!("{} {value} @{timestamp}", labels.join(" "))
            })
            .collect()
    }

    fn page(text: &'static str) -> [Bytes; 1] {
        [Bytes::from_static(text.as_bytes())]
    }

    fn external() -> BTreeMap<String, String> {
        let labels = [("job", "j"), ("Zone", "z")];
        labels
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn labels_are_sorted_and_series_that_have_left_the_page_end() {
        let before = page("a{x=\"1\"} 1\na{x=\"2\"} 2\nb 3\n");
        let now = page("# TYPE a gauge\na{x=\"2\",empty=\"\"} 2\na{x=\"2\"} 0.5\nc{job=\"own\",k=\"v\"} 4\n");
        let before = Before {
            page: &before,
            owed: &page("b 0\nd 0\nc{job=\"own\",k=\"v\"} 0\n"),
        };
        let millis = 1_767_225_600_123;
        let written = write(before, &now, Ending::Gone, millis, &external());
        assert_eq!(
            read(&written.bodies),
            [
                "Zone=z __name__=a job=j x=2 2 @1767225600123",
                "Zone=z __name__=a job=j x=2 0.5 @1767225600123",
                "Zone=z __name__=c job=own k=v 4 @1767225600123",
                "Zone=z __name__=a job=j x=1 stale @1767225600123",
                "Zone=z __name__=b job=j stale @1767225600123",
                "Zone=z __name__=d job=j stale @1767225600123",
            ]
        );
        assert_eq!(written.gone, "a{x=\"1\"} 0\nb 0\n");
        assert_eq!(
            read(&write(before, &now, Ending::All, 5, &BTreeMap::new()).bodies),
            [
                "__name__=a x=1 stale @5",
                "__name__=a x=2 stale @5",
                "__name__=b stale @5",
                "__name__=d stale @5",
                "__name__=c job=own k=v stale @5",
            ]
        );
    }

    #[test]
    fn a_large_page_is_several_requests() {
        let lines: String = (0..2 * MAX_SAMPLES + 1)
            .map(|n| format!("a{{n=\"{n}\"}} {n}\n"))
            .collect();
        let page = [lines.into()];
        let bodies = write(Before::default(), &page, Ending::Gone, 1, &BTreeMap::new()).bodies;
        assert_eq!(bodies.len(), 3);
        assert_eq!(read(&bodies).len(), 2 * MAX_SAMPLES + 1);
    }
}
