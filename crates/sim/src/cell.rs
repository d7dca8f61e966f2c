//! [`Cell`]: workers that share a source of requests, and the events of their lives in one total order.
//!
//! Events are ordered by time, then by kind (steps end before requests come), then by worker and number, so nothing
//! is left to chance. Cells know nothing of each other: a fleet whose workers have requests of their own is many
//! cells, and they may be run in any order, or at the same time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::engine::{Bounds, Engine, Listener};
use super::request::Ended;
use super::router::Router;
use super::source::Source;
use super::{Change, HitEvent, Journal, Pass, RequestChange, RequestEvent};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    StepEnd,
    Arrival,
}

/// Time, class, worker, number.
type Key = (u64, Class, u32, u64);

/// A group of workers and where their requests come from.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// The place of the first worker in the fleet.
    first: u32,
    engines: Vec<Engine>,
    source: Source,
    router: Router,
    events: BinaryHeap<Reverse<Key>>,
    /// The number of the arrival that is planned; others are void.
    arrival: u64,
    now: u64,
}

/// Hands on what engines report.
struct Ear<'a> {
    worker: u32,
    journal: &'a mut Journal,
    ended: Vec<Ended>,
}

impl Listener for Ear<'_> {
    fn looked_up(&mut self, at: u64, blocks: u64, hits: u64) {
        self.journal.hits.push(HitEvent {
            time_ns: at,
            worker: self.worker as usize,
            lookup_blocks: blocks,
            hit_blocks: hits,
        });
    }

    fn passed(&mut self, pass: Pass) {
        let worker = self.worker as usize;
        self.journal.passes.push(Pass { worker, ..pass });
    }

    fn changed(&mut self, time_ns: u64, request: u64, change: RequestChange) {
        self.journal.requests.push(RequestEvent {
            time_ns,
            worker: self.worker as usize,
            request,
            change,
        });
    }

    fn ended(&mut self, ended: Ended) {
        self.ended.push(ended);
    }
}

impl Cell {
    pub(super) fn new(first: u32, engines: Vec<Engine>, source: Source, router: Router) -> Self {
        let mut cell = Self {
            first,
            engines,
            source,
            router,
            events: BinaryHeap::with_capacity(4),
            arrival: 0,
            now: 0,
        };
        cell.plan_arrival();
        cell
    }

    pub(super) fn engine(&self, at: usize) -> &Engine {
        &self.engines[at]
    }

    pub(super) fn engine_mut(&mut self, at: usize) -> &mut Engine {
        &mut self.engines[at]
    }

    pub(super) fn record_latencies(&mut self, bounds: &Bounds) {
        let engines = self.engines.iter_mut();
        engines.for_each(|engine| engine.record_latencies(bounds));
    }

    /// Lives up to and with `to`.
    pub(super) fn advance(&mut self, to: u64, journal: &mut Journal) {
        while let Some(&Reverse((time, class, worker, number))) = self.events.peek() {
            if time > to {
                break;
            }
            self.events.pop();
            debug_assert!(time >= self.now, "law 4: the clock never goes back");
            let at = worker as usize;
            match class {
                Class::StepEnd => {
                    if self.engines[at].step_end() == Some((time, number)) {
                        self.now = time;
                        self.with(at, journal, |engine, ear| engine.end_step(time, ear));
                    }
                }
                Class::Arrival if number == self.arrival => {
                    self.now = time;
                    let request = self.source.take(time);
                    if self.router.looks_into_caches() {
                        self.engines.iter_mut().for_each(|engine| engine.settle(time));
                    }
                    let at = self.router.pick(&request, &self.engines, time);
                    self.with(at, journal, |engine, ear| engine.arrive(request, time, ear));
                    self.plan_arrival();
                }
                Class::Arrival => {}
            }
        }
        self.now = self.now.max(to);
    }

    /// Does something to a worker now, and plans anew what follows from it.
    pub(super) fn change(&mut self, at: usize, change: Change, journal: &mut Journal) {
        let now = self.now;
        match change {
            Change::Submit {
                input,
                output,
                ticket,
            } => {
                let request = self.source.outside(now, input, output, ticket);
                self.with(at, journal, |engine, ear| engine.arrive(request, now, ear));
            }
            Change::Cancel { ticket } => {
                self.with(at, journal, |engine, ear| engine.cancel(ticket, now, ear));
            }
            Change::Crash => self.with(at, journal, |engine, ear| engine.crash(now, ear)),
            Change::Drain => self.with(at, journal, |engine, _| engine.drain()),
            Change::Start => self.with(at, journal, |engine, _| engine.start()),
            Change::Leave => self.with(at, journal, |engine, _| engine.absent()),
            Change::FlushCache => self.with(at, journal, |engine, _| engine.flush_cache()),
        }
    }

    /// Other requests come from now on.
    pub(super) fn replace_traffic(&mut self, replace: impl FnOnce(&mut Source, u64)) {
        replace(&mut self.source, self.now);
        self.plan_arrival();
    }

    fn with(&mut self, at: usize, journal: &mut Journal, act: impl FnOnce(&mut Engine, &mut Ear<'_>)) {
        let engine = &mut self.engines[at];
        let before = engine.step_end();
        let mut ear = Ear {
            worker: self.first + at as u32,
            journal,
            ended: Vec::new(),
        };
        act(engine, &mut ear);
        if let Some((time, number)) = engine.step_end().filter(|end| Some(*end) != before) {
            self.events
                .push(Reverse((time, Class::StepEnd, at as u32, number)));
        }
        let mut followed = false;
        for ended in ear.ended {
            followed |= self.source.ended(ended);
        }
        if followed {
            self.plan_arrival();
        }
    }

    fn plan_arrival(&mut self) {
        self.arrival += 1;
        if let Some(time) = self.source.next_time() {
            self.events
                .push(Reverse((time.max(self.now), Class::Arrival, 0, self.arrival)));
        }
    }
}
