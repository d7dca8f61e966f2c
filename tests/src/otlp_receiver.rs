//! [`OtlpReceiver`]: a real collector of OpenTelemetry, Rotel, which prints what it receives.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::process::Command;

use crate::{Program, free_port};

/// A receiver of OTLP over HTTP. It ends when it is dropped.
#[derive(Debug)]
pub struct OtlpReceiver {
    endpoint: String,
    program: Program,
}

/// One point that was received.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Point {
    /// The metric's name, unit and type (`Gauge`, `Sum`, `Histogram`).
    pub metric: [String; 3],
    /// Whether its metric is a cumulative sum that never falls, or a cumulative histogram.
    pub is_cumulative: bool,
    /// The attributes of its resource.
    pub resource: BTreeMap<String, String>,
    /// Its own attributes.
    pub labels: BTreeMap<String, String>,
    /// The lines of its times, its value, its bounds and its buckets, by what precedes the colon.
    pub fields: BTreeMap<String, String>,
}

impl Point {
    /// A number of its fields.
    ///
    /// # Panics
    /// When it has no such number.
    pub fn number(&self, field: &str) -> f64 {
        let text = self.fields.get(field);
        let number = text.and_then(|text| text.parse().ok());
        number.unwrap_or_else(|| panic!("no number {field} in {self:?}"))
    }
}

impl OtlpReceiver {
    /// Starts `program`, and returns when it listens.
    ///
    /// # Panics
    /// When it cannot be started, or does not listen in time.
    pub async fn start(program: &Path) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(program);
        command
            .args(["start", "--otlp-http-endpoint", &listen])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", free_port())])
            .args(["--exporter", "blackhole"])
            .args(["--debug-log", "metrics", "--debug-log-verbosity", "detailed"]);
        let mut program = Program::start("rotel", command);
        program.says(&["Starting Rotel"]).await;
        Self {
            endpoint: format!("http://{listen}"),
            program,
        }
    }

    /// Its address, to which clients add the path of metrics.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The points with the latest time, each once.
    pub fn latest(&self) -> Vec<Point> {
        let points = read(&self.program.log_from_last_but_one("ResourceMetrics #"));
        let time = |point: &Point| point.number("Timestamp") as u64;
        let latest = points.iter().map(time).max().unwrap_or_default();
        points.into_iter().filter(|point| time(point) == latest).collect()
    }
}

/// Reads what Rotel prints, which is the form of the debug exporter of OpenTelemetry's own collector.
fn read(lines: &[String]) -> Vec<Point> {
    let mut points = Vec::new();
    let mut resource = BTreeMap::new();
    let mut head = Point::default();
    let mut open: Option<Point> = None;
    for line in lines {
        let text = line.trim_end();
        let is_point = text.starts_with("NumberDataPoints #") || text.starts_with("HistogramDataPoints #");
        let is_metric = text.starts_with("Metric #");
        let is_resource = text.starts_with("ResourceMetrics #");
        if is_point || is_metric || is_resource {
            points.extend(open.take());
        }
        if is_resource {
            resource.clear();
            head = Point::default();
        } else if is_metric {
            head = Point {
                resource: resource.clone(),
                ..Point::default()
            };
        } else if is_point {
            open = Some(head.clone());
        } else if let Some(item) = text.trim_start().strip_prefix("-> ") {
            let Some((name, value)) = item.split_once(": ") else {
                continue;
            };
            let text = value
                .strip_prefix("Str(")
                .and_then(|value| value.strip_suffix(')'));
            match (name, text, &mut open) {
                (_, Some(text), Some(point)) => {
                    point.labels.insert(name.to_owned(), text.to_owned());
                }
                (_, Some(text), None) => {
                    resource.insert(name.to_owned(), text.to_owned());
                }
                ("Name", ..) => value.clone_into(&mut head.metric[0]),
                ("Unit", ..) => value.clone_into(&mut head.metric[1]),
                ("DataType", ..) => value.clone_into(&mut head.metric[2]),
                ("AggregationTemporality", ..) => head.is_cumulative = value.ends_with("_CUMULATIVE"),
                ("IsMonotonic", ..) => assert_eq!(value, "true", "{head:?}"),
                _ => {}
            }
        } else if let (Some(point), Some((name, value))) = (&mut open, text.split_once(": ")) {
            point.fields.insert(name.to_owned(), value.to_owned());
        }
    }
    points.extend(open);
    // What is still being printed may lack its end.
    points.retain(|point| {
        ["Value", "Count"]
            .iter()
            .any(|field| point.fields.contains_key(*field))
    });
    points
}
