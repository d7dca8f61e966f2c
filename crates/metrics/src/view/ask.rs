//! [`Ask`]: which screen of what, as an address has it.

use std::fmt;

use fleet::Snapshot;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::{HeatKey, Kind, Sort, SortError, pool};

/// Rows of a table that a page has unless it is asked for more.
pub const TOP: usize = 100;

/// A screen, and what of it is shown first.
///
/// ```
/// use metrics::view::{Ask, Kind, Sort};
/// let ask = Ask::read(Kind::Pool, "pool=dynamo%2Fbackend%2Fgenerate&sort=waiting")?;
/// assert_eq!((ask.pool.as_str(), ask.sort), ("dynamo/backend/generate", Sort::Waiting));
/// assert!(Ask::read(Kind::Pool, "sort=colour").is_err());
/// # Ok::<(), metrics::view::AskError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Which screen.
    pub kind: Kind,
    /// The pool; empty where the screen is not about one.
    pub pool: String,
    /// The worker; empty where the screen is not about one.
    pub worker: String,
    /// The order of workers.
    pub sort: Sort,
    /// What a row must have.
    pub filter: String,
    /// What the heat strip shows; `None` for what is known best.
    pub key: Option<HeatKey>,
    /// How many rows are shown; `None` for all.
    pub top: Option<usize>,
}

/// An address that names no screen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// There is no such parameter.
    #[error("there is no parameter {name:?} here; parameters: {known}")]
    Unknown {
        /// The parameter.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A parameter is given twice.
    #[error("{0:?} is given twice")]
    Twice(String),
    /// It is no text.
    #[error("the value of {0:?} is not percent-encoded UTF-8")]
    Encoding(String),
    /// It names no order.
    #[error(transparent)]
    Sort(#[from] SortError),
    /// It names no figure.
    #[error("{0:?} is not a key of the heat strip; the keys are {known}", known = HeatKey::ALL.map(HeatKey::as_str).join(", "))]
    Key(String),
    /// It is no number.
    #[error("{0:?} is not a number of rows, nor `all`")]
    Top(String),
    /// A parameter is needed.
    #[error("the parameter {0:?} is needed")]
    Missing(&'static str),
}

impl Ask {
    /// A screen with nothing else said.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            pool: String::new(),
            worker: String::new(),
            sort: Sort::default(),
            filter: String::new(),
            key: None,
            top: Some(TOP),
        }
    }

    /// Reads the query of `/api/v1/<kind>`.
    ///
    /// # Errors
    /// [`AskError`] names the parameter, and what is valid.
    pub fn read(kind: Kind, query: &str) -> Result<Self, AskError> {
        let ask = Self::of(kind).with(query)?;
        match kind {
            Kind::Pool | Kind::Worker if ask.pool.is_empty() => Err(AskError::Missing("pool")),
            Kind::Worker if ask.worker.is_empty() => Err(AskError::Missing("worker")),
            _ => Ok(ask),
        }
    }

    /// Reads the query of `/`: a pool and a worker make it another screen than the overview.
    ///
    /// # Errors
    /// As [`Ask::read`].
    pub fn read_page(query: &str) -> Result<Self, AskError> {
        let mut ask = Self::of(Kind::Worker).with(query)?;
        ask.kind = match (ask.pool.is_empty(), ask.worker.is_empty()) {
            (true, true) => Kind::Overview,
            (false, true) => Kind::Pool,
            (false, false) => Kind::Worker,
            (true, false) => return Err(AskError::Missing("pool")),
        };
        Ok(ask)
    }

    fn with(mut self, query: &str) -> Result<Self, AskError> {
        let mut seen = Vec::new();
        let known = self.kind.parameters();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let spaced = value.replace('+', " ");
            let value = percent_decode_str(&spaced).decode_utf8();
            let value = value.map_err(|_| AskError::Encoding(name.to_owned()))?;
            if seen.contains(&name) {
                return Err(AskError::Twice(name.to_owned()));
            }
            if !known.contains(&name) {
                return Err(AskError::Unknown {
                    name: name.to_owned(),
                    known: match known {
                        [] => "none".to_owned(),
                        known => known.join(", "),
                    },
                });
            }
            seen.push(name);
            match name {
                "pool" => self.pool = value.into_owned(),
                "worker" => self.worker = value.into_owned(),
                "filter" => self.filter = value.trim().to_owned(),
                "sort" => self.sort = value.parse()?,
                "key" => {
                    let key = HeatKey::ALL.into_iter().find(|key| key.as_str() == value);
                    self.key = Some(key.ok_or_else(|| AskError::Key(value.into_owned()))?);
                }
                _ if value == "all" => self.top = None,
                _ => {
                    let top = value.parse().map_err(|_| AskError::Top(value.into_owned()))?;
                    self.top = Some(top);
                }
            }
        }
        Ok(self)
    }

    /// The same screen without what clients do themselves: all that follow it share a stream. The tables of an overview that
    /// is a page are drawn here.
    #[must_use]
    pub fn subject(&self, is_page: bool) -> Self {
        let plain = Self {
            pool: self.pool.clone(),
            worker: self.worker.clone(),
            ..Self::of(self.kind)
        };
        match (self.kind, is_page) {
            (Kind::Overview, true) => Self {
                filter: self.filter.clone(),
                top: self.top,
                ..plain
            },
            _ => plain,
        }
    }

    /// What is asked for and is not there.
    pub(crate) fn missing(&self, snapshot: &Snapshot) -> Option<String> {
        match self.kind {
            Kind::Overview | Kind::Why | Kind::Collector => None,
            Kind::Pool | Kind::Worker => {
                let Some(pool) = pool::find(&self.pool, snapshot) else {
                    return Some(format!("there is no pool {:?} now", self.pool));
                };
                let is_there = self.kind == Kind::Pool || super::worker::find(pool, &self.worker).is_some();
                (!is_there).then(|| format!("there is no worker {:?} in {} now", self.worker, self.pool))
            }
        }
    }
}

/// What a query may not have as it is.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'\'')
    .add(b'+')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'`');

impl fmt::Display for Ask {
    /// The query that [`Ask::read_page`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut pair = |name: &str, value: &str| {
            let between = std::mem::replace(&mut separator, "&");
            write!(f, "{between}{name}={}", utf8_percent_encode(value, QUERY))
        };
        if !self.pool.is_empty() {
            pair("pool", &self.pool)?;
        }
        if !self.worker.is_empty() {
            pair("worker", &self.worker)?;
        }
        if self.sort != Sort::default() {
            pair("sort", self.sort.as_str())?;
        }
        if !self.filter.is_empty() {
            pair("filter", &self.filter)?;
        }
        if let Some(key) = self.key {
            pair("key", key.as_str())?;
        }
        match self.top {
            Some(TOP) => Ok(()),
            None => pair("top", "all"),
            Some(top) => pair("top", &top.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_it_is_written() {
        let ask = Ask {
            pool: "a/b c/d&e".to_owned(),
            sort: Sort::Waiting,
            filter: "0xff <x>".to_owned(),
            key: Some(HeatKey::Hits),
            top: None,
            ..Ask::of(Kind::Pool)
        };
        let written = ask.to_string();
        assert_eq!(
            written,
            "pool=a/b%20c/d%26e&sort=waiting&filter=0xff%20%3Cx%3E&key=hits&top=all"
        );
        assert_eq!(Ask::read_page(&written), Ok(ask));
        assert_eq!(Ask::read_page(""), Ok(Ask::of(Kind::Overview)));
    }

    #[test]
    fn what_names_no_screen_is_refused_with_what_would() {
        fn check(kind: Kind, query: &str, expected: &str) {
            let error = Ask::read(kind, query).expect_err(query);
            assert_eq!(error.to_string(), expected);
        }
        check(
            Kind::Overview,
            "pool=a",
            "there is no parameter \"pool\" here; parameters: filter, top",
        );
        check(
            Kind::Why,
            "x=1",
            "there is no parameter \"x\" here; parameters: none",
        );
        check(Kind::Pool, "", "the parameter \"pool\" is needed");
        check(Kind::Worker, "pool=a", "the parameter \"worker\" is needed");
        check(Kind::Pool, "pool=a&pool=b", "\"pool\" is given twice");
        check(
            Kind::Pool,
            "pool=%ff",
            "the value of \"pool\" is not percent-encoded UTF-8",
        );
        check(
            Kind::Pool,
            "pool=a&top=many",
            "\"many\" is not a number of rows, nor `all`",
        );
    }
}
