//! The body of an export: `ExportMetricsServiceRequest` of OpenTelemetry's protocol, made from the lines of a page.
//!
//! Messages of the official crate are encoded one by one and put together as bytes: what a message has many of, points
//! and their attributes, follows what else is in it. Protobuf allows fields in any order.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::lines::{self, Line, Sample, unescaped};
use super::protobuf::{Encoded, begin, field, field_length};

/// Points of one request: below a megabyte or two, of which receivers take at least four.
pub(super) const MAX_POINTS: usize = 5_000;

const NANOS_OF_A_MILLISECOND: u64 = 1_000_000;

/// The times of the points of a page, in nanoseconds of Unix time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    started: u64,
    now: u64,
}

impl Times {
    /// When everything that is counted began, and when the page was made, in milliseconds of Unix time.
    pub(super) fn new(started: u64, now: u64) -> Self {
        Self {
            started: started * NANOS_OF_A_MILLISECOND,
            now: now * NANOS_OF_A_MILLISECOND,
        }
    }
}

/// The bodies that have all samples of a page in OpenMetrics, compressed by gzip.
pub(super) fn bodies(page: &[Bytes], times: Times, attributes: &BTreeMap<String, String>) -> Vec<Vec<u8>> {
    let attributes = attributes.iter();
    let attributes = attributes.map(|(name, value)| attribute((name, value.as_str().into())));
    let resource = Resource {
        attributes: attributes.collect(),
        ..Resource::default()
    };
    let mut requests = Requests {
        times,
        resource: resource.encode_to_vec(),
        of_numbers: Encoded::new(),
        of_histograms: Encoded::new(),
        done: Vec::new(),
        metrics: Vec::new(),
        points: 0,
        family: Family::default(),
        name: String::new(),
        data_points: Vec::new(),
        open: HistogramDataPoint::default(),
    };
    lines::each(page, |line| requests.take(line));
    requests.finish()
}

/// The numbers of the fields that are put together here, in the messages of `metrics.proto` and `metrics_service.proto`.
mod number {
    pub(super) const RESOURCE_METRICS: u8 = 1;
    pub(super) const RESOURCE: u8 = 1;
    pub(super) const SCOPE_METRICS: u8 = 2;
    pub(super) const SCOPE: u8 = 1;
    pub(super) const METRICS: u8 = 2;
    pub(super) const GAUGE: u8 = 5;
    pub(super) const SUM: u8 = 7;
    pub(super) const HISTOGRAM: u8 = 9;
    pub(super) const DATA_POINTS: u8 = 1;
    pub(super) const ATTRIBUTES_OF_NUMBER: u8 = 7;
    pub(super) const ATTRIBUTES_OF_HISTOGRAM: u8 = 9;
}

/// What precedes the samples of a family.
#[derive(Default)]
struct Family {
    name: String,
    help: String,
    unit: String,
    kind: Kind,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Kind {
    #[default]
    Gauge,
    Counter,
    Histogram,
}

struct Requests {
    times: Times,
    /// The resource, encoded.
    resource: Vec<u8>,
    /// The attributes of points, each with its number in a point of this kind.
    of_numbers: Encoded<Vec<u8>>,
    of_histograms: Encoded<Vec<u8>>,
    done: Vec<Vec<u8>>,
    /// The metrics of the request that is made, encoded.
    metrics: Vec<u8>,
    /// The points in it.
    points: usize,
    family: Family,
    /// The name of the metric that is made, and its points, encoded.
    name: String,
    data_points: Vec<u8>,
    /// A histogram of which not all lines are read.
    open: HistogramDataPoint,
}

impl Requests {
    fn take(&mut self, line: Line<'_>) {
        match line {
            Line::Help(name, help) => {
                self.end_metric();
                self.family = Family {
                    name: name.to_owned(),
                    help: unescaped(help).into_owned(),
                    ..Family::default()
                };
            }
            Line::Kind(kind) => {
                self.family.kind = match kind {
                    "counter" => Kind::Counter,
                    "histogram" => Kind::Histogram,
                    _ => Kind::Gauge,
                }
            }
            Line::Unit(unit) => self.family.unit = ucum(unit),
            Line::Sample(sample) if self.family.kind == Kind::Histogram => self.histogram(sample),
            Line::Sample(sample) => self.number(sample),
        }
    }

    fn number(&mut self, sample: Sample<'_>) {
        if self.name != sample.name {
            self.end_metric();
            sample.name.clone_into(&mut self.name);
        }
        let is_counted = self.family.kind == Kind::Counter;
        let point = NumberDataPoint {
            start_time_unix_nano: if is_counted { self.times.started } else { 0 },
            time_unix_nano: self.times.now,
            value: Some(number_data_point::Value::AsDouble(sample.value)),
            ..NumberDataPoint::default()
        };
        let attributes = self
            .of_numbers
            .of(sample, |sample| attributes(sample, number::ATTRIBUTES_OF_NUMBER));
        add(&mut self.data_points, &point, attributes);
        self.count();
    }

    /// The lines of a histogram follow one another: its buckets, each with those before it, then its sum and its count.
    fn histogram(&mut self, sample: Sample<'_>) {
        let suffix = sample.name.strip_prefix(&*self.family.name).unwrap_or_default();
        match suffix {
            "_bucket" => {
                let before: u64 = self.open.bucket_counts.iter().sum();
                self.open
                    .bucket_counts
                    .push((sample.value as u64).saturating_sub(before));
                let bound = sample.labels().find(|(name, _)| *name == "le");
                // The last bucket has no bound.
                let bound = bound.and_then(|(_, bound)| bound.parse().ok());
                self.open
                    .explicit_bounds
                    .extend(bound.filter(|bound: &f64| bound.is_finite()));
            }
            "_sum" => self.open.sum = Some(sample.value),
            "_count" => {
                self.family.name.clone_into(&mut self.name);
                let point = HistogramDataPoint {
                    start_time_unix_nano: self.times.started,
                    time_unix_nano: self.times.now,
                    count: sample.value as u64,
                    ..std::mem::take(&mut self.open)
                };
                let attributes = self.of_histograms.of(sample, |sample| {
                    attributes(sample, number::ATTRIBUTES_OF_HISTOGRAM)
                });
                add(&mut self.data_points, &point, attributes);
                self.count();
            }
            _ => {}
        }
    }

    fn count(&mut self) {
        self.points += 1;
        if self.points == MAX_POINTS {
            self.seal();
        }
    }

    fn end_metric(&mut self) {
        if self.data_points.is_empty() {
            return;
        }
        let aggregation_temporality = AggregationTemporality::Cumulative.into();
        let (number, mut data) = match self.family.kind {
            Kind::Gauge => (number::GAUGE, Vec::new()),
            Kind::Counter => {
                let sum = Sum {
                    aggregation_temporality,
                    is_monotonic: true,
                    ..Sum::default()
                };
                (number::SUM, sum.encode_to_vec())
            }
            Kind::Histogram => {
                let histogram = Histogram {
                    aggregation_temporality,
                    ..Histogram::default()
                };
                (number::HISTOGRAM, histogram.encode_to_vec())
            }
        };
        data.append(&mut self.data_points);
        let metric = Metric {
            name: self.name.clone(),
            description: self.family.help.clone(),
            unit: self.family.unit.clone(),
            ..Metric::default()
        };
        let length = metric.encoded_len() + field_length(data.len());
        begin(&mut self.metrics, number::METRICS, length);
        metric.encode_raw(&mut self.metrics);
        field(&mut self.metrics, number, &data);
    }

    fn seal(&mut self) {
        self.end_metric();
        self.points = 0;
        let scope = InstrumentationScope {
            name: "llm-metrics".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope = scope.encode_to_vec();
        let of_scope_metrics = field_length(scope.len()) + self.metrics.len();
        let of_resource_metrics = field_length(self.resource.len()) + field_length(of_scope_metrics);
        let mut head = Vec::new();
        begin(&mut head, number::RESOURCE_METRICS, of_resource_metrics);
        field(&mut head, number::RESOURCE, &self.resource);
        begin(&mut head, number::SCOPE_METRICS, of_scope_metrics);
        field(&mut head, number::SCOPE, &scope);
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let written = packed
            .write_all(&head)
            .and_then(|()| packed.write_all(&self.metrics));
        // Memory takes all that is written to it.
        self.done.extend(written.and_then(|()| packed.finish()));
        self.metrics.clear();
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        self.end_metric();
        if !self.metrics.is_empty() {
            self.seal();
        }
        self.done
    }
}

/// Adds a point, whose attributes are encoded.
fn add(points: &mut Vec<u8>, point: &impl Message, attributes: &[u8]) {
    begin(
        points,
        number::DATA_POINTS,
        point.encoded_len() + attributes.len(),
    );
    point.encode_raw(points);
    points.extend_from_slice(attributes);
}

/// The labels of a sample as attributes, each a field of this number.
fn attributes(sample: Sample<'_>, number: u8) -> Vec<u8> {
    let mut encoded = Vec::new();
    for label in sample.labels() {
        field(&mut encoded, number, &attribute(label).encode_to_vec());
    }
    encoded
}

fn attribute((name, value): (&str, std::borrow::Cow<'_, str>)) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.into_owned())),
        }),
        ..KeyValue::default()
    }
}

/// A unit of OpenMetrics in UCUM, which OpenTelemetry uses. What UCUM does not know is a note in braces there.
fn ucum(unit: &str) -> String {
    match unit {
        "seconds" => "s".to_owned(),
        "bytes" => "By".to_owned(),
        "ratio" => "1".to_owned(),
        other => format!("{{{other}}}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;

    use super::*;

    fn read(bodies: &[Vec<u8>]) -> Vec<ResourceMetrics> {
        let requests = bodies.iter().map(|body| {
            let mut plain = Vec::new();
            GzDecoder::new(&body[..]).read_to_end(&mut plain).expect("gzip");
            let request = ExportMetricsServiceRequest::decode(&plain[..]).expect("a request");
            <[_; 1]>::try_from(request.resource_metrics).expect("one resource")
        });
        requests.flatten().collect()
    }

    fn metrics(bodies: &[Vec<u8>]) -> Vec<Metric> {
        let scopes = read(bodies)
            .into_iter()
            .flat_map(|resource| resource.scope_metrics);
        scopes.flat_map(|scope| scope.metrics).collect()
    }

    fn labels(attributes: &[KeyValue]) -> String {
        let label = |attribute: &KeyValue| match &attribute.value {
            Some(AnyValue {
                value: Some(Value::StringValue(value)),
            }) => format!("{}={value}", attribute.key),
            other => panic!("a text: {other:?}"),
        };
        attributes.iter().map(label).collect::<Vec<_>>().join(" ")
    }

    fn page(text: &str) -> [Bytes; 1] {
        [Bytes::copy_from_slice(text.as_bytes())]
    }

    const PAGE: &str = r#"# HELP a_ratio A \"share\".
# TYPE a_ratio gauge
# UNIT a_ratio ratio
a_ratio{x="1",empty=""} 0.5
# HELP b_seconds Time.
# TYPE b_seconds counter
# UNIT b_seconds seconds
b_seconds_total{x="1"} 7
b_seconds_total{x="2"} 8.5
# HELP upstream Not counted by its name.
# TYPE upstream unknown
upstream 3
# HELP h_tokens Sizes.
# TYPE h_tokens histogram
# UNIT h_tokens tokens
h_tokens_bucket{p="1",le="0.5"} 2
h_tokens_bucket{p="1",le="10"} 2
h_tokens_bucket{p="1",le="+Inf"} 5
h_tokens_sum{p="1"} 60.5
h_tokens_count{p="1"} 5
h_tokens_bucket{p="2",le="0.5"} 1
h_tokens_bucket{p="2",le="10"} 1
h_tokens_bucket{p="2",le="+Inf"} 1
h_tokens_sum{p="2"} 0.1
h_tokens_count{p="2"} 1
# EOF
"#;

    #[test]
    fn a_page_becomes_metrics_with_types_units_and_times() {
        let bodies = bodies(&page(PAGE), Times::new(1, 3), &BTreeMap::new());
        let shown: Vec<String> = metrics(&bodies)
            .iter()
            .flat_map(|metric| {
                let head = format!("{} [{}] {}", metric.name, metric.unit, metric.description);
                let numbers = |word: &str, points: &[NumberDataPoint]| {
                    let point = |point: &NumberDataPoint| {
                        let times = (point.start_time_unix_nano, point.time_unix_nano);
                        format!("{word} {} {:?} {times:?}", labels(&point.attributes), point.value)
                    };
                    points.iter().map(point).collect::<Vec<_>>()
                };
                let points = match metric.data.as_ref().expect("data") {
                    Data::Gauge(gauge) => numbers("gauge", &gauge.data_points),
                    Data::Sum(sum) => {
                        assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
                        numbers("sum", &sum.data_points)
                    }
                    Data::Histogram(histogram) => {
                        assert_eq!(histogram.aggregation_temporality, 2);
                        let point = |point: &HistogramDataPoint| {
                            format!(
                                "histogram {} {:?} {:?} {} {:?} {}",
                                labels(&point.attributes),
                                point.explicit_bounds,
                                point.bucket_counts,
                                point.count,
                                point.sum,
                                point.start_time_unix_nano,
                            )
                        };
                        histogram.data_points.iter().map(point).collect()
                    }
                    other => panic!("{other:?}"),
                };
                [vec![head], points].concat()
            })
            .collect();
        assert_eq!(
            shown,
            [
                "a_ratio [1] A \"share\".",
                "gauge x=1 Some(AsDouble(0.5)) (0, 3000000)",
                "b_seconds_total [s] Time.",
                "sum x=1 Some(AsDouble(7.0)) (1000000, 3000000)",
                "sum x=2 Some(AsDouble(8.5)) (1000000, 3000000)",
                "upstream [] Not counted by its name.",
                "gauge  Some(AsDouble(3.0)) (0, 3000000)",
                "h_tokens [{tokens}] Sizes.",
                "histogram p=1 [0.5, 10.0] [2, 0, 3] 5 Some(60.5) 1000000",
                "histogram p=2 [0.5, 10.0] [1, 0, 0] 1 Some(0.1) 1000000",
            ]
        );
    }

    #[test]
    fn a_large_page_is_several_requests_that_name_metric_and_resource_each() {
        let samples: String = (0..2 * MAX_POINTS + 1)
            .map(|n| format!("a{{n=\"{n}\"}} {n}\n"))
            .collect();
        let page = page(&format!("# HELP a It is.\n# TYPE a gauge\n{samples}"));
        let attributes = BTreeMap::from([("service.name".to_owned(), "s".to_owned())]);
        let bodies = bodies(&page, Times::new(1, 2), &attributes);
        assert_eq!(bodies.len(), 3);
        let points = metrics(&bodies).into_iter().map(|metric| {
            assert_eq!((&*metric.name, &*metric.description), ("a", "It is."));
            match metric.data {
                Some(Data::Gauge(gauge)) => gauge.data_points.len(),
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(points.collect::<Vec<_>>(), [MAX_POINTS, MAX_POINTS, 1]);
        for resource in read(&bodies) {
            assert_eq!(
                labels(&resource.resource.expect("a resource").attributes),
                "service.name=s"
            );
        }
    }
}
