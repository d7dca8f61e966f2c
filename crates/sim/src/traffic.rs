//! What is asked of a pool: when requests come, how long they are, and what they have in common.

use std::sync::Arc;

use serde::Deserialize;

use super::arrivals::Process;
use super::lengths::Lengths;
use super::profile::Profile;
use crate::nanos::Nanos;
use crate::trace::Trace;

/// The requests that come to a pool.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// When they come.
    pub process: Process,
    /// How many a second and worker, on average.
    pub rate: f64,
    /// How the rate changes with time.
    pub profile: Profile,
    /// How much busier or idler than the others a worker may be: its rate is multiplied by 1 ± this.
    pub spread: f64,
    /// How long the prompts are, of conversations what each turn adds.
    pub input: Lengths,
    /// How long the answers are.
    pub output: Lengths,
    /// What prompts have in common.
    pub prefixes: Option<Prefixes>,
    /// How conversations go on.
    pub turns: Option<Turns>,
    /// A recording that is played instead of all that.
    pub replay: Option<Replay>,
}

/// Groups of prompts with a common beginning, e.g. a system prompt.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefixes {
    /// How many groups.
    pub groups: u32,
    /// How much more popular one is than the next: the share of the k-th is proportional to `k^-zipf`.
    #[serde(default = "one")]
    pub zipf: f64,
    /// Tokens that the prompts of a group have in common; shorter prompts belong to no group.
    pub tokens: u64,
    /// The share of prompts that belong to a group.
    #[serde(default = "one")]
    pub share: f64,
}

/// Conversations: the prompt of a turn is all that was said before, and something new.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turns {
    /// How many turns a conversation has on average; their number is geometric.
    pub mean: f64,
    /// How long the user thinks before the next turn, exponential with this mean.
    pub think: Nanos,
}

/// A trace and how it is played.
#[derive(Debug, Clone)]
pub struct Replay {
    /// What is played.
    pub trace: Arc<Trace>,
    /// How many times faster than it was recorded.
    pub speedup: f64,
    /// Whether it begins again when it is over.
    pub repeat: bool,
}

fn one() -> f64 {
    1.0
}

impl Prefixes {
    /// Makes sure that it can be simulated.
    ///
    /// # Errors
    /// Names the key, the value and the range.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self { groups, .. } if !(1..=1_000_000).contains(groups) => {
                Err(format!("groups is {groups}; it must lie between 1 and 1000000"))
            }
            Self { tokens: 0, .. } => Err("tokens must be 1 or more".to_owned()),
            Self { zipf, .. } if !(0.0..=10.0).contains(zipf) => {
                Err(format!("zipf is {zipf}; it must lie between 0 and 10"))
            }
            Self { share, .. } if !(0.0..=1.0).contains(share) => {
                Err(format!("share is {share}; it must lie between 0 and 1"))
            }
            _ => Ok(()),
        }
    }
}

impl Turns {
    /// Makes sure that it can be simulated.
    ///
    /// # Errors
    /// Names the key, the value and the range.
    pub fn check(&self) -> Result<(), String> {
        match (1.0..=1000.0).contains(&self.mean) {
            true => Ok(()),
            false => Err(format!("mean is {}; it must lie between 1 and 1000", self.mean)),
        }
    }
}
