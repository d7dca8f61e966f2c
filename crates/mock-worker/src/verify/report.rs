//! What came of a verification: differences, and how much was compared.

use std::fmt;

use serde::Serialize;

use super::fields::COUNT;
use super::shown::Shown;

/// How many differences are kept; a truth file of another run would fill the memory with them.
const KEPT: usize = 1000;

/// Between what a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The page shows something else than the truth.
    Page,
    /// The page contradicts itself.
    Own,
    /// A worker without a fault sent something else than the truth.
    Sent,
    /// The truth contradicts itself.
    Law,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Between what it is.
    pub kind: Kind,
    /// The id of the worker, where it is about one.
    pub worker: Option<String>,
    /// The field on the wire or the series on the page.
    pub field: String,
    /// What should be: for [`Kind::Page`] and [`Kind::Sent`] the truth.
    pub truth: String,
    /// What is: on the page, or for [`Kind::Sent`] and [`Kind::Law`] in the record.
    pub page: String,
    /// The line of the record, counted from 1.
    pub line: Option<usize>,
    /// The truth file.
    pub file: Option<String>,
}

/// What came of a verification.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What differs, up to a thousand differences.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub more: usize,
    /// The promises that the page breaks, one sentence each.
    pub broken: Vec<String>,
    /// What may explain differences, or what could not be looked at.
    pub hints: Vec<String>,
    /// Workers of the page that were compared; without a truth, that it shows with load.
    pub workers: usize,
    /// Their fields that were compared; without a truth, that the page shows.
    pub fields: usize,
    /// Records of the truth; absent without a truth.
    pub records: Option<usize>,
    /// The virtual time that the page shows, in nanoseconds, where the truth has it.
    pub time_ns: Option<u64>,
    #[serde(skip)]
    file: Option<String>,
}

impl Report {
    pub(super) fn new(file: Option<String>) -> Self {
        Self {
            differences: Vec::new(),
            more: 0,
            broken: Vec::new(),
            hints: Vec::new(),
            workers: 0,
            fields: 0,
            records: None,
            time_ns: None,
            file,
        }
    }

    pub(super) fn add(&mut self, difference: Difference) {
        if self.differences.len() == KEPT {
            self.more += 1;
            return;
        }
        let file = difference.line.and(self.file.clone());
        self.differences.push(Difference { file, ..difference });
    }

    /// Counts what the page shows, where nothing else is compared.
    pub(super) fn count_shown(&mut self, shown: &Shown) {
        let loads = || shown.workers.iter().filter(|worker| worker.has_load());
        self.workers = loads().count();
        self.fields = loads()
            .map(|worker| COUNT - worker.values.iter().filter(|value| value.is_none()).count())
            .sum();
    }

    /// Whether all is as it should be. Where there is a truth and no worker could be compared, it is not.
    pub fn is_good(&self) -> bool {
        self.differences.is_empty() && self.broken.is_empty() && !self.is_empty()
    }

    /// Whether there is a truth and nothing was compared with it.
    pub fn is_empty(&self) -> bool {
        self.records.is_some() && self.workers == 0
    }

    /// A line for each of the first `most` differences and broken promises, and one that counts the others.
    pub fn lines(&self, most: usize) -> impl Iterator<Item = String> {
        let all = self.differences.len() + self.more + self.broken.len();
        let shown = self.broken.len() + self.differences.len();
        let others = all - shown.min(most);
        let more = (others > 0).then(|| format!("and {others} more"));
        self.broken
            .iter()
            .cloned()
            .chain(self.differences.iter().map(ToString::to_string))
            .take(most)
            .chain(more)
    }

    /// How much was compared, and with what result, in one line.
    pub fn summary(&self) -> String {
        if self.is_empty() {
            return "no worker was compared: the page shows none with load that the truth has a reply of"
                .to_owned();
        }
        let with = if self.records.is_some() {
            "compared"
        } else {
            "on the page, compared with no truth"
        };
        let mut results = Vec::new();
        let differences = self.differences.len() + self.more;
        if differences > 0 {
            results.push(counted(differences, "difference"));
        }
        if !self.broken.is_empty() {
            results.push(counted(self.broken.len(), "broken promise"));
        }
        let result = match (results.is_empty(), self.records) {
            (true, Some(_)) => "all equal".to_owned(),
            (true, None) => "all consistent".to_owned(),
            (false, _) => results.join(", "),
        };
        format!(
            "{}, {} {with}: {result}",
            counted(self.workers, "worker"),
            counted(self.fields, "field")
        )
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field, truth, page, ..
        } = self;
        if let Some(worker) = &self.worker {
            write!(f, "worker {worker}: ")?;
        }
        match self.kind {
            Kind::Page => write!(f, "{field} is {page} on the page, {truth} in the truth"),
            Kind::Own => write!(f, "{field} is {page} on the page, it should be {truth}"),
            Kind::Sent => write!(f, "{field} is {page} as sent, {truth} in the truth"),
            Kind::Law => write!(f, "{field} is {page} in the truth, it should be {truth}"),
        }?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({file} line {line})"),
            (None, Some(line)) => write!(f, " (line {line})"),
            (_, None) => Ok(()),
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
