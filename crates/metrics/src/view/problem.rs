//! [`Problem`]: something that an operator should look at, with what to do.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, Severity};

/// Something that an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// How urgent it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// What is wrong, as a sentence without a full stop. Text from outside in it is not escaped.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
    /// A command to copy, if one helps.
    pub command: Option<String>,
}

/// What a problem is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Subject {
    /// The connection or the rounds: everything.
    Collector,
    /// A pool or an endpoint of a plain service.
    Pool {
        /// Its name.
        pool: String,
    },
    /// A worker or an instance.
    Worker {
        /// Its pool.
        pool: String,
        /// Its id.
        worker: String,
    },
}

/// All problems of a moment, the gravest first.
pub(super) fn all(_moment: &Moment<'_>) -> Vec<Problem> {
    Vec::new()
}

/// The gravest problem of each pool.
pub(super) fn by_pool(problems: &[Problem]) -> HashMap<&str, Severity> {
    let mut severities = HashMap::new();
    for problem in problems {
        let pool = match &problem.subject {
            Subject::Collector => continue,
            Subject::Pool { pool } | Subject::Worker { pool, .. } => pool.as_str(),
        };
        let known = severities.entry(pool).or_insert(problem.severity);
        *known = (*known).max(problem.severity);
    }
    severities
}
