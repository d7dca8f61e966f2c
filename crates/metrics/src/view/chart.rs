//! [`Chart`] and [`Spark`]: what the last 15 minutes looked like.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HeatKey;

/// A line of the last 15 minutes, small enough for a cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spark {
    /// What it shows.
    pub key: HeatKey,
    /// Evenly spaced values, the oldest first; `null` where nothing is known. Empty without a history.
    pub values: Vec<Option<f64>>,
}

/// A line of the last 15 minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chart {
    /// What it shows.
    pub key: HeatKey,
    /// When the last value is from, in Unix seconds.
    pub end_seconds: f64,
    /// Time from one value to the next.
    pub step_seconds: f64,
    /// Evenly spaced values, the oldest first; `null` where nothing is known.
    pub values: Vec<Option<f64>>,
    /// The configured target, if there is one.
    pub target: Option<f64>,
}
