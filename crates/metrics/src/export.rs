//! From a snapshot to the page that Prometheus reads, in the format that it asks for.
//!
//! [`catalogue`] declares every family once. The writer takes samples of declared families only, with exactly the
//! labels that are declared. What a worker or pool does not report is absent from the page.

pub(crate) mod accept;
mod cap;
mod catalogue;
pub(crate) mod chunks;
mod collector;
mod family;
mod format;
mod labelled;
mod labels;
mod mapped;
mod opt_in;
mod options;
mod pools;
pub mod reference;
mod requests;
mod services;
mod shown;
mod sinks;
#[cfg(test)]
pub(crate) mod tests;
mod value;
mod workers;
mod writer;

use std::time::Duration;

use bytes::Bytes;
use fleet::Snapshot;
use web::Closed;

pub use catalogue::catalogue;
pub use family::{Entry, Kind};
pub use format::Format;
pub use options::{Compat, ExportOptions, InstanceSeries, UnknownWord, WorkerSeries};
pub use sinks::{Sink, SinkView};

use shown::Shown;
use writer::Writer;

/// What the page says of the process, apart from what its snapshot holds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Process {
    /// Log lines that were dropped so far.
    pub log_lines_dropped: u64,
    /// The sinks that are on.
    pub sinks: [Option<SinkView>; Sink::ALL.len()],
    /// What it uses of the machine, where the system says so.
    pub usage: Option<Usage>,
    /// What became of connections to the page.
    pub http: Http,
}

/// What the process uses of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Processor time, in the system and outside of it.
    pub cpu_seconds: f64,
    /// Memory.
    pub resident_bytes: u64,
    /// Address space.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// When it started, in Unix time.
    pub started: f64,
    /// File descriptors that are open.
    pub open_files: u64,
    /// File descriptors that may be open, where there is a limit.
    pub max_open_files: Option<u64>,
}

/// What became of connections to the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Http {
    /// Connections that the collector closed, by reason.
    pub closed: [u64; Closed::ALL.len()],
    /// How often a connection could not be accepted.
    pub accept_errors: u64,
    /// Requests without a valid user and password.
    pub unauthorized: u64,
}

/// What the page says of the moment at which it is rendered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Whether the last round ended recently enough for `llm_collector_up`.
    pub is_current: bool,
    /// The process.
    pub process: Process,
    /// How reloads of the configuration file went, where there is one.
    pub reloads: Option<Reloads>,
}

/// How reloads of the configuration file went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reloads {
    /// Whether the last one succeeded; at the start, that the file was read.
    pub is_successful: bool,
    /// When the file in force was read, in Unix time.
    pub last_success: Duration,
    /// Reloads that succeeded.
    pub succeeded: u64,
    /// Reloads that were refused.
    pub failed: u64,
}

/// What a page does not show because of [`ExportOptions::max_series`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Workers, and instances of services.
    pub workers: u64,
    /// The series that these would have had.
    pub series: u64,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Its text, in pieces.
    pub chunks: Vec<Bytes>,
    /// What it does not show.
    pub left_out: LeftOut,
}

/// Writes the page.
pub fn render(snapshot: &Snapshot, moment: &Moment, format: Format, options: &ExportOptions) -> Rendered {
    let series = options.worker_series;
    let shown = Shown::of(snapshot, moment, options);
    let workers_left_out = shown.pools.iter().map(|pool| pool.left_out().len());
    let instances_left_out = shown.services.iter().map(|pool| pool.left_out().len());
    let series_left_out = shown
        .pools
        .iter()
        .map(|pool| workers::series_left_out(series, pool));
    let left_out = LeftOut {
        workers: workers_left_out.chain(instances_left_out).sum::<usize>() as u64,
        series: series_left_out
            .chain(shown.services.iter().map(services::series_left_out))
            .sum::<u64>()
            + mapped::series_left_out(&shown),
    };
    let mut writer = Writer::new(format);
    let (labels, service_labels) = (shown.pool_labels(), shown.service_labels());
    collector::write(
        &mut writer,
        snapshot,
        moment,
        left_out,
        &shown,
        &labels,
        &service_labels,
    );
    pools::write(&mut writer, &shown.pools, &labels);
    requests::write(&mut writer, &shown.pools, &labels);
    requests::write_frontends(&mut writer, snapshot.frontends.as_ref());
    services::write(&mut writer, &shown, &service_labels);
    workers::write(&mut writer, options, &shown, &snapshot.metadata);
    services::write_instances(&mut writer, &shown, &snapshot.metadata);
    mapped::write(&mut writer, &shown);
    pools::write_upstream(&mut writer, &shown.pools, &shown.upstream_pool_labels());
    Rendered {
        chunks: writer.finish(),
        left_out,
    }
}
