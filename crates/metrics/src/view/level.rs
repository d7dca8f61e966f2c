//! [`Level`] and [`Severity`]: how good or bad a figure is, and how urgent a problem.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The share of a target from which a figure is a warning.
const WARN: f64 = 0.8;

/// A worker that started less than this many seconds ago is new.
pub(super) const NEW_SECONDS: f64 = 60.0;

/// How a figure compares with the target that the operator configured for its pool, or why it cannot be compared.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// There is no figure, or no target.
    #[default]
    None,
    /// Below 0.8 of the target.
    Ok,
    /// The worker is younger than 60 s, and its figures are below 0.8 of their targets.
    New,
    /// From 0.8 of the target.
    Warn,
    /// From the target.
    Bad,
    /// The worker is stale or late, so its figures are not known now.
    Stale,
}

/// How urgent a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Something is degraded.
    Warning,
    /// Something is down, or the figures cannot be trusted.
    Critical,
}

/// A figure and how it compares with its target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// How it compares with its target.
    pub level: Level,
}

impl Level {
    /// The level of a share of a target: `1.0` is the target.
    pub fn of(share: f64) -> Self {
        // What a person calls 80 % of a target is not less for the way in which it is computed.
        match (share * 1e9).round() / 1e9 {
            share if share >= 1.0 => Self::Bad,
            share if share >= WARN => Self::Warn,
            _ => Self::Ok,
        }
    }

    /// The word that JSON has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ok => "ok",
            Self::New => "new",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Stale => "stale",
        }
    }

    /// What it means, in a word or two, for those who do not see its colour.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::None => "no target",
            Self::Ok => "below 80 % of the target",
            Self::New => "started less than 60 s ago",
            Self::Warn => "80 % of the target or more",
            Self::Bad => "at the target or above",
            Self::Stale => "silent",
        }
    }
}

impl Severity {
    /// The word that JSON has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Figure {
    /// A figure with this target.
    pub(super) fn new(value: f64, target: f64) -> Self {
        let share = if target > 0.0 { value / target } else { 0.0 };
        Self {
            value: super::rounded(value),
            level: Level::of(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_shares_of_the_target() {
        let levels = [0.0, 0.63, 0.64, 0.79, 0.8, 1.0].map(|kv| Figure::new(kv, 0.8).level);
        use Level::{Bad, Ok, Warn};
        assert_eq!(levels, [Ok, Ok, Warn, Warn, Bad, Bad]);
    }
}
