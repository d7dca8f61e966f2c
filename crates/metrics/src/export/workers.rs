//! The series of each worker, under our names and upstream's.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use fleet::{PoolView, WorkerView};

use super::catalogue as c;
use super::chunks::Chunks;
use super::family::Family;
use super::format::Format;
use super::labelled::Labelled;
use super::labels::{AnyMember, Labels, ServiceInstance, Text, Texts, UpstreamWorker, Within, Worker};
use super::opt_in::OptIn;
use super::options::{ExportOptions, WorkerSeries};
use super::shown::{Shown, ShownPool};
use super::value::Value;
use super::writer::{Samples, Writer};

/// Workers that are written before the next ones are read.
const BLOCK: usize = 256;

/// Workers from which on a page is written by two threads.
const FOR_TWO: usize = 2_000;

/// About what a sample of a worker takes, in bytes.
const LINE: usize = 200;

type WorkerValue = fn(&WorkerView, &PoolView) -> Option<Value>;

/// A family with one value for each worker.
struct Column<G: 'static> {
    family: &'static Family<G>,
    value: WorkerValue,
}

const fn column<G>(family: &'static Family<G>, value: WorkerValue) -> Column<G> {
    Column { family, value }
}

/// A value of the worker's load, by name.
macro_rules! load {
    ($field:ident) => {
        |worker, _| Some(worker.load.as_ref()?.$field()?.into())
    };
}

/// What `--worker-series core` keeps.
const CORE: [Column<Worker>; 8] = [
    column(&c::SLOTS_ACTIVE, load!(request_slots_active)),
    column(&c::SLOTS_CAPACITY, load!(request_slots_capacity)),
    column(&c::WAITING, load!(requests_waiting)),
    column(&c::KV_ACTIVE, load!(kv_blocks_active)),
    column(&c::KV_CAPACITY, load!(kv_blocks_capacity)),
    column(&c::KV_USAGE, load!(kv_usage_ratio)),
    column(&c::PREFIX_HITS, load!(prefix_cache_hit_ratio)),
    column(&c::SATURATION, |worker, pool| {
        Some(worker.saturation(&pool.settings)?.into())
    }),
];

/// What else it keeps; instances of plain services have these too.
const SHARED_CORE: [Column<AnyMember>; 2] = [
    column(&c::REQUESTS, |worker, _| Some(worker.requests.into())),
    column(&c::ERRORS, |worker, _| Some(worker.errors.into())),
];

/// What `--worker-series full` adds and instances of plain services have, too.
const SHARED_MORE: [Column<AnyMember>; 2] = [
    column(&c::PROCESSING, |worker, _| {
        Some(worker.processing_seconds?.into())
    }),
    column(&c::STARTED, |worker, _| Some(worker.started?.into())),
];

/// What `--worker-series full` adds, without the families that have labels of their own.
const MORE: [Column<Worker>; 4] = [
    column(&c::RESTARTS, |worker, _| Some(worker.restarts.into())),
    column(&c::LAST_SEEN, |worker, _| Some(worker.last_seen?.into())),
    column(&c::LOOKUPS, |worker, _| Some(worker.lookup_blocks.into())),
    column(&c::HITS, |worker, _| Some(worker.hit_blocks.into())),
];

/// The families of workers and of instances.
pub(super) const SHARED: usize = SHARED_CORE.len() + SHARED_MORE.len();

/// A value that events report.
macro_rules! events {
    ($part:ident.$field:ident) => {
        |worker, _| Some(worker.events.as_ref()?.$part?.$field.into())
    };
}

/// What `--worker-series full` adds where events report something, without the families that have labels of their own.
const EVENTS: [Column<Worker>; 7] = [
    column(&c::CONTEXT_TOKENS, events!(engine.context_tokens)),
    column(&c::CONTEXT_STDDEV, events!(engine.context_stddev)),
    column(&c::PASSES, events!(passes.passes)),
    column(&c::PASS_SECONDS, events!(passes.seconds)),
    column(&c::PREFILL_TOKENS, events!(passes.prefill_tokens)),
    column(&c::DECODE_STEPS, events!(passes.decode_steps)),
    column(&c::PREFILL_LOAD, |worker, _| {
        Some(worker.events.as_ref()?.prefill_load_tokens?.into())
    }),
];

const UPSTREAM_CORE: [Column<UpstreamWorker>; 5] = [
    column(&c::UP_KV_ACTIVE, load!(kv_blocks_active)),
    column(&c::UP_KV_TOTAL, load!(kv_blocks_capacity)),
    column(&c::UP_SLOTS_ACTIVE, load!(request_slots_active)),
    column(&c::UP_SLOTS_TOTAL, load!(request_slots_capacity)),
    column(&c::UP_HIT_RATE, load!(prefix_cache_hit_ratio)),
];

const UPSTREAM_MORE: [Column<UpstreamWorker>; 2] = [
    column(&c::UP_LOOKUPS, |worker, _| Some(worker.lookup_blocks.into())),
    column(&c::UP_HITS, |worker, _| Some(worker.hit_blocks.into())),
];

/// The most series that one worker of a pool has because of its events; nothing where nothing is heard.
pub(super) fn series_of_events(pool: &PoolView) -> usize {
    match pool.workers.iter().any(|worker| worker.events.is_some()) {
        true => EVENTS.len() + Labelled::SERIES_OF_EVENTS + OptIn::series_each(pool),
        false => 0,
    }
}

/// The most series that one worker has, with those of its events.
pub(super) fn series_each(series: WorkerSeries, has_upstream: bool, events: usize) -> u64 {
    let (ours, upstream) = match series {
        WorkerSeries::Full => (
            CORE.len() + SHARED + MORE.len() + Labelled::SERIES + events,
            UPSTREAM_CORE.len() + UPSTREAM_MORE.len(),
        ),
        WorkerSeries::Core => (CORE.len() + SHARED_CORE.len(), UPSTREAM_CORE.len()),
        WorkerSeries::Off => (0, 0),
    };
    (ours + if has_upstream { upstream } else { 0 }) as u64
}

/// Writes the series of all workers, and those families of instances that both have. Those of a large fleet are written by
/// two threads, each with half of the families.
pub(super) fn write(writer: &mut Writer, options: &ExportOptions, shown: &Shown<'_>, metadata: &[Arc<str>]) {
    let series = options.worker_series;
    let (is_core, is_full) = (series != WorkerSeries::Off, series == WorkerSeries::Full);
    let format = writer.format();
    let members = shown.members();
    let first = Part {
        ours: if is_core { &CORE } else { &[] },
        shared: &SHARED_CORE,
        is_shared_by_workers: is_core,
        events: &[],
        with_labels: is_full,
        upstream: [&[], &[]],
    };
    let second = Part {
        ours: if is_full { &MORE } else { &[] },
        shared: &SHARED_MORE,
        is_shared_by_workers: is_full,
        events: if is_full { &EVENTS } else { &[] },
        with_labels: false,
        upstream: [
            if is_core { &UPSTREAM_CORE } else { &[] },
            if is_full { &UPSTREAM_MORE } else { &[] },
        ],
    };
    let texts_of = |part: Part| part.texts(format, members, shown, metadata);
    let (first, second) = if members < FOR_TWO {
        (texts_of(first), texts_of(second))
    } else {
        thread::scope(|scope| {
            let second = scope.spawn(|| texts_of(second));
            let first = texts_of(first);
            (first, second.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    };
    let ours = first.ours.into_iter().chain(first.shared).chain(second.shared);
    let ours = ours.chain(second.ours).chain(second.events);
    let upstream = first.upstream.into_iter().chain(second.upstream);
    let texts = ours
        .chain(first.with_labels)
        .chain(second.with_labels)
        .chain(upstream);
    texts.for_each(|text| writer.append(text));
}

/// Families that are written together.
struct Part {
    ours: &'static [Column<Worker>],
    shared: &'static [Column<AnyMember>],
    is_shared_by_workers: bool,
    /// Those of pools whose workers publish events.
    events: &'static [Column<Worker>],
    with_labels: bool,
    upstream: [&'static [Column<UpstreamWorker>]; 2],
}

/// A text for each family.
struct Written {
    ours: Vec<Chunks>,
    shared: Vec<Chunks>,
    events: Vec<Chunks>,
    with_labels: Vec<Chunks>,
    upstream: Vec<Chunks>,
}

impl Part {
    /// Writes all columns of a few workers before it goes on to the next, so that what it reads of them stays in the
    /// processor's cache.
    fn texts(&self, format: Format, members: usize, shown: &Shown<'_>, metadata: &[Arc<str>]) -> Written {
        let room = || Chunks::with_room(members.saturating_mul(LINE));
        let mut ours: Vec<_> = self.ours.iter().map(|column| (column, room())).collect();
        let mut shared: Vec<_> = self.shared.iter().map(|column| (column, room())).collect();
        let upstream = self.upstream.into_iter().flatten();
        let mut upstream: Vec<_> = upstream.map(|column| (column, room())).collect();
        let mut events: Vec<_> = self
            .events
            .iter()
            .map(|column| (column, Chunks::default()))
            .collect();
        let mut with_labels = Labelled::texts(match self.with_labels {
            true => members.saturating_mul(LINE),
            false => 0,
        });
        let mut opt_in_texts = OptIn::texts();
        let mut columns = open(format, &mut ours);
        let mut shared_columns = open(format, &mut shared);
        let mut upstream_columns = open(format, &mut upstream);
        let mut event_columns = open(format, &mut events);
        let mut labelled = Labelled::new(format, &mut with_labels, metadata);
        let mut opt_in = OptIn::new(format, &mut opt_in_texts);
        let mut labels = Texts::<Worker>::default();
        let mut upstream_labels = Texts::<UpstreamWorker>::default();

        for pool in &shown.pools {
            let path = pool.path;
            let (component, endpoint) = (path.component.as_str(), path.endpoint.as_str());
            for block in pool.workers().chunks(BLOCK) {
                let ids = || block.iter().map(|worker| worker.identity.worker_id.as_ref());
                if !columns.is_empty() || self.is_shared_by_workers || self.with_labels {
                    let own = &*pool.view.labels;
                    labels.render(ids().map(|id| ([path.namespace.as_str(), component, endpoint, id], own)));
                }
                write_columns(&mut columns, &labels, block, pool.view);
                if self.is_shared_by_workers {
                    write_columns(&mut shared_columns, &labels, block, pool.view);
                }
                if self.with_labels {
                    labelled.write(&labels, block);
                }
                if self.with_labels && pool.events > 0 {
                    opt_in.write(&labels, block);
                }
                if pool.events > 0 {
                    write_columns(&mut event_columns, &labels, block, pool.view);
                }
                if pool.has_upstream && !upstream_columns.is_empty() {
                    upstream_labels.render(ids().map(|id| ([component, endpoint, id], &[][..])));
                    write_columns(&mut upstream_columns, &upstream_labels, block, pool.view);
                }
            }
        }
        let mut labels = Texts::<ServiceInstance>::default();
        for pool in &shown.services {
            for block in pool.instances().chunks(BLOCK) {
                labels.render(block.iter().map(|instance| pool.labels_of(instance)));
                write_columns(&mut shared_columns, &labels, block, pool.view);
            }
        }
        Written {
            ours: ours.into_iter().map(|(_, text)| text).collect(),
            shared: shared.into_iter().map(|(_, text)| text).collect(),
            events: events.into_iter().map(|(_, text)| text).collect(),
            with_labels: with_labels.into_iter().chain(opt_in_texts).collect(),
            upstream: upstream.into_iter().map(|(_, text)| text).collect(),
        }
    }
}

/// One column as it is being written.
struct Open<'a, G: 'static> {
    value: WorkerValue,
    samples: Samples<'a, G>,
}

fn open<'a, G: Labels>(format: Format, columns: &'a mut [(&'static Column<G>, Chunks)]) -> Vec<Open<'a, G>> {
    let open = columns.iter_mut().map(|(column, text)| Open {
        value: column.value,
        samples: Samples::new(format, text, column.family),
    });
    open.collect()
}

fn write_columns<F: Labels, G: Within<F>>(
    columns: &mut [Open<'_, F>],
    labels: &Texts<G>,
    block: &[WorkerView],
    pool: &PoolView,
) {
    for Open { value, samples } in columns {
        for (labels, worker) in labels.iter().map(Text::widened).zip(block) {
            if let Some(value) = value(worker, pool) {
                samples.write(labels, [], value);
            }
        }
    }
}

/// How many of the families of workers and of instances an instance has.
pub(super) fn shared_series(instance: &WorkerView, pool: &PoolView) -> usize {
    let columns = SHARED_CORE.iter().chain(&SHARED_MORE);
    let values = columns.filter_map(|column| (column.value)(instance, pool));
    values.filter(|value| value.is_finite()).count()
}

/// How many series the workers that are left out would have had.
pub(super) fn series_left_out(series: WorkerSeries, pool: &ShownPool<'_>) -> u64 {
    let count = |worker: &WorkerView| -> usize {
        let has = |value: WorkerValue| value(worker, pool.view).is_some_and(Value::is_finite);
        let of = |values: &mut dyn Iterator<Item = WorkerValue>| values.filter(|value| has(*value)).count();
        let shared = of(&mut SHARED_CORE.iter().map(|column| column.value));
        let mut sum = of(&mut CORE.iter().map(|column| column.value)) + shared;
        if pool.has_upstream {
            sum += of(&mut UPSTREAM_CORE.iter().map(|column| column.value));
        }
        if series == WorkerSeries::Full {
            let more = MORE.iter().chain(&EVENTS);
            sum += of(&mut SHARED_MORE.iter().map(|column| column.value));
            sum += of(&mut more.map(|column| column.value)) + Labelled::count(worker) + OptIn::count(worker);
            if pool.has_upstream {
                sum += of(&mut UPSTREAM_MORE.iter().map(|column| column.value));
            }
        }
        sum
    };
    pool.left_out().iter().map(|worker| count(worker) as u64).sum()
}
