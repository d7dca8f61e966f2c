//! What the collector says of itself: its link, its rounds, and what became of replies and events.

use fleet::{EventResult, Finish, Hearing, MappingFault, RegistryView, ReplyResult, Snapshot};
use protocol::events::Topic;
use web::Closed;

use super::catalogue as c;
use super::labels::{AnyPool, Pool, ServicePool, Text, Texts};
use super::requests;
use super::shown::Shown;
use super::sinks;
use super::value::Value;
use super::writer::Writer;
use super::{Http, LeftOut, Moment, Reloads, Usage};
use crate::{REVISION, VERSION};

/// Series without a pool and without a topic.
const PLAIN_SERIES: usize = 10;

/// Series of connections to the page.
const HTTP_SERIES: usize = Closed::ALL.len() + 2;

/// Series of the process, apart from its limit on open files.
const USAGE_SERIES: usize = 6;

/// Series of the store in which workers register, where one is read.
const REGISTRY_SERIES: u64 = 4;

/// Series of the configuration file, where there is one.
const RELOAD_SERIES: u64 = 4;

/// Reasons why an event belongs to no pool.
const REASONS: usize = 5;

/// The series without a pool.
pub(super) fn series(snapshot: &Snapshot, moment: &Moment) -> u64 {
    let plain = (PLAIN_SERIES + HTTP_SERIES + REASONS + 2 * Topic::ALL.len()) as u64;
    let registry = snapshot.registry.map_or(0, |_| REGISTRY_SERIES);
    let delays = snapshot.hearing.delays.iter().map(requests::histogram_series);
    let reloads = moment.reloads.map_or(0, |_| RELOAD_SERIES);
    let mappings = (snapshot.mappings.len() * MappingFault::ALL.len()) as u64;
    let frontends = requests::frontend_series(snapshot.frontends.as_ref());
    let sinks = moment.process.sinks.iter().flatten().count() as u64 * sinks::SERIES;
    let usage = moment.process.usage.map_or(0, |usage| {
        USAGE_SERIES as u64 + u64::from(usage.max_open_files.is_some())
    });
    plain + sinks + usage + registry + reloads + mappings + delays.sum::<u64>() + frontends
}

pub(super) fn write(
    writer: &mut Writer,
    snapshot: &Snapshot,
    moment: &Moment,
    left_out: LeftOut,
    shown: &Shown<'_>,
    labels: &Texts<Pool>,
    service_labels: &Texts<ServicePool>,
) {
    write_process(writer, snapshot, moment, left_out);
    let of_workers = || labels.iter().zip(shown.pools.iter().map(|pool| pool.view));
    let pools = || {
        let labels = labels.iter().map(Text::widened::<AnyPool>);
        let of_services = service_labels.iter().map(Text::widened);
        let views = shown.pools.iter().map(|pool| pool.view);
        let views = views.chain(shown.services.iter().map(|pool| pool.view));
        labels.chain(of_services).zip(views)
    };

    let is_up = snapshot.link.connected && snapshot.up && moment.is_current;
    let mut samples = writer.family(&c::UP);
    for (labels, pool) in pools() {
        samples.write(labels, [], is_up && pool.up);
    }
    let mut samples = writer.family(&c::ROUND_DURATION);
    for (labels, pool) in pools() {
        samples.histogram(labels, [], &pool.round_seconds);
    }
    let mut samples = writer.family(&c::ROUNDS);
    for (labels, pool) in pools() {
        for finish in Finish::ALL {
            samples.write(labels, [finish.as_str()], pool.rounds[*finish]);
        }
    }
    let mut samples = writer.family(&c::REPLIES);
    for (labels, pool) in pools() {
        for result in ReplyResult::ALL {
            samples.write(labels, [result.as_str()], pool.replies[*result]);
        }
    }
    let mut samples = writer.family(&c::MISSING);
    for (labels, pool) in pools() {
        samples.write(labels, [], pool.missing);
    }
    let mut samples = writer.family(&c::SNAPSHOT_AT);
    for (labels, pool) in pools() {
        if let Some(ended) = pool.round_ended {
            samples.write(labels, [], ended.as_secs_f64());
        }
    }
    let mut samples = writer.family(&c::EVENTS);
    for (labels, pool) in of_workers() {
        for result in EventResult::ALL {
            samples.write(labels, [result.as_str()], pool.events[*result]);
        }
    }
    let mut samples = writer.family(&c::IGNORED);
    for (labels, pool) in pools() {
        samples.write(labels, ["too_many_workers"], pool.ignored);
    }
    if let Some(usage) = &moment.process.usage {
        write_usage(writer, usage);
    }
}

fn write_process(writer: &mut Writer, snapshot: &Snapshot, moment: &Moment, left_out: LeftOut) {
    let link = &snapshot.link;
    let values: [(_, Value); PLAIN_SERIES - 1] = [
        (&c::CONNECTED, link.connected.into()),
        (&c::RECONNECTS, link.reconnects.into()),
        (&c::VIOLATIONS, link.permission_violations.into()),
        (&c::SERVER_ERRORS, link.server_errors.into()),
        (&c::DROPPED_MESSAGES, link.dropped_messages.into()),
        (&c::ROUNDS_SKIPPED, snapshot.rounds_skipped.into()),
        (&c::LOG_LINES_DROPPED, moment.process.log_lines_dropped.into()),
        (&c::SERIES_LEFT_OUT, left_out.series.into()),
        (&c::ENDPOINTS_IGNORED, snapshot.endpoints_ignored.into()),
    ];
    for (family, value) in values {
        writer.family(family).write(Text::NONE, [], value);
    }
    if let Some(reloads) = &moment.reloads {
        write_reloads(writer, reloads);
    }
    if let Some(registry) = &snapshot.registry {
        write_registry(writer, registry);
    }
    sinks::write(writer, &moment.process.sinks);
    write_hearing(writer, &snapshot.hearing);
    let mut samples = writer.family(&c::MAPPING_ERRORS);
    for view in &snapshot.mappings {
        for (fault, count) in MappingFault::ALL.into_iter().zip(view.faults) {
            samples.write(Text::NONE, [&view.metric, fault.as_str()], count);
        }
    }
    write_http(writer, &moment.process.http);
    let build = [VERSION, REVISION];
    writer.family(&c::BUILD_INFO).write(Text::NONE, build, true);
}

/// What the process uses of the machine.
fn write_usage(writer: &mut Writer, usage: &Usage) {
    let values: [(_, Value); USAGE_SERIES] = [
        (&c::PROCESS_CPU, usage.cpu_seconds.into()),
        (&c::PROCESS_RESIDENT, usage.resident_bytes.into()),
        (&c::PROCESS_VIRTUAL, usage.virtual_bytes.into()),
        (&c::PROCESS_OPEN_FDS, usage.open_files.into()),
        (&c::PROCESS_THREADS, usage.threads.into()),
        (&c::PROCESS_STARTED, usage.started.into()),
    ];
    for (family, value) in values {
        writer.family(family).write(Text::NONE, [], value);
    }
    if let Some(most) = usage.max_open_files {
        writer.family(&c::PROCESS_MAX_FDS).write(Text::NONE, [], most);
    }
}

fn write_http(writer: &mut Writer, http: &Http) {
    let mut samples = writer.family(&c::HTTP_CLOSED);
    for (reason, count) in Closed::ALL.into_iter().zip(http.closed) {
        samples.write(Text::NONE, [reason.as_str()], count);
    }
    for (family, count) in [
        (&c::HTTP_ACCEPT_ERRORS, http.accept_errors),
        (&c::HTTP_UNAUTHORIZED, http.unauthorized),
    ] {
        writer.family(family).write(Text::NONE, [], count);
    }
}

fn write_reloads(writer: &mut Writer, reloads: &Reloads) {
    let mut samples = writer.family(&c::CONFIG_SUCCESSFUL);
    samples.write(Text::NONE, [], reloads.is_successful);
    let mut samples = writer.family(&c::CONFIG_SUCCESS_AT);
    samples.write(Text::NONE, [], reloads.last_success.as_secs_f64());
    let mut samples = writer.family(&c::CONFIG_RELOADS);
    for (result, count) in [("success", reloads.succeeded), ("failure", reloads.failed)] {
        samples.write(Text::NONE, [result], count);
    }
}

fn write_registry(writer: &mut Writer, registry: &RegistryView) {
    let mut samples = writer.family(&c::ETCD_CONNECTED);
    samples.write(Text::NONE, [], registry.connected);
    writer
        .family(&c::ETCD_WORKERS)
        .write(Text::NONE, [], registry.workers);
    let mut samples = writer.family(&c::ETCD_REFUSED);
    for (reason, count) in [
        ("malformed", registry.unreadable),
        ("over_limit", registry.over_limit),
    ] {
        samples.write(Text::NONE, [reason], count);
    }
}

fn write_hearing(writer: &mut Writer, hearing: &Hearing) {
    let counts: [(_, &[u64; Topic::ALL.len()]); 2] =
        [(&c::EVENT_GAPS, &hearing.gaps), (&c::EVENT_SKEW, &hearing.skewed)];
    for (family, counts) in counts {
        let mut samples = writer.family(family);
        for (topic, count) in Topic::ALL.into_iter().zip(counts) {
            samples.write(Text::NONE, [topic.as_str()], *count);
        }
    }
    let mut samples = writer.family(&c::EVENT_DELAY);
    for (topic, delays) in Topic::ALL.into_iter().zip(&hearing.delays) {
        if delays.count() > 0 {
            samples.histogram(Text::NONE, [topic.as_str()], delays);
        }
    }
    let unassigned = &hearing.unassigned;
    let reasons: [(&str, u64); REASONS] = [
        ("bad_subject", unassigned.bad_subject),
        ("not_selected", unassigned.not_selected),
        ("no_worker", unassigned.no_worker),
        ("no_endpoint", unassigned.no_endpoint),
        ("over_limit", unassigned.over_limit),
    ];
    let mut samples = writer.family(&c::EVENTS_UNASSIGNED);
    for (reason, count) in reasons {
        samples.write(Text::NONE, [reason], count);
    }
}
