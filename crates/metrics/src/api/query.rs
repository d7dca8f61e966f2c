//! [`Query`]: which of a snapshot's members an answer has.

use fleet::{PoolName, WorkerState};
use percent_encoding::percent_decode_str;

/// Filters of an answer.
///
/// ```
/// use metrics::api::Query;
/// let query: Query = "pool=dynamo%2Fbackend%2Fgenerate&state=fresh&limit=100".parse()?;
/// assert!("colour=red".parse::<Query>().is_err());
/// # Ok::<(), metrics::api::QueryError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Query {
    pool: Option<String>,
    state: Option<WorkerState>,
    offset: usize,
    limit: Option<usize>,
}

/// A query that cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is no such parameter.
    #[error("there is no parameter {0:?}; the parameters are pool, state, offset and limit")]
    Unknown(String),
    /// A parameter is given twice.
    #[error("{0:?} is given twice")]
    Twice(String),
    /// It is no text.
    #[error("the value of {0:?} is not percent-encoded UTF-8")]
    Encoding(String),
    /// There is no such state.
    #[error("{0:?} is not a state; the states are fresh, stale and late")]
    State(String),
    /// It is no number.
    #[error("{value:?} is not a number from 0; {name} counts workers")]
    Number {
        /// The parameter.
        name: String,
        /// Its value.
        value: String,
    },
}

impl Query {
    /// Whether an answer has this pool or service.
    pub(super) fn selects_pool(&self, name: &PoolName) -> bool {
        let Some(wanted) = &self.pool else {
            return true;
        };
        match name {
            PoolName::Service { service, .. } if **service == **wanted => true,
            name => name.to_string() == *wanted,
        }
    }

    /// Whether an answer has members in this state.
    pub(super) fn selects_state(&self, state: WorkerState) -> bool {
        self.state.is_none_or(|wanted| wanted == state)
    }

    /// The part of all members that an answer has.
    pub(super) fn part<T>(&self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        all.skip(self.offset).take(self.limit.unwrap_or(usize::MAX))
    }
}

impl std::str::FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let mut query = Self::default();
        let mut seen = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value).ok_or_else(|| QueryError::Encoding(name.to_owned()))?;
            if seen.contains(&name) {
                return Err(QueryError::Twice(name.to_owned()));
            }
            seen.push(name);
            match name {
                "pool" => query.pool = Some(value),
                "state" => {
                    let state = WorkerState::ALL.iter().find(|state| state.as_str() == value);
                    query.state = Some(*state.ok_or(QueryError::State(value))?);
                }
                "offset" => query.offset = number(name, value)?,
                "limit" => query.limit = Some(number(name, value)?),
                _ => return Err(QueryError::Unknown(name.to_owned())),
            }
        }
        Ok(query)
    }
}

/// A value of a form: `+` is a space.
fn decoded(value: &str) -> Option<String> {
    let spaced = value.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

fn number(name: &str, value: String) -> Result<usize, QueryError> {
    value.parse().map_err(|_| QueryError::Number {
        name: name.to_owned(),
        value,
    })
}
