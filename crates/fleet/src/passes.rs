//! Forward passes: what an engine reports of each step, added up within a batch and kept for each rank of a worker.

use std::time::Duration;

use protocol::events::ForwardPass;

use crate::Now;
use crate::histogram::{Histogram, PASS_BUCKETS};

/// How often an engine reports something where no pass has ended.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long the longest pass is remembered: at least this long, and at most twice as long.
const LONGEST_WINDOW: Duration = Duration::from_secs(30);

/// How far a counter goes back where messages of a publisher that starts come in another order.
const MAX_SWAPPED: u64 = 2;

/// Silence after which nothing is concluded from a counter's last number.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// A larger step of a counter is a new beginning and no loss.
pub(crate) const MAX_LOSS: u64 = 1_000_000;

/// What one pass reports about the moment: it replaces what the pass before reported.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Frame {
    /// Running requests: in prefill, in decode.
    running: [u64; 2],
    /// Queued requests.
    queued: [u64; 2],
    /// Their tokens.
    queued_tokens: [u64; 2],
    /// Length of the context of all requests in decode.
    context_tokens: u64,
    /// Its population variance.
    context_variance: f64,
}

/// What passes add up to; it only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PassCounts {
    /// Passes, without heartbeats.
    pub passes: u64,
    /// The time that they took.
    pub seconds: f64,
    /// Prompt tokens that they computed.
    pub prefill_tokens: u64,
    /// Requests in decode, summed over passes.
    pub decode_steps: u64,
}

/// Passes of one rank within a batch.
#[derive(Debug)]
pub(crate) struct PassSum {
    pub(crate) events: u64,
    pub(crate) counts: PassCounts,
    pub(crate) seconds: Histogram,
    pub(crate) lost: u64,
    frame: Option<Frame>,
    longest: f64,
    first_counter: u64,
    last_counter: u64,
}

/// One rank of a worker.
#[derive(Debug)]
pub(crate) struct RankPasses {
    pub(crate) rank: u64,
    /// What it last reported about itself, and when.
    frame: Option<(Frame, Duration)>,
    longest: Longest,
    counter: u64,
    heard: Duration,
    link_epoch: u32,
}

/// The longest pass of the last half minute or so, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Longest {
    current: f64,
    before: f64,
    since: Duration,
}

/// The load of a worker's engine, summed over its ranks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EngineLoad {
    /// Running requests: in prefill, in decode.
    pub running: [u64; 2],
    /// Queued requests.
    pub queued: [u64; 2],
    /// Their tokens.
    pub queued_tokens: [u64; 2],
    /// Length of the context of all requests in decode.
    pub context_tokens: u64,
    /// Population standard deviation of these lengths, over the requests of all ranks.
    pub context_stddev: f64,
}

impl PassSum {
    pub(crate) fn new(counter: u64) -> Self {
        Self {
            events: 0,
            counts: PassCounts::default(),
            seconds: Histogram::new(PASS_BUCKETS),
            lost: 0,
            frame: None,
            longest: 0.0,
            first_counter: counter,
            last_counter: counter.wrapping_sub(1),
        }
    }

    pub(crate) fn add(&mut self, pass: &ForwardPass) {
        self.events += 1;
        self.lost += loss(self.last_counter, pass.counter_id);
        self.last_counter = pass.counter_id;
        if pass.is_heartbeat() {
            return;
        }
        let counts = &mut self.counts;
        counts.passes += 1;
        counts.seconds += pass.wall_time;
        counts.prefill_tokens = counts
            .prefill_tokens
            .saturating_add(pass.scheduled.prefill_tokens);
        counts.decode_steps = counts.decode_steps.saturating_add(pass.scheduled.decode_requests);
        self.seconds.observe(pass.wall_time);
        self.longest = self.longest.max(pass.wall_time);
        self.frame = Some(Frame::of(pass));
    }
}

impl Frame {
    fn of(pass: &ForwardPass) -> Self {
        let (scheduled, queued) = (&pass.scheduled, &pass.queued);
        Self {
            running: [scheduled.prefill_requests, scheduled.decode_requests],
            queued: [queued.prefill_requests, queued.decode_requests],
            queued_tokens: [queued.prefill_tokens, queued.decode_kv_tokens],
            context_tokens: scheduled.decode_kv_tokens,
            context_variance: scheduled.decode_kv_variance,
        }
    }
}

impl PassCounts {
    pub(crate) fn add(&mut self, more: &Self) {
        self.passes += more.passes;
        self.seconds += more.seconds;
        self.prefill_tokens = self.prefill_tokens.saturating_add(more.prefill_tokens);
        self.decode_steps = self.decode_steps.saturating_add(more.decode_steps);
    }
}

impl RankPasses {
    pub(crate) fn new(rank: u64, sum: &PassSum) -> Self {
        Self {
            rank,
            frame: None,
            longest: Longest::default(),
            counter: sum.first_counter.wrapping_sub(1),
            heard: Duration::ZERO,
            link_epoch: 0,
        }
    }

    /// Whether the engine has begun anew: its counter went back, and not only because two messages came the other way round.
    pub(crate) fn begins_anew(&self, sum: &PassSum, now: Now) -> bool {
        let is_forgotten = now.mono.saturating_sub(self.heard) >= FORGET_AFTER;
        !is_forgotten
            && self.counter.wrapping_add(1) != 0
            && sum.first_counter.saturating_add(MAX_SWAPPED) < self.counter
    }

    /// Takes in what a batch brought, and returns how many messages before it were lost.
    ///
    /// A heartbeat says that the engine lives, and not that it is idle: it also comes in the middle of a pass that takes
    /// longer than a second. It is taken as idleness only where the last pass is so long ago that another one, as long as
    /// the longest of late, would have ended.
    pub(crate) fn take_in(&mut self, sum: &PassSum, now: Now, link_epoch: u32) -> u64 {
        let is_forgotten = now.mono.saturating_sub(self.heard) >= FORGET_AFTER;
        let lost = match is_forgotten {
            true => 0,
            false => loss(self.counter, sum.first_counter),
        };
        self.counter = sum.last_counter;
        (self.heard, self.link_epoch) = (now.mono, link_epoch);
        match sum.frame {
            Some(frame) => {
                self.frame = Some((frame, now.mono));
                self.longest.learn(sum.longest, now.mono);
            }
            None => {
                let patience = HEARTBEAT.max(Duration::from_secs_f64(2.0 * self.longest.get()));
                let is_idle = self
                    .frame
                    .is_none_or(|(_, at)| now.mono.saturating_sub(at) > patience);
                if is_idle {
                    let at = self.frame.map_or(now.mono, |(_, at)| at);
                    self.frame = Some((Frame::default(), at));
                }
            }
        }
        lost
    }

    /// Whether what it reported still holds.
    pub(crate) fn is_current(&self, now: Now, link_epoch: u32, limit: Duration) -> bool {
        self.link_epoch == link_epoch && now.mono.saturating_sub(self.heard) <= limit
    }

    /// Until when it does, if nothing more is heard.
    pub(crate) fn holds_until(&self, limit: Duration) -> Duration {
        self.heard + limit
    }
}

impl EngineLoad {
    /// The sum over ranks; `None` without any.
    pub(crate) fn of<'a>(ranks: impl Iterator<Item = &'a RankPasses>) -> Option<Self> {
        let mut load = None;
        let (mut requests, mut squares) = (0.0, 0.0);
        for frame in ranks.filter_map(|rank| rank.frame).map(|(frame, _)| frame) {
            let load: &mut Self = load.get_or_insert_default();
            for phase in 0..2 {
                let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
                add(&mut load.running[phase], frame.running[phase]);
                add(&mut load.queued[phase], frame.queued[phase]);
                add(&mut load.queued_tokens[phase], frame.queued_tokens[phase]);
            }
            load.context_tokens = load.context_tokens.saturating_add(frame.context_tokens);
            let count = frame.running[1] as f64;
            if count > 0.0 {
                let mean = frame.context_tokens as f64 / count;
                requests += count;
                squares += count * (frame.context_variance + mean * mean);
            }
        }
        if let Some(load) = &mut load
            && requests > 0.0
        {
            let mean = load.context_tokens as f64 / requests;
            load.context_stddev = (squares / requests - mean * mean).max(0.0).sqrt();
        }
        load
    }
}

impl Longest {
    fn learn(&mut self, seconds: f64, now: Duration) {
        if now.saturating_sub(self.since) >= LONGEST_WINDOW {
            let is_old = now.saturating_sub(self.since) >= 2 * LONGEST_WINDOW;
            self.before = if is_old { 0.0 } else { self.current };
            (self.current, self.since) = (0.0, now);
        }
        self.current = self.current.max(seconds);
    }

    fn get(&self) -> f64 {
        self.current.max(self.before)
    }
}

/// How many numbers are missing between two of a counter. One that went back, or leapt, has begun anew.
pub(crate) fn loss(last: u64, next: u64) -> u64 {
    match next.wrapping_sub(last.wrapping_add(1)) {
        missing if missing <= MAX_LOSS => missing,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use protocol::WorkerId;
    use protocol::events::{Queued, Scheduled};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn heartbeat(counter_id: u64) -> ForwardPass {
        ForwardPass {
            worker_id: WorkerId::new(1),
            dp_rank: 0,
            counter_id,
            wall_time: 0.0,
            scheduled: Scheduled::default(),
            queued: Queued::default(),
        }
    }

    fn pass(seconds: f64, decode: u64, context: u64, variance: f64) -> ForwardPass {
        let mut pass = ForwardPass {
            wall_time: seconds,
            ..heartbeat(0)
        };
        pass.scheduled.decode_requests = decode;
        pass.scheduled.decode_kv_tokens = context;
        pass.scheduled.decode_kv_variance = variance;
        pass
    }

    fn sum(passes: &[ForwardPass]) -> PassSum {
        let mut sum = PassSum::new(passes[0].counter_id);
        passes.iter().for_each(|pass| sum.add(pass));
        sum
    }

    fn at(seconds: u32) -> Now {
        Now {
            mono: seconds * SECOND,
            unix: seconds * SECOND,
        }
    }

    /// What a rank shows as running after passes and heartbeats (a pass of no time) at these seconds.
    fn running(reports: &[(u32, f64)]) -> u64 {
        let mut rank: Option<RankPasses> = None;
        for (second, seconds) in reports {
            let report = match *seconds {
                0.0 => heartbeat(0),
                seconds => pass(seconds, 8, 80, 0.0),
            };
            let sum = sum(&[report]);
            rank.get_or_insert_with(|| RankPasses::new(0, &sum))
                .take_in(&sum, at(*second), 0);
        }
        EngineLoad::of(rank.iter()).expect("reported").running[1]
    }

    #[test]
    fn a_heartbeat_is_idleness_only_where_no_pass_as_long_as_the_longest_can_be_going_on() {
        assert_eq!(running(&[(100, 0.0)]), 0, "nothing but heartbeats");
        assert_eq!(running(&[(100, 0.02)]), 8);
        assert_eq!(running(&[(100, 0.02), (101, 0.0)]), 8, "just a second");
        assert_eq!(running(&[(100, 0.02), (101, 0.0), (102, 0.0)]), 0);
        assert_eq!(
            running(&[
                (100, 6.0),
                (106, 1.8),
                (107, 0.0),
                (108, 0.0),
                (112, 0.0),
                (118, 0.0)
            ]),
            8,
            "within twice the longest pass"
        );
        assert_eq!(running(&[(100, 6.0), (106, 1.8), (119, 0.0)]), 0);
        assert_eq!(
            running(&[(100, 6.0), (200, 0.1), (202, 0.0)]),
            0,
            "a long pass is forgotten"
        );
        assert_eq!(running(&[(100, 0.1), (105, 0.0), (106, 0.1)]), 8);
    }

    #[test]
    fn ranks_are_summed_and_their_spread_is_that_of_all_requests() {
        // Contexts 10 and 20 on one rank, 30 and 40 on the other.
        let sums = [sum(&[pass(0.1, 2, 30, 25.0)]), sum(&[pass(0.1, 2, 70, 25.0)])];
        let ranks = sums.map(|sum| {
            let mut rank = RankPasses::new(0, &sum);
            rank.take_in(&sum, at(1), 0);
            rank
        });
        let load = EngineLoad::of(ranks.iter()).expect("reported");
        assert_eq!((load.running, load.context_tokens), ([0, 4], 100));
        assert!((load.context_stddev - 125.0_f64.sqrt()).abs() < 1e-9, "{load:?}");
        assert_eq!(EngineLoad::of([].iter()), None);
    }

    #[test]
    fn numbers_that_are_missing_are_losses_and_a_new_beginning_is_none() {
        assert_eq!(loss(4, 5), 0);
        assert_eq!(loss(4, 8), 3);
        assert_eq!(loss(900, 0), 0, "a restart");
        assert_eq!(loss(u64::MAX, 0), 0, "the counter is full and begins anew");
        assert_eq!(loss(4, u64::MAX / 2), 0, "no counter goes on like that");
        let mut sum = PassSum::new(7);
        for counter_id in [7, 8, 11] {
            sum.add(&heartbeat(counter_id));
        }
        assert_eq!((sum.events, sum.lost, sum.counts.passes), (3, 2, 0));
        let mut rank = RankPasses::new(0, &sum);
        assert_eq!(
            rank.take_in(&sum, at(1), 0),
            0,
            "what came before we listened is not lost"
        );
        let mut next = PassSum::new(14);
        next.add(&heartbeat(14));
        assert_eq!(rank.take_in(&next, at(2), 0), 2);
        let mut later = PassSum::new(99);
        later.add(&heartbeat(99));
        assert_eq!(rank.take_in(&later, at(700), 0), 0, "that was long ago");
    }
}
