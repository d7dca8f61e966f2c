//! [`Stage`]: the fleet and its faults, as time goes on. Pure: what is played offline and what is put on NATS is the
//! same.

use std::collections::{BTreeMap, BTreeSet};

use protocol::WorkerId;
use sim::{Bounds, Change, Fleet, FleetConfig, Journal, Latencies, Mode, Progress, Traffic, View};

use crate::faults::{Fault, Kind, Window};
use crate::ids;

/// The fleet with all that goes wrong in it.
#[derive(Debug)]
pub struct Stage {
    fleet: Fleet,
    seed: u64,
    threads: usize,
    connections: usize,
    workers: Vec<Worker>,
    faults: BTreeMap<u64, InForce>,
    next_fault: u64,
    /// The faults of the scenario, for when it begins anew, and their numbers now.
    script: Vec<Fault>,
    scripted: BTreeSet<u64>,
    /// Beginnings and ends to come, in their order.
    moments: BTreeSet<Moment>,
    /// How many faults keep each connection closed.
    closed: Vec<u32>,
}

#[derive(Debug)]
struct Worker {
    id: WorkerId,
    first_id: WorkerId,
    new_ids: u64,
    frozen: Option<View>,
}

/// A worker's engine at a moment, with all that it has recorded.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Its place in the fleet.
    pub place: usize,
    /// The worker's id now.
    pub id: WorkerId,
    /// How it truly is.
    pub view: View,
    /// What its requests have waited for.
    pub latencies: Latencies,
    /// Tokens in a KV block.
    pub block_size: u64,
    /// Tokens of answers that it made in a second lately.
    pub tokens_per_second: f64,
}

/// A fault and the places of the workers it concerns.
#[derive(Debug)]
struct InForce {
    fault: Fault,
    places: Vec<usize>,
}

/// Ends come before beginnings of the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    at: u64,
    begins: bool,
    fault: u64,
    rank: usize,
    number: u64,
}

/// What happened that whoever speaks for the workers must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A worker is up, as a new process.
    Up(usize),
    /// A connection is to be closed.
    Closed(usize),
    /// A connection is to be opened again.
    Opened(usize),
}

/// A worker at a moment, and what is wrong with it.
#[derive(Debug)]
pub struct Sample<'a> {
    /// When, in nanoseconds since the start.
    pub time_ns: u64,
    /// Its place in the fleet.
    pub place: usize,
    /// Its id now.
    pub id: WorkerId,
    /// How it truly is.
    pub truth: View,
    /// How it would say it is.
    pub reported: View,
    /// What goes wrong with it now.
    pub faults: Vec<&'a Fault>,
}

impl Stage {
    /// A fleet at its start, under `faults`.
    ///
    /// # Errors
    /// Says what a worker cannot be.
    pub fn new(
        config: &FleetConfig,
        ids: &[WorkerId],
        faults: &[Fault],
        connections: u32,
    ) -> Result<Self, String> {
        let workers = ids.iter().map(|&id| Worker {
            id,
            first_id: id,
            new_ids: 0,
            frozen: None,
        });
        let mut stage = Self {
            fleet: Fleet::new(config)?,
            seed: config.seed,
            threads: 1,
            connections: connections as usize,
            workers: workers.collect(),
            faults: BTreeMap::new(),
            next_fault: 0,
            script: faults.to_vec(),
            scripted: BTreeSet::new(),
            moments: BTreeSet::new(),
            closed: vec![0; connections as usize],
        };
        for fault in faults {
            let number = stage.plan(fault.clone());
            stage.scripted.insert(number);
        }
        Ok(stage)
    }

    /// Shares the work by so many threads; the result is the same.
    pub fn set_threads(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    /// How many workers there are.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// How far it has gone, in nanoseconds since the start.
    pub fn now(&self) -> u64 {
        self.fleet.now()
    }

    /// The worker's id now.
    pub fn id(&self, worker: usize) -> WorkerId {
        self.workers[worker].id
    }

    /// All ids now.
    pub fn ids(&self) -> Vec<WorkerId> {
        self.workers.iter().map(|worker| worker.id).collect()
    }

    /// The connection that a worker shares with its neighbours.
    pub fn connection(&self, worker: usize) -> usize {
        worker * self.connections / self.workers.len().max(1)
    }

    /// Goes on to `to`; what happened meanwhile is added to the journal and the notices.
    pub fn advance(&mut self, to: u64, journal: &mut Journal, notices: &mut Vec<Notice>) {
        while let Some(moment) = self.moments.first().copied().filter(|moment| moment.at <= to) {
            self.moments.remove(&moment);
            self.fleet.advance_on(self.threads, moment.at, journal);
            self.pass(moment, journal, notices);
        }
        self.fleet.advance_on(self.threads, to, journal);
    }

    /// A worker now.
    pub fn sample(&self, worker: usize) -> Sample<'_> {
        let truth = self.fleet.view(worker);
        let reported = match &self.workers[worker].frozen {
            // A process that is gone reports nothing, even if it was frozen.
            Some(frozen) if truth.load.is_some() => *frozen,
            _ => truth,
        };
        Sample {
            time_ns: self.now(),
            place: worker,
            id: self.workers[worker].id,
            truth,
            reported,
            faults: self.faults_at(worker, self.now()),
        }
    }

    /// How a worker truly is now.
    pub fn truth(&self, worker: usize) -> View {
        self.fleet.view(worker)
    }

    /// From now on latencies are recorded, in buckets with these bounds.
    pub fn record_latencies(&mut self, bounds: &Bounds) {
        self.fleet.record_latencies(bounds);
    }

    /// The engines of all workers with what they have recorded; none where nothing is.
    pub fn engines(&mut self) -> Vec<Engine> {
        let engine = |place: usize| {
            Some(Engine {
                latencies: self.fleet.latencies(place)?.clone(),
                place,
                id: self.workers[place].id,
                view: self.fleet.view(place),
                block_size: self.fleet.block_size(place),
                tokens_per_second: 0.0,
            })
        };
        (0..self.workers.len()).filter_map(engine).collect()
    }

    /// What goes wrong with a worker at a time.
    pub fn faults_at(&self, worker: usize, time_ns: u64) -> Vec<&Fault> {
        let strikes = |question: u64, in_force: &InForce| {
            let InForce { fault, places } = in_force;
            places
                .binary_search(&worker)
                .is_ok_and(|rank| fault.window_at(rank as u64, time_ns).is_some())
                && fault.strikes(self.seed, question, worker, time_ns)
        };
        let in_force = self.faults.iter();
        in_force
            .filter(|(number, in_force)| strikes(**number, in_force))
            .map(|(_, in_force)| &in_force.fault)
            .collect()
    }

    /// When a fault begins or ends next, where that is an event of its own.
    pub fn next_moment(&self) -> Option<u64> {
        self.moments.first().map(|moment| moment.at)
    }

    /// Tokens in a KV block of a worker.
    pub fn block_size(&self, worker: usize) -> u64 {
        self.fleet.block_size(worker)
    }

    /// Whether the worker's process is there.
    pub fn is_up(&self, worker: usize) -> bool {
        self.fleet.mode(worker) != Mode::Down
    }

    /// Whether the worker's connection is open.
    pub fn is_connected(&self, worker: usize) -> bool {
        self.closed[self.connection(worker)] == 0
    }

    /// A fault comes now, or later: its `at` is counted from now. Returns the number by which it can be cleared.
    pub fn add(&mut self, mut fault: Fault, journal: &mut Journal, notices: &mut Vec<Notice>) -> u64 {
        fault.at.0 = fault.at.0.saturating_add(self.now());
        let number = self.plan(fault);
        self.advance(self.now(), journal, notices);
        number
    }

    /// The scenario begins anew: traffic and faults from their start. Workers, their ids and what they are doing stay,
    /// and so do faults that were added since.
    pub fn start_again(&mut self, journal: &mut Journal, notices: &mut Vec<Notice>) {
        let scripted = std::mem::take(&mut self.scripted);
        self.clear(|number, _| scripted.contains(&number), journal, notices);
        self.fleet.start_again();
        for fault in self.script.clone() {
            let number = self.add(fault, journal, notices);
            self.scripted.insert(number);
        }
    }

    /// How many workers a fault concerns.
    pub fn concerned(&self, fault: u64) -> usize {
        self.faults
            .get(&fault)
            .map_or(0, |in_force| in_force.places.len())
    }

    /// The faults that are planned or in force, by number.
    pub fn faults(&self) -> impl Iterator<Item = (u64, &Fault)> {
        self.faults
            .iter()
            .map(|(number, in_force)| (*number, &in_force.fault))
    }

    /// The faults in force now, by number, with how many workers each concerns now.
    pub fn faults_in_force(&self) -> Vec<(u64, Kind, usize)> {
        let now = self.now();
        let in_force = self.faults.iter().map(|(number, InForce { fault, places })| {
            let ranks = 0..places.len() as u64;
            let concerned = ranks.filter(|rank| fault.window_at(*rank, now).is_some()).count();
            (*number, fault.kind, concerned)
        });
        in_force.filter(|(_, _, concerned)| *concerned > 0).collect()
    }

    /// Takes back the faults of which `which` holds, and puts right what they did; returns how many.
    pub fn clear(
        &mut self,
        which: impl Fn(u64, &Fault) -> bool,
        journal: &mut Journal,
        notices: &mut Vec<Notice>,
    ) -> usize {
        let chosen: Vec<u64> = self
            .faults()
            .filter(|(number, fault)| which(*number, fault))
            .map(|(n, _)| n)
            .collect();
        let now = self.now();
        for &number in &chosen {
            self.moments.retain(|moment| moment.fault != number);
            let InForce { fault, places } = self.faults.remove(&number).expect("it was chosen");
            for (rank, place) in places.into_iter().enumerate() {
                if fault.kind.has_moments() && fault.window_at(rank as u64, now).is_some() {
                    self.end(&fault, place, journal, notices);
                }
            }
        }
        chosen.len()
    }

    /// Other requests come from now on.
    pub fn replace_traffic(&mut self, traffic: Traffic) {
        self.fleet.replace_traffic(traffic);
    }

    /// A request from outside comes to a worker, or its caller goes away.
    pub fn request(&mut self, worker: usize, change: Change, journal: &mut Journal) {
        self.fleet.change(worker, change, journal);
    }

    /// How far a request from outside has come.
    pub fn progress(&self, worker: usize, ticket: u64) -> Progress {
        self.fleet.progress(worker, ticket)
    }

    fn plan(&mut self, fault: Fault) -> u64 {
        let number = self.next_fault;
        self.next_fault += 1;
        let mut places = fault.select.places(&self.ids(), self.seed, number);
        if fault.kind == Kind::Disconnect {
            // A connection is not cut for one of those alone who share it.
            let cut: BTreeSet<usize> = places.iter().map(|&place| self.connection(place)).collect();
            places = (0..self.len())
                .filter(|&place| cut.contains(&self.connection(place)))
                .collect();
        }
        if fault.kind.has_moments() {
            for rank in 0..places.len() {
                self.moments.extend(beginning(number, &fault, rank, 0));
            }
        }
        self.faults.insert(number, InForce { fault, places });
        number
    }

    fn pass(&mut self, moment: Moment, journal: &mut Journal, notices: &mut Vec<Notice>) {
        let in_force = &self.faults[&moment.fault];
        let (fault, place) = (in_force.fault.clone(), in_force.places[moment.rank]);
        if !moment.begins {
            return self.end(&fault, place, journal, notices);
        }
        if let Some(Window { until: Some(at), .. }) = fault.window(moment.rank as u64, moment.number) {
            let begins = false;
            self.moments.insert(Moment { at, begins, ..moment });
        }
        self.moments
            .extend(beginning(moment.fault, &fault, moment.rank, moment.number + 1));
        self.begin(&fault, place, moment.at, journal, notices);
    }

    fn begin(
        &mut self,
        fault: &Fault,
        place: usize,
        at: u64,
        journal: &mut Journal,
        notices: &mut Vec<Notice>,
    ) {
        match fault.kind {
            Kind::Absent if at == 0 => self.fleet.change(place, Change::Leave, journal),
            Kind::Crash | Kind::Absent => self.fleet.change(place, Change::Crash, journal),
            Kind::Drain => self.fleet.change(place, Change::Drain, journal),
            Kind::FlushCache => self.fleet.change(place, Change::FlushCache, journal),
            Kind::Freeze => self.workers[place].frozen = Some(self.fleet.view(place)),
            Kind::Disconnect => {
                let connection = self.connection(place);
                self.closed[connection] += 1;
                if self.closed[connection] == 1 {
                    notices.push(Notice::Closed(connection));
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, fault: &Fault, place: usize, journal: &mut Journal, notices: &mut Vec<Notice>) {
        match fault.kind {
            Kind::Crash | Kind::Absent | Kind::Drain => {
                let was_down = self.fleet.mode(place) == Mode::Down;
                self.fleet.change(place, Change::Start, journal);
                if was_down {
                    let worker = &mut self.workers[place];
                    worker.frozen = None;
                    if fault.new_id == Some(true) {
                        worker.new_ids += 1;
                        worker.id = ids::again(worker.first_id, worker.new_ids);
                    }
                    notices.push(Notice::Up(place));
                }
            }
            Kind::Freeze => self.workers[place].frozen = None,
            Kind::Disconnect => {
                let connection = self.connection(place);
                self.closed[connection] -= 1;
                if self.closed[connection] == 0 {
                    notices.push(Notice::Opened(connection));
                }
            }
            _ => {}
        }
    }
}

fn beginning(number: u64, fault: &Fault, rank: usize, time: u64) -> Option<Moment> {
    let window = fault.window(rank as u64, time)?;
    Some(Moment {
        at: window.from,
        begins: true,
        fault: number,
        rank,
        number: time,
    })
}

impl Sample<'_> {
    /// The fault of a kind that strikes now.
    pub fn fault(&self, kind: Kind) -> Option<&Fault> {
        self.faults.iter().find(|fault| fault.kind == kind).copied()
    }

    /// Whether a fault of one of these kinds strikes now.
    pub fn has(&self, kinds: &[Kind]) -> bool {
        self.faults.iter().any(|fault| kinds.contains(&fault.kind))
    }
}

#[cfg(test)]
mod tests;
