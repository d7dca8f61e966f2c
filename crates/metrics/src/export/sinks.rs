//! What the sinks have counted.

use std::time::Duration;

use super::catalogue as c;
use super::labels::Text;
use super::writer::Writer;

/// A way in which snapshots leave the process without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// A Prometheus Pushgateway.
    Pushgateway,
    /// Prometheus' remote write.
    RemoteWrite,
    /// OpenTelemetry's protocol over HTTP.
    Otlp,
    /// Aggregates to NATS.
    Nats,
}

impl Sink {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pushgateway, Self::RemoteWrite, Self::Otlp, Self::Nats];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pushgateway => "pushgateway",
            Self::RemoteWrite => "remote_write",
            Self::Otlp => "otlp",
            Self::Nats => "nats",
        }
    }
}

/// What a sink has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkView {
    /// Which one.
    pub sink: Sink,
    /// When a snapshot last arrived, in Unix time.
    pub last_success: Option<Duration>,
    /// Snapshots that arrived.
    pub succeeded: u64,
    /// Requests that failed and were tried again.
    pub failed: u64,
    /// Requests that the receiver refused.
    pub refused: u64,
    /// Points that the receiver rejected of requests that it took.
    pub rejected: u64,
    /// Snapshots that wait.
    pub waiting: u64,
    /// Snapshots that were given up.
    pub dropped: u64,
}

/// The series of one sink.
pub(super) const SERIES: u64 = 7;

pub(super) fn write(writer: &mut Writer, sinks: &[Option<SinkView>]) {
    let sinks = || sinks.iter().flatten();
    let mut samples = writer.family(&c::PUSH_SUCCESS_AT);
    for view in sinks() {
        if let Some(at) = view.last_success {
            samples.write(Text::NONE, [view.sink.as_str()], at.as_secs_f64());
        }
    }
    let mut samples = writer.family(&c::PUSHES);
    for view in sinks() {
        for (result, count) in [
            ("success", view.succeeded),
            ("failure", view.failed),
            ("refused", view.refused),
        ] {
            samples.write(Text::NONE, [view.sink.as_str(), result], count);
        }
    }
    let mut samples = writer.family(&c::PUSH_REJECTED);
    for view in sinks() {
        samples.write(Text::NONE, [view.sink.as_str()], view.rejected);
    }
    let mut samples = writer.family(&c::PUSH_QUEUE);
    for view in sinks() {
        samples.write(Text::NONE, [view.sink.as_str()], view.waiting);
    }
    let mut samples = writer.family(&c::PUSH_DROPPED);
    for view in sinks() {
        samples.write(Text::NONE, [view.sink.as_str()], view.dropped);
    }
}
