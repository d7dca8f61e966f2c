//! What a worker can do: slots, blocks, and how long a step takes.

use serde::Deserialize;

use crate::nanos::Nanos;

/// What a worker can do, as a scenario says it. What is not said comes from the preset.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerSpec {
    /// The times of a known machine and model.
    pub preset: Option<Preset>,
    /// Requests that can run at once [default: 32].
    pub slots: Option<u64>,
    /// Requests that can wait; more are rejected [default: 256].
    pub max_waiting: Option<u64>,
    /// KV blocks in total [default: 2048].
    pub total_blocks: Option<u64>,
    /// Tokens that a block holds [default: 16].
    pub block_size: Option<u64>,
    /// Tokens of prompts that one step can take [default: 8192].
    pub token_budget: Option<u64>,
    /// Time of a step, whatever it does.
    pub step_base: Option<Nanos>,
    /// Time for each sequence that decodes in a step.
    pub step_sequence: Option<Nanos>,
    /// Time for each token in the KV-cache of those.
    pub step_kv_token: Option<Nanos>,
    /// Time that prompts add to a step, however long they are.
    pub prefill_base: Option<Nanos>,
    /// Time for each token of them.
    pub prefill_token: Option<Nanos>,
    /// Time for each token of them and token of them: attention is quadratic.
    pub prefill_token_squared: Option<Nanos>,
    /// How many times longer a step takes [default: 1].
    pub slowdown: Option<f64>,
}

/// Times of a step, measured or published for a machine and a model of a size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// One H100 and a model of 8 billion parameters.
    #[default]
    #[serde(rename = "h100-8b")]
    H100Model8b,
    /// A slower estimate for the same model.
    #[serde(rename = "conservative-8b")]
    Conservative8b,
    /// Eight H100 and a model of 70 billion parameters, tensor-parallel.
    #[serde(rename = "h100-70b-tp8")]
    H100Model70b,
}

/// What a worker can do, with everything said. All times are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) slots: u64,
    pub(crate) max_waiting: u64,
    pub(crate) total_blocks: u64,
    pub(crate) block_size: u64,
    pub(crate) token_budget: u64,
    step_base: u64,
    step_sequence: u64,
    step_kv_token: u64,
    prefill_base: u64,
    prefill_token: u64,
    prefill_token_squared: u64,
}

impl WorkerSpec {
    /// Makes sure that it can be simulated.
    ///
    /// # Errors
    /// Names the key, the value and the range.
    pub fn check(&self) -> Result<(), String> {
        self.capacity().map(|_| ())
    }

    /// This one, and from `base` what it does not say.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        Self {
            preset: self.preset.or(base.preset),
            slots: self.slots.or(base.slots),
            max_waiting: self.max_waiting.or(base.max_waiting),
            total_blocks: self.total_blocks.or(base.total_blocks),
            block_size: self.block_size.or(base.block_size),
            token_budget: self.token_budget.or(base.token_budget),
            step_base: self.step_base.or(base.step_base),
            step_sequence: self.step_sequence.or(base.step_sequence),
            step_kv_token: self.step_kv_token.or(base.step_kv_token),
            prefill_base: self.prefill_base.or(base.prefill_base),
            prefill_token: self.prefill_token.or(base.prefill_token),
            prefill_token_squared: self.prefill_token_squared.or(base.prefill_token_squared),
            slowdown: self.slowdown.or(base.slowdown),
        }
    }

    /// # Errors
    /// Says which value cannot be.
    pub(crate) fn capacity(&self) -> Result<Capacity, String> {
        let preset = self.preset.unwrap_or_default();
        let (base, sequence, kv_token) = preset.step();
        let (prefill_base, prefill_token) = preset.prefill();
        let slowdown = self.slowdown.unwrap_or(1.0);
        if !(0.001..=1000.0).contains(&slowdown) {
            return Err(format!(
                "slowdown is {slowdown}; it must lie between 0.001 and 1000"
            ));
        }
        let time = |said: Option<Nanos>, preset: u64| {
            libm::round(said.map_or(preset, |time| time.0) as f64 * slowdown) as u64
        };
        let count = |name: &str, said: Option<u64>, default: u64| match said.unwrap_or(default) {
            number @ 1..=1_000_000_000 => Ok(number),
            number => Err(format!(
                "{name} is {number}; it must lie between 1 and 1000000000"
            )),
        };
        let capacity = Capacity {
            slots: count("slots", self.slots, 32)?,
            max_waiting: count("max_waiting", self.max_waiting, 256)?,
            total_blocks: count("total_blocks", self.total_blocks, 2048)?,
            block_size: count("block_size", self.block_size, 16)?,
            token_budget: count("token_budget", self.token_budget, 8192)?,
            step_base: time(self.step_base, base),
            step_sequence: time(self.step_sequence, sequence),
            step_kv_token: time(self.step_kv_token, kv_token),
            prefill_base: time(self.prefill_base, prefill_base),
            prefill_token: time(self.prefill_token, prefill_token),
            prefill_token_squared: time(self.prefill_token_squared, 0),
        };
        if capacity.step_base == 0 {
            return Err("step_base is 0; a step must take time".to_owned());
        }
        Ok(capacity)
    }
}

impl Preset {
    const fn step(self) -> (u64, u64, u64) {
        match self {
            Self::H100Model8b => (6_000_000, 30_000, 107),
            Self::Conservative8b => (12_000_000, 30_000, 107),
            Self::H100Model70b => (18_000_000, 30_000, 107),
        }
    }

    const fn prefill(self) -> (u64, u64) {
        match self {
            Self::H100Model8b => (10_000_000, 15_000),
            Self::Conservative8b => (30_000_000, 250_000),
            Self::H100Model70b => (60_000_000, 500_000),
        }
    }
}

impl Capacity {
    /// Blocks that so many tokens take.
    pub(crate) fn blocks(&self, tokens: u64) -> u64 {
        tokens.div_ceil(self.block_size)
    }

    /// How long a step takes in which `sequences` decode over `kv_tokens`, and `prefill` tokens of prompts are taken.
    pub(crate) fn step_time(&self, sequences: u64, kv_tokens: u64, prefill: u64) -> u64 {
        let decode = self.steps_time(1, sequences, kv_tokens);
        let prefill = match prefill {
            0 => 0,
            tokens => product(self.prefill_token_squared, product(tokens, tokens))
                .saturating_add(product(self.prefill_token, tokens))
                .saturating_add(self.prefill_base),
        };
        decode.saturating_add(prefill)
    }

    /// How long `steps` steps take in which the same sequences decode and nothing else happens: each adds one token
    /// for each of them, so the times are an arithmetic series.
    pub(crate) fn steps_time(&self, steps: u64, sequences: u64, kv_tokens: u64) -> u64 {
        let first = u128::from(self.step_base)
            + u128::from(self.step_sequence) * u128::from(sequences)
            + u128::from(self.step_kv_token) * u128::from(kv_tokens);
        let increase = u128::from(self.step_kv_token) * u128::from(sequences);
        let steps = u128::from(steps);
        let time = (first.saturating_mul(steps))
            .saturating_add(increase.saturating_mul(steps * steps.saturating_sub(1) / 2));
        u64::try_from(time).unwrap_or(u64::MAX)
    }
}

fn product(a: u64, b: u64) -> u64 {
    a.saturating_mul(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_gives_the_published_times() {
        let capacity = WorkerSpec::default().capacity().expect("the defaults are valid");
        // 6 ms + 30 µs · 10 + 107 ns · 2000
        assert_eq!(capacity.step_time(10, 2000, 0), 6_514_000);
        // ... + 10 ms + 15 µs · 1000
        assert_eq!(capacity.step_time(10, 2000, 1000), 31_514_000);
        let large = WorkerSpec {
            preset: Some(Preset::H100Model70b),
            slowdown: Some(2.0),
            ..WorkerSpec::default()
        };
        assert_eq!(
            large.capacity().expect("valid").step_time(0, 0, 100),
            2 * (18_000_000 + 60_000_000 + 50_000_000)
        );
    }

    #[test]
    fn many_steps_take_as_long_as_each_of_them() {
        let capacity = WorkerSpec::default().capacity().expect("valid");
        let singly: u64 = (0..50).map(|step| capacity.step_time(3, 100 + 3 * step, 0)).sum();
        assert_eq!(capacity.steps_time(50, 3, 100), singly);
        assert_eq!(capacity.steps_time(0, 3, 100), 0);
        assert_eq!(
            capacity.steps_time(u64::MAX, u64::MAX, 1),
            u64::MAX,
            "for ever, and no overflow"
        );
    }

    #[test]
    fn what_a_worker_cannot_be_is_refused_by_name() {
        let check = |spec: WorkerSpec, expected: &str| {
            let error = spec.capacity().expect_err("cannot be");
            assert!(error.contains(expected), "{error}");
        };
        let spec = WorkerSpec::default;
        check(
            WorkerSpec {
                slots: Some(0),
                ..spec()
            },
            "slots is 0",
        );
        check(
            WorkerSpec {
                block_size: Some(0),
                ..spec()
            },
            "block_size is 0",
        );
        check(
            WorkerSpec {
                step_base: Some(Nanos(0)),
                ..spec()
            },
            "step_base is 0",
        );
        check(
            WorkerSpec {
                slowdown: Some(f64::NAN),
                ..spec()
            },
            "slowdown is NaN",
        );
    }
}
