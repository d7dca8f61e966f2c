//! Where requests come from: a process or a trace, users who wait for answers, and conversations that go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arrivals::{Arrivals, Process};
use super::engine::Capacity;
use super::kv_pool::{Link, SegmentKey};
use super::random::{Purpose, Random, Zipf};
use super::request::{Ended, Ending, Request};
use super::traffic::Traffic;
use crate::nanos::Nanos;
use crate::trace::{Trace, TraceRequest};

/// How long a user who is turned away waits at least, in nanoseconds.
const TURNED_AWAY: u64 = 100_000_000;

/// A trace that is played again and again lasts at least so long, in nanoseconds.
const SHORTEST_LOOP: u64 = 1_000_000_000;

/// Makes the requests of one cell.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    traffic: Arc<Traffic>,
    zipf: Option<Arc<Zipf>>,
    block_size: u64,
    arrivals: Option<Arrivals>,
    next_arrival: Option<u64>,
    replay: Option<Player>,
    /// Requests that follow others, by their time and a number.
    follow_ups: BTreeMap<(u64, u64), FollowUp>,
    seed: u64,
    place: u32,
    workers: u32,
    pace: f64,
    /// From when on the profile is counted.
    origin: u64,
    made: u64,
    lengths: Random,
    prefixes: Random,
    turns: Random,
}

#[derive(Debug, Clone)]
enum FollowUp {
    /// A user sends the next request.
    User(u64),
    /// A conversation goes on, with all that was said so far.
    Turn {
        session: u64,
        turns_left: u32,
        chain: Vec<Link>,
        tokens: u64,
    },
    /// A conversation of a trace goes on with the turn at this place of it.
    Recorded {
        session: u64,
        trace: Arc<Trace>,
        place: usize,
    },
}

#[derive(Debug, Clone)]
struct Player {
    began: u64,
    place: usize,
    round: u64,
    length: u64,
}

impl Source {
    /// The source of the cell at `place` with so many workers.
    pub(crate) fn new(
        traffic: Arc<Traffic>,
        zipf: Option<Arc<Zipf>>,
        capacity: &Capacity,
        seed: u64,
        place: u32,
        workers: u32,
    ) -> Self {
        let random = |purpose| Random::new(seed, place, purpose);
        let pace = 1.0 + traffic.spread * (2.0 * random(Purpose::Pace).unit() - 1.0);
        let mut source = Self {
            zipf,
            block_size: capacity.block_size,
            arrivals: None,
            next_arrival: None,
            replay: None,
            follow_ups: BTreeMap::new(),
            seed,
            place,
            workers,
            pace,
            origin: 0,
            made: 0,
            lengths: random(Purpose::Lengths),
            prefixes: random(Purpose::Prefixes),
            turns: random(Purpose::Turns),
            traffic,
        };
        source.begin(0);
        source
    }

    /// Other traffic takes the place of this one. Who waits for an answer, or thinks, goes on as before.
    pub(crate) fn replace(&mut self, traffic: Arc<Traffic>, zipf: Option<Arc<Zipf>>, now: u64) {
        // Users of a closed process are not made twice.
        let had_users = matches!(self.traffic.process, Process::Closed { .. });
        self.traffic = traffic;
        self.zipf = zipf;
        if had_users && matches!(self.traffic.process, Process::Closed { .. }) {
            return;
        }
        self.begin(now);
    }

    /// The same traffic begins again, its profile and its trace from their start. Who waits for an answer, or thinks, goes
    /// on as before.
    pub(crate) fn start_again(&mut self, now: u64) {
        self.origin = now;
        self.replace(self.traffic.clone(), self.zipf.clone(), now);
    }

    fn begin(&mut self, now: u64) {
        let traffic = &self.traffic;
        (self.arrivals, self.next_arrival, self.replay) = (None, None, None);
        if let Some(replay) = &traffic.replay {
            let requests = replay.trace.requests();
            let last = requests.last().map_or(0, |request| request.at_ns);
            // Between the last request and the first of the next round lies an average gap.
            let gap = last / (requests.len() as u64).saturating_sub(1).max(1);
            self.replay = Some(Player {
                began: now,
                place: 0,
                round: 0,
                length: (last + gap).max(SHORTEST_LOOP),
            });
            return;
        }
        if let Process::Closed { users, think } = traffic.process {
            for user in 0..u64::from(users) * u64::from(self.workers) {
                // They do not all begin at once: the first request comes after a think time, too.
                let after = Nanos::from_seconds(self.turns.exponential(think.seconds())).0;
                self.follow_ups
                    .insert((now.saturating_add(after), user), FollowUp::User(user));
            }
            return;
        }
        let rate = traffic.rate * f64::from(self.workers);
        // The number of the moment makes a stream of its own for traffic that is replaced.
        let random = match now {
            0 => Random::new(self.seed, self.place, Purpose::Arrivals),
            now => Random::at(self.seed, self.place, u64::from(u32::MAX), now),
        };
        let workers = f64::from(self.workers);
        let pace = match traffic.process {
            Process::Onoff { .. } => self.pace * workers,
            _ => self.pace,
        };
        self.arrivals = Arrivals::new(&traffic.process, rate, pace, &traffic.profile, random);
        if let Some(arrivals) = &mut self.arrivals
            && now > 0
        {
            arrivals.begin_at(Nanos(now - self.origin));
        }
        self.next_arrival = self.draw_arrival(now);
    }

    fn draw_arrival(&mut self, now: u64) -> Option<u64> {
        let after = self.arrivals.as_mut()?.next()?;
        Some(after.0.saturating_add(self.origin).max(now))
    }

    /// When the next request comes.
    pub(crate) fn next_time(&self) -> Option<u64> {
        let follow_up = self.follow_ups.first_key_value().map(|((at, _), _)| *at);
        let replayed = self.replayed().map(|(at, _)| at);
        [self.next_arrival, follow_up, replayed]
            .into_iter()
            .flatten()
            .min()
    }

    /// The request whose time it is.
    pub(crate) fn take(&mut self, now: u64) -> Request {
        let request = if self.next_arrival.is_some_and(|at| at <= now) {
            self.next_arrival = self.draw_arrival(now);
            self.opening(now)
        } else if self.replayed().is_some_and(|(at, _)| at <= now) {
            self.play(now)
        } else {
            let (_, follow_up) = self.follow_ups.pop_first().expect("it is a user's time");
            match follow_up {
                FollowUp::User(user) => Request {
                    session: user,
                    ..self.opening(now)
                },
                FollowUp::Turn {
                    session,
                    turns_left,
                    chain,
                    tokens,
                } => self.turn(now, session, turns_left, chain, tokens),
                FollowUp::Recorded {
                    session,
                    trace,
                    place,
                } => Request {
                    session,
                    ..self.recorded(now, &trace, trace.turn(place))
                },
            }
        };
        self.made += 1;
        request
    }

    /// A request from outside, of so many tokens, that no other shares anything with.
    pub(crate) fn outside(&mut self, now: u64, input: u64, output: u64, ticket: u64) -> Request {
        self.made += 1;
        Request {
            id: self.made - 1,
            arrived: now,
            input: input.max(1),
            output: output.max(1),
            chain: Vec::new(),
            session: u64::MAX,
            turns_left: 0,
            ticket: Some(ticket),
            next: None,
        }
    }

    /// Takes note of a request's end; true where another one follows it.
    pub(crate) fn ended(&mut self, ended: Ended) -> bool {
        let Ended {
            request,
            ending,
            at,
            kept,
            covered,
        } = ended;
        if request.ticket.is_some() {
            return false;
        }
        if let Some((trace, place)) = request.next {
            if ending != Ending::Finished {
                return false;
            }
            let speedup = self.traffic.replay.as_ref().map_or(1.0, |replay| replay.speedup);
            let after = libm::round(trace.turn(place).at_ns as f64 / speedup) as u64;
            let session = request.session;
            let follow_up = FollowUp::Recorded {
                session,
                trace,
                place,
            };
            self.follow_ups
                .insert((at.saturating_add(after.max(1)), request.id), follow_up);
            return true;
        }
        if self.traffic.replay.is_some() {
            return false;
        }
        if let Process::Closed { think, .. } = self.traffic.process {
            let after = Nanos::from_seconds(self.turns.exponential(think.seconds())).0;
            // Whoever is turned away tries again after a while, also without time to think: else it would do nothing else.
            let least = match ending {
                Ending::Finished => 1,
                _ => TURNED_AWAY,
            };
            let again = at.saturating_add(after.max(least));
            self.follow_ups
                .insert((again, request.session), FollowUp::User(request.session));
            return true;
        }
        let Some(turns) = self.traffic.turns.as_ref() else {
            return false;
        };
        if request.turns_left == 0 || ending != Ending::Finished {
            return false;
        }
        let after = Nanos::from_seconds(self.turns.exponential(turns.think.seconds())).0;
        let mut chain = request.chain;
        let tokens = request.input + request.output;
        // What was cached must be a part of what was said.
        if covered <= tokens {
            chain.extend(kept);
        }
        let follow_up = FollowUp::Turn {
            session: request.session,
            turns_left: request.turns_left - 1,
            chain,
            tokens,
        };
        self.follow_ups
            .insert((at.saturating_add(after.max(1)), request.id), follow_up);
        true
    }

    fn opening(&mut self, now: u64) -> Request {
        let input = self.traffic.input.draw(&mut self.lengths);
        let output = self.traffic.output.draw(&mut self.lengths);
        let turns_left = match &self.traffic.turns {
            None => 0,
            Some(turns) => {
                let mut left = 0;
                while left < 10_000 && self.turns.unit() >= 1.0 / turns.mean {
                    left += 1;
                }
                left
            }
        };
        Request {
            id: self.made,
            arrived: now,
            input,
            output,
            chain: self.prefix(input),
            session: self.made,
            turns_left,
            ticket: None,
            next: None,
        }
    }

    fn prefix(&mut self, input: u64) -> Vec<Link> {
        let (Some(prefixes), Some(zipf)) = (&self.traffic.prefixes, &self.zipf) else {
            return Vec::new();
        };
        let group = zipf.draw(&mut self.prefixes);
        let belongs = self.prefixes.unit() < prefixes.share;
        let blocks = prefixes.tokens / self.block_size;
        // A prompt that is as long as the prefix has at least one token of its own.
        if !belongs || blocks == 0 || input <= prefixes.tokens {
            return Vec::new();
        }
        vec![Link {
            key: SegmentKey::Group(group),
            blocks,
        }]
    }

    fn turn(&mut self, now: u64, session: u64, turns_left: u32, chain: Vec<Link>, tokens: u64) -> Request {
        let new = self.traffic.input.draw(&mut self.lengths);
        Request {
            id: self.made,
            arrived: now,
            input: tokens.saturating_add(new),
            output: self.traffic.output.draw(&mut self.lengths),
            chain,
            session,
            turns_left,
            ticket: None,
            next: None,
        }
    }

    /// The trace's next request and its time.
    fn replayed(&self) -> Option<(u64, usize)> {
        let (player, replay) = (self.replay.as_ref()?, self.traffic.replay.as_ref()?);
        let request = replay.trace.requests().get(player.place)?;
        let at = player.round as f64 * player.length as f64 + request.at_ns as f64;
        let after = libm::round(at / replay.speedup) as u64;
        Some((player.began.saturating_add(after), player.place))
    }

    fn play(&mut self, now: u64) -> Request {
        let (_, place) = self.replayed().expect("it is its time");
        let traffic = self.traffic.clone();
        let replay = traffic.replay.as_ref().expect("a trace is played");
        let player = self.replay.as_mut().expect("a trace is played");
        player.place += 1;
        if player.place == replay.trace.requests().len() && replay.repeat {
            player.place = 0;
            player.round += 1;
        }
        self.recorded(now, &replay.trace, &replay.trace.requests()[place])
    }

    /// A request as the trace has it.
    fn recorded(&self, now: u64, trace: &Arc<Trace>, recorded: &TraceRequest) -> Request {
        Request {
            id: self.made,
            arrived: now,
            input: recorded.input_tokens,
            output: recorded.output_tokens,
            chain: chain(recorded, trace.block_tokens().unwrap_or(1), self.block_size),
            session: recorded.hash_ids.first().copied().unwrap_or(self.made),
            turns_left: 0,
            ticket: None,
            next: recorded.next.map(|place| (trace.clone(), place)),
        }
    }
}

/// The blocks of a worker that a prompt can share: those that end within the full blocks of the trace. Where the sizes
/// differ, the id of the trace's block in which one ends names it.
fn chain(recorded: &TraceRequest, block_tokens: u64, block_size: u64) -> Vec<Link> {
    let full = recorded.input_tokens / block_tokens;
    let ids = recorded.hash_ids.iter().take(full as usize);
    let ends_before = |blocks: u64| blocks * block_tokens / block_size;
    let link = |(place, id): (u64, &u64)| {
        let blocks = ends_before(place + 1) - ends_before(place);
        let key = SegmentKey::Trace(*id, blocks as u32);
        (blocks > 0).then_some(Link { key, blocks })
    };
    (0..).zip(ids).filter_map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(block_tokens: u64, block_size: u64, input_tokens: u64, expected: &[(u64, u64)]) {
        let recorded = TraceRequest {
            at_ns: 0,
            input_tokens,
            output_tokens: 1,
            hash_ids: (10..10 + input_tokens.div_ceil(block_tokens)).collect(),
            next: None,
        };
        let links = chain(&recorded, block_tokens, block_size);
        let found: Vec<(u64, u64)> = links
            .iter()
            .map(|link| match link.key {
                SegmentKey::Trace(id, _) => (id, link.blocks),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, expected, "{block_tokens} into {block_size}");
    }

    #[test]
    fn blocks_of_a_trace_become_blocks_of_a_worker_of_any_size() {
        check(512, 64, 1100, &[(10, 8), (11, 8)]);
        // Four of the trace make one of the worker, named by the last of them; the rest is not full.
        check(16, 64, 150, &[(13, 1), (17, 1)]);
        // 100, 200 and 300 tokens: of blocks of 64, those up to 64, 128 and 192, 256.
        check(100, 64, 399, &[(10, 1), (11, 2), (12, 1)]);
        check(512, 64, 511, &[]);
    }
}
