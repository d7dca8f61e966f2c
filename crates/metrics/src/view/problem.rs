//! [`Problem`]: something that an operator should look at, with what to do.

mod collector;
mod pools;

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

/// Problems that are listed. Of more, the last one says how many there are.
const MAX: usize = 100;

/// Workers of a pool that a sentence names.
const NAMED: usize = 3;

/// All problems of a moment, the gravest first.
pub(super) fn all(moment: &Moment<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    collector::find(moment, &mut problems);
    for pool in &moment.published.snapshot.pools {
        pools::find(pool, moment, &mut problems);
    }
    // Problems of equal severity stay in the order of the pools.
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    let left_out = problems.len().saturating_sub(MAX);
    if left_out > 0 {
        problems.truncate(MAX);
        problems.push(Problem {
            severity: Severity::Note,
            subject: Subject::Collector,
            text: format!("{left_out} more problems are not listed"),
            remedy: "fix those above first, or look at each pool".to_owned(),
            command: None,
        });
    }
    problems
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
