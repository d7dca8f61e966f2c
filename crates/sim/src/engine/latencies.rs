//! [`Latencies`]: histograms of what requests waited for and how long they were, with the buckets of an engine's page.

use super::spec::Capacity;
use super::step::Step;

/// Numbers in buckets. Times are in nanoseconds, so that sums are exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// The upper bounds of the buckets, but for the last one, which has none.
    pub bounds: &'static [u64],
    /// How many numbers are in each bucket alone.
    pub counts: Box<[u64]>,
    /// The sum of all numbers.
    pub sum: u64,
}

/// Seconds, given in milliseconds, as nanoseconds.
macro_rules! milliseconds {
    ($($ms:literal)*) => { &[$(nanos($ms)),*] };
}

const fn nanos(milliseconds: u64) -> u64 {
    milliseconds * 1_000_000
}

/// The upper bounds of buckets, as the page of an engine has them.
#[derive(Debug, PartialEq, Eq)]
pub struct Bounds {
    first_token: &'static [u64],
    token: &'static [u64],
    end_to_end: &'static [u64],
    queue: &'static [u64],
    /// Of the parts of a request's time.
    part: &'static [u64],
    length: &'static [u64],
    step: &'static [u64],
}

impl Bounds {
    /// Those of vLLM.
    pub const VLLM: Self = Self {
        first_token: FIRST_TOKEN,
        token: TOKEN,
        end_to_end: REQUEST,
        queue: REQUEST,
        part: REQUEST,
        length: LENGTH,
        step: STEP,
    };

    /// Those of SGLang.
    pub const SGLANG: Self = Self {
        first_token: milliseconds![100 200 400 600 800 1_000 2_000 4_000 6_000 8_000 10_000 20_000 40_000 60_000 80_000
            100_000 200_000 400_000],
        token: milliseconds![2 4 6 8 10 15 20 25 30 35 40 60 80 100 200 400 600 800 1_000 2_000 4_000 6_000 8_000],
        end_to_end: milliseconds![100 200 400 600 800 1_000 2_000 4_000 6_000 8_000 10_000 20_000 40_000 60_000 80_000
            100_000 200_000 400_000 600_000 1_200_000 1_800_000 2_400_000],
        queue: milliseconds![0 100 200 500 1_000 2_000 3_000 4_000 5_000 10_000 15_000 20_000 30_000 40_000 50_000 60_000
            70_000 80_000 90_000 100_000 200_000 300_000 400_000 500_000 600_000 700_000 800_000 900_000 1_000_000
            1_200_000 1_400_000 1_600_000 1_800_000 2_000_000 2_500_000 3_000_000],
        ..Self::VLLM
    };

    /// Those of Dynamo, whose page has whole requests alone.
    pub const DYNAMO: Self = Self {
        end_to_end: milliseconds![5 10 25 50 100 250 500 1_000 2_500 5_000 10_000 20_000 30_000 60_000 120_000 300_000
            600_000],
        ..Self::VLLM
    };
}

const FIRST_TOKEN: &[u64] = milliseconds![1 5 10 20 40 60 80 100 250 500 750 1_000 2_500 5_000 7_500 10_000 20_000
    40_000 80_000 160_000 640_000 2_560_000];
const TOKEN: &[u64] = milliseconds![10 25 50 75 100 150 200 300 400 500 750 1_000 2_500 5_000 7_500 10_000 20_000 40_000
    80_000];
const REQUEST: &[u64] = milliseconds![300 500 800 1_000 1_500 2_000 2_500 5_000 10_000 15_000 20_000 30_000 40_000
    50_000 60_000 120_000 240_000 480_000 960_000 1_920_000 7_680_000];
/// For a model of 131,072 tokens: vLLM goes up to the length of the model.
const LENGTH: &[u64] = &[
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
];
const STEP: &[u64] = &[
    1, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384,
];

/// What a worker's requests have waited for since the simulation began. Restarts do not set it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latencies {
    /// Tokens of the prompts of all requests that have their first token, found in the cache or computed.
    pub prompt_tokens_total: u64,
    /// Of these, those that were found in the cache.
    pub cached_tokens_total: u64,
    /// From the arrival to the first token.
    pub first_token: Histogram,
    /// From each token to the next, but for a request that was set back in between.
    pub inter_token: Histogram,
    /// The mean of that of each finished request.
    pub per_output_token: Histogram,
    /// From the arrival to the end, of finished requests as all that follow.
    pub end_to_end: Histogram,
    /// From the arrival to the first start.
    pub queue: Histogram,
    /// From the first start to the first token.
    pub prefill: Histogram,
    /// From the first token to the last.
    pub decode: Histogram,
    /// From the first start to the last token.
    pub inference: Histogram,
    /// Tokens of prompts.
    pub prompt_tokens: Histogram,
    /// Of these, those that were computed.
    pub computed_tokens: Histogram,
    /// Tokens of answers.
    pub generation_tokens: Histogram,
    /// Tokens that a step computes, of prompts and of answers.
    pub iteration_tokens: Histogram,
}

/// The times of a request that has its whole answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) arrived: u64,
    pub(super) started: u64,
    pub(super) first_token: u64,
    pub(super) finished: u64,
}

/// The length of a prompt, and how much of it was computed at first; the rest was in the cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prompt {
    pub(super) tokens: u64,
    pub(super) computed: u64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1].into(),
            sum: 0,
        }
    }

    fn add(&mut self, number: u64, times: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < number);
        self.counts[bucket] += times;
        self.sum += number * times;
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Latencies {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            prompt_tokens_total: 0,
            cached_tokens_total: 0,
            first_token: Histogram::new(bounds.first_token),
            inter_token: Histogram::new(bounds.token),
            per_output_token: Histogram::new(bounds.token),
            end_to_end: Histogram::new(bounds.end_to_end),
            queue: Histogram::new(bounds.queue),
            prefill: Histogram::new(bounds.part),
            decode: Histogram::new(bounds.part),
            inference: Histogram::new(bounds.part),
            prompt_tokens: Histogram::new(bounds.length),
            computed_tokens: Histogram::new(bounds.length),
            generation_tokens: Histogram::new(bounds.length),
            iteration_tokens: Histogram::new(bounds.step),
        }
    }

    /// So many steps have ended in which the same requests decode and nothing else happens.
    pub(super) fn decoded(&mut self, capacity: &Capacity, step: &Step, count: u64) {
        for number in 0..count {
            let kv_tokens = step.kv_tokens + number * step.sequences;
            let time = capacity.steps_time(1, step.sequences, kv_tokens);
            self.inter_token.add(time, step.sequences);
            self.iteration_tokens.add(step.sequences, 1);
        }
    }

    /// A step has ended that also computed so many tokens of prompts.
    pub(super) fn mixed(&mut self, step: &Step, prefill: u64) {
        self.inter_token.add(step.end - step.start, step.sequences);
        self.iteration_tokens.add(step.sequences + prefill, 1);
    }

    /// The first token of a request is there.
    pub(super) fn began(&mut self, waited: u64, prompt: Prompt) {
        self.first_token.add(waited, 1);
        self.prompt_tokens_total += prompt.tokens;
        self.cached_tokens_total += prompt.tokens - prompt.computed;
    }

    /// A request has its whole answer.
    pub(super) fn finished(&mut self, times: Times, prompt: Prompt, answer: u64) {
        let Times {
            arrived,
            started,
            first_token,
            finished,
        } = times;
        self.end_to_end.add(finished - arrived, 1);
        self.queue.add(started - arrived, 1);
        self.prefill.add(first_token - started, 1);
        self.decode.add(finished - first_token, 1);
        self.inference.add(finished - started, 1);
        self.prompt_tokens.add(prompt.tokens, 1);
        self.computed_tokens.add(prompt.computed, 1);
        self.generation_tokens.add(answer, 1);
        if let Some(mean) = (finished - first_token).checked_div(answer - 1) {
            self.per_output_token.add(mean, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_in_the_bucket_whose_bound_it_does_not_exceed() {
        let mut histogram = Histogram::new(&[10, 20]);
        for (number, times) in [(0, 1), (10, 2), (11, 1), (20, 1), (21, 3)] {
            histogram.add(number, times);
        }
        assert_eq!(*histogram.counts, [3, 2, 3]);
        assert_eq!((histogram.count(), histogram.sum), (8, 114));
    }

    #[test]
    fn the_parts_of_a_request_add_up() {
        let mut latencies = Latencies::new(&Bounds::VLLM);
        let prompt = Prompt {
            tokens: 100,
            computed: 30,
        };
        let times = Times {
            arrived: 1,
            started: 5,
            first_token: 12,
            finished: 42,
        };
        latencies.finished(times, prompt, 4);
        let sums = [
            &latencies.queue,
            &latencies.prefill,
            &latencies.decode,
            &latencies.inference,
            &latencies.end_to_end,
            &latencies.per_output_token,
        ]
        .map(|histogram| histogram.sum);
        assert_eq!(sums, [4, 7, 30, 37, 41, 10]);
        // An answer of one token has no token after the first.
        latencies.finished(times, prompt, 1);
        assert_eq!(latencies.per_output_token.count(), 1);
    }
}
