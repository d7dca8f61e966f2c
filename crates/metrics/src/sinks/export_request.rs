//! The body of an export: `ExportMetricsServiceRequest` of OpenTelemetry's protocol, made from the lines of a page.
//!
//! The messages of a request are in memory at once, and those of a page are not: a page of a large fleet is many requests.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::lines::{self, Line, Sample, unescaped};

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
    let mut requests = Requests {
        times,
        attributes,
        done: Vec::new(),
        metrics: Vec::new(),
        points: 0,
        family: Family::default(),
        name: String::new(),
        numbers: Vec::new(),
        histograms: Vec::new(),
        open: HistogramDataPoint::default(),
    };
    lines::each(page, |line| requests.take(line));
    requests.finish()
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

struct Requests<'a> {
    times: Times,
    attributes: &'a BTreeMap<String, String>,
    done: Vec<Vec<u8>>,
    /// The metrics of the request that is made.
    metrics: Vec<Metric>,
    /// The points in it.
    points: usize,
    family: Family,
    /// The name of the metric that is made, and its points.
    name: String,
    numbers: Vec<NumberDataPoint>,
    histograms: Vec<HistogramDataPoint>,
    /// A histogram of which not all lines are read.
    open: HistogramDataPoint,
}

impl Requests<'_> {
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
        self.numbers.push(NumberDataPoint {
            attributes: sample.labels().map(attribute).collect(),
            start_time_unix_nano: if is_counted { self.times.started } else { 0 },
            time_unix_nano: self.times.now,
            value: Some(number_data_point::Value::AsDouble(sample.value)),
            ..NumberDataPoint::default()
        });
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
                self.histograms.push(HistogramDataPoint {
                    attributes: sample.labels().map(attribute).collect(),
                    start_time_unix_nano: self.times.started,
                    time_unix_nano: self.times.now,
                    count: sample.value as u64,
                    ..std::mem::take(&mut self.open)
                });
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
        let numbers = std::mem::take(&mut self.numbers);
        let histograms = std::mem::take(&mut self.histograms);
        if numbers.is_empty() && histograms.is_empty() {
            return;
        }
        let aggregation_temporality = AggregationTemporality::Cumulative.into();
        let data = match self.family.kind {
            Kind::Gauge => Data::Gauge(Gauge { data_points: numbers }),
            Kind::Counter => Data::Sum(Sum {
                data_points: numbers,
                aggregation_temporality,
                is_monotonic: true,
            }),
            Kind::Histogram => Data::Histogram(Histogram {
                data_points: histograms,
                aggregation_temporality,
            }),
        };
        self.metrics.push(Metric {
            name: self.name.clone(),
            description: self.family.help.clone(),
            unit: self.family.unit.clone(),
            data: Some(data),
            ..Metric::default()
        });
    }

    fn seal(&mut self) {
        self.end_metric();
        self.points = 0;
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| attribute((name, value.as_str().into())));
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource {
                    attributes: attributes.collect(),
                    ..Resource::default()
                }),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(InstrumentationScope {
                        name: "llm-metrics".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    metrics: std::mem::take(&mut self.metrics),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        };
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let written = packed.write_all(&request.encode_to_vec());
        // Memory takes all that is written to it.
        self.done.extend(written.and_then(|()| packed.finish()));
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        self.end_metric();
        if !self.metrics.is_empty() {
            self.seal();
        }
        self.done
    }
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
