//! The load of a fleet, simulated: no input or output, no clock of its own, the same for the same seed.
//!
//! A discrete-event simulation of serving engines: requests come to a worker, wait for a slot and for KV blocks, have
//! their prompt computed and their answer made token by token, and leave their blocks in a cache where others find
//! them. `docs/simulation.md` has the model in formulas.
//!
//! Nothing here depends on the order of a hash map, on the size of the steps in which time advances, or on the number
//! of threads that do it.

#![warn(missing_docs)]

mod arrivals;
mod cell;
mod engine;
mod journal;
mod kv_pool;
#[cfg(test)]
mod laws;
mod lengths;
pub mod lines;
pub mod nanos;
mod profile;
pub mod random;
mod request;
mod router;
mod source;
pub mod trace;
mod traffic;

use std::sync::Arc;

pub use arrivals::Process;
pub use engine::{Bounds, Counters, Histogram, Latencies, Load, Mode, Preset, Progress, View, WorkerSpec};
pub use journal::{Group, HitEvent, Journal, Pass, RequestChange, RequestEvent};
pub use lengths::Lengths;
pub use profile::{Profile, Step};
pub use router::Policy;
pub use traffic::{Prefixes, Replay, Traffic, Turns};

use cell::Cell;
use engine::{Capacity, Engine};
use random::Zipf;
use router::Router;
use source::Source;

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// The same seed gives the same load.
    pub seed: u64,
    /// What each worker can do.
    pub workers: Vec<WorkerSpec>,
    /// What is asked of them.
    pub traffic: Traffic,
    /// Who gets which request.
    pub policy: Policy,
    /// In which steps engines go on.
    pub steps: Steps,
}

/// In which steps engines go on; the load is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Steps that are known beforehand are taken at once.
    AtOnce,
    /// Each by itself.
    Single,
    /// Each by itself, and the [`Journal`] has it, as well as what becomes of requests.
    Reported,
}

/// What can be done to a worker from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A request of so many tokens comes, known by a number.
    Submit {
        /// Tokens of the prompt.
        input: u64,
        /// Tokens of the answer.
        output: u64,
        /// The number.
        ticket: u64,
    },
    /// The caller of that request goes away.
    Cancel {
        /// The number.
        ticket: u64,
    },
    /// It is down at once, and what it was doing is lost.
    Crash,
    /// It takes no more requests, finishes those it has, and is down then.
    Drain,
    /// It is up again, with an empty cache.
    Start,
    /// It is down and has never been up: it joins the fleet later.
    Leave,
    /// It forgets the part of its cache that no request holds.
    FlushCache,
}

/// A fleet at a moment of its life.
#[derive(Debug, Clone)]
pub struct Fleet {
    cells: Vec<Cell>,
    workers: usize,
    policy: Policy,
    now: u64,
}

impl Fleet {
    /// A fleet at its start, without a request.
    ///
    /// # Errors
    /// Says what a worker cannot be.
    pub fn new(config: &FleetConfig) -> Result<Self, String> {
        let traffic = Arc::new(config.traffic.clone());
        let zipf = zipf_of(&traffic);
        let mut known: Vec<(&WorkerSpec, Arc<Capacity>)> = Vec::new();
        let mut capacities = Vec::with_capacity(config.workers.len());
        for spec in &config.workers {
            // A fleet has few kinds of workers; those of a kind share what they can do.
            let capacity = match known.iter().find(|(other, _)| *other == spec) {
                Some((_, capacity)) => capacity.clone(),
                None => {
                    let capacity = Arc::new(spec.capacity()?);
                    known.push((spec, capacity.clone()));
                    capacity
                }
            };
            capacities.push(capacity);
        }
        let workers = u32::try_from(capacities.len()).map_err(|_| "there are too many workers".to_owned())?;
        let engine = |capacity: Arc<Capacity>| Engine::new(capacity, config.steps);
        let source = |capacity: &Capacity, place, workers| {
            Source::new(
                traffic.clone(),
                zipf.clone(),
                capacity,
                config.seed,
                place,
                workers,
            )
        };
        let router = || Router::new(config.policy, config.seed);
        let cells = match (config.policy, capacities.first()) {
            (_, None) => Vec::new(),
            (Policy::None, _) => (0..workers)
                .zip(capacities)
                .map(|(place, capacity)| {
                    let source = source(&capacity, place, 1);
                    Cell::new(place, vec![engine(capacity)], source, router())
                })
                .collect(),
            (_, Some(first)) => {
                let source = source(first, u32::MAX, workers);
                vec![Cell::new(
                    0,
                    capacities.into_iter().map(engine).collect(),
                    source,
                    router(),
                )]
            }
        };
        Ok(Self {
            cells,
            workers: workers as usize,
            policy: config.policy,
            now: 0,
        })
    }

    /// How many workers there are.
    pub fn len(&self) -> usize {
        self.workers
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.workers == 0
    }

    /// How far the fleet has lived, in nanoseconds since its start.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Lives on until `to` and adds what happened meanwhile to the journal, in the order of time, then of workers.
    ///
    /// Many small steps and one large one come to the same. A `to` that has passed changes nothing.
    pub fn advance(&mut self, to: u64, journal: &mut Journal) {
        self.advance_on(1, to, journal);
    }

    /// [`advance`](Self::advance), with the work shared by so many threads. The result is the same.
    pub fn advance_on(&mut self, threads: usize, to: u64, journal: &mut Journal) {
        let before = journal.lengths();
        let share = self.cells.len().div_ceil(threads.max(1)).max(1);
        if share >= self.cells.len() {
            self.cells.iter_mut().for_each(|cell| cell.advance(to, journal));
        } else {
            advance_side_by_side(&mut self.cells, share, to, journal);
        }
        self.now = self.now.max(to);
        journal.sort_from(before);
    }

    /// A worker as it would report itself now.
    pub fn view(&self, worker: usize) -> View {
        let (cell, at) = self.locate(worker);
        self.cells[cell].engine(at).view(self.now)
    }

    /// From now on latencies are recorded, in buckets with these bounds. The load stays as it is, and takes a little longer.
    pub fn record_latencies(&mut self, bounds: &Bounds) {
        self.cells
            .iter_mut()
            .for_each(|cell| cell.record_latencies(bounds));
    }

    /// The latencies of a worker's requests; `None` where they are not recorded.
    pub fn latencies(&mut self, worker: usize) -> Option<&Latencies> {
        let (cell, at) = self.locate(worker);
        let now = self.now;
        self.cells[cell].engine_mut(at).latencies(now)
    }

    /// Whether a worker takes requests.
    pub fn mode(&self, worker: usize) -> Mode {
        let (cell, at) = self.locate(worker);
        self.cells[cell].engine(at).mode()
    }

    /// Tokens in a KV block of a worker.
    pub fn block_size(&self, worker: usize) -> u64 {
        let (cell, at) = self.locate(worker);
        self.cells[cell].engine(at).capacity().block_size
    }

    /// How far a request from outside has come.
    pub fn progress(&self, worker: usize, ticket: u64) -> Progress {
        let (cell, at) = self.locate(worker);
        self.cells[cell].engine(at).progress(ticket, self.now)
    }

    /// Does something to a worker now; what happens thereby is added to the journal.
    pub fn change(&mut self, worker: usize, change: Change, journal: &mut Journal) {
        let (cell, at) = self.locate(worker);
        self.cells[cell].change(at, change, journal);
    }

    /// Lets other requests come from now on; those that are here, and users who think, go on as before.
    pub fn replace_traffic(&mut self, traffic: Traffic) {
        let traffic = Arc::new(traffic);
        let zipf = zipf_of(&traffic);
        for cell in &mut self.cells {
            cell.replace_traffic(|source, now| source.replace(traffic.clone(), zipf.clone(), now));
        }
    }

    /// Lets the traffic begin again: its profile and its trace from their start, and other draws by the same seed. Workers
    /// and their requests go on as before.
    pub fn start_again(&mut self) {
        for cell in &mut self.cells {
            cell.replace_traffic(Source::start_again);
        }
    }

    fn locate(&self, worker: usize) -> (usize, usize) {
        match self.policy {
            Policy::None => (worker, 0),
            _ => (0, worker),
        }
    }
}

/// Lets a thread of its own advance each so many cells.
fn advance_side_by_side(cells: &mut [Cell], share: usize, to: u64, journal: &mut Journal) {
    let advance = |cells: &mut [Cell]| {
        let mut journal = Journal::default();
        cells.iter_mut().for_each(|cell| cell.advance(to, &mut journal));
        journal
    };
    std::thread::scope(|scope| {
        let start = |cells| scope.spawn(move || advance(cells));
        let running: Vec<_> = cells.chunks_mut(share).map(start).collect();
        for thread in running {
            match thread.join() {
                Ok(part) => journal.append(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
}

/// The table of popularity is the same for all workers.
fn zipf_of(traffic: &Traffic) -> Option<Arc<Zipf>> {
    let prefixes = traffic.prefixes.as_ref()?;
    Some(Arc::new(Zipf::new(prefixes.groups, prefixes.zipf)))
}
