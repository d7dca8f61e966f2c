//! [`Plan`]: what to watch and by which rules. Two plans can be compared, and a running core takes a new one.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use protocol::{EndpointPath, PathError, SubjectPattern};

use crate::mapping::Mapping;
use crate::requests::Buckets;
use crate::{MetadataLabel, NameGlob, PathGlob, PoolName, Selector};

/// What the state machine works by.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to watch.
    pub selectors: Vec<Selector>,
    /// In which form exact paths were asked for, where it is not the default. Advice is written in the same form.
    pub forms: BTreeMap<EndpointPath, Form>,
    /// Where services were asked for by name.
    pub services_given: Given,
    /// What not to watch, whatever selects it.
    pub excludes: Vec<PathGlob>,
    /// Plain services not to watch, whatever selects them.
    pub excluded_services: Vec<NameGlob>,
    /// Metadata of instances that is shown.
    pub metadata: Vec<MetadataLabel>,
    /// Subject formats of the user's own.
    pub patterns: Vec<SubjectPattern>,
    /// What workers do not report themselves; of several for one pool, the first.
    pub capacities: Vec<Capacity>,
    /// Labels that an operator gives to pools; of several for one pool, the first.
    pub labels: Vec<Labelled>,
    /// Numbers in the data of workers and services that become metrics.
    pub mappings: Vec<Arc<Mapping>>,
    /// Subjects on which frontends publish a record for each request.
    pub request_traces: Vec<String>,
    /// How requests are counted. Where a new plan has other bounds, their histograms begin anew.
    pub buckets: Buckets,
    /// The rules.
    pub settings: Settings,
}

/// How a path was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// By `namespace`, `component` and `endpoint`.
    Names(Given),
    /// By `target`.
    Target(Given),
    /// As the argument of a command.
    Argument,
}

impl Default for Form {
    fn default() -> Self {
        Self::Target(Given::Flag)
    }
}

/// Where something was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Given {
    /// By a flag.
    #[default]
    Flag,
    /// By an environment variable.
    Variable,
    /// By a key of the configuration file.
    Key,
    /// By a table of the configuration file, `[[target]]`.
    Table,
}

/// How much the workers of some pools can hold, as their operator knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Which pools.
    pub pools: PathGlob,
    /// Requests that each worker can run at once.
    pub slots: Option<u64>,
    /// KV-cache blocks that each worker has.
    pub kv_blocks: Option<u64>,
}

/// Labels that an operator gives to what a selector selects.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// Which pools.
    pub pools: Selector,
    /// Name and value of each.
    pub labels: Arc<[(String, String)]>,
}

/// Why a text is no [`Capacity`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CapacityError {
    /// The part before the colon is no path.
    Path(PathError),
    /// The rest is not what can be set.
    Form(String),
}

impl FromStr for Capacity {
    type Err = CapacityError;

    /// Reads e.g. `dynamo/*/generate:slots=256,kv_blocks=8192`.
    ///
    /// # Errors
    /// [`CapacityError`] names the part that is wrong.
    ///
    /// ```
    /// use fleet::Capacity;
    /// let capacity: Capacity = "dynamo/*/generate:slots=256,kv_blocks=8192".parse()?;
    /// assert_eq!((capacity.slots, capacity.kv_blocks), (Some(256), Some(8192)));
    /// assert!("dynamo/*/generate".parse::<Capacity>().is_err());
    /// # Ok::<(), fleet::CapacityError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, CapacityError> {
        let form = |wrong: &str| {
            let example = "write e.g. 'dynamo/*/generate:slots=256,kv_blocks=8192'";
            CapacityError::Form(format!("{wrong}; {example}"))
        };
        let (path, values) = text
            .rsplit_once(':')
            .filter(|(_, values)| values.contains('='))
            .ok_or_else(|| form("nothing is set"))?;
        let mut capacity = Self {
            pools: path.parse().map_err(CapacityError::Path)?,
            slots: None,
            kv_blocks: None,
        };
        for value in values.split(',') {
            let (name, number) = value.split_once('=').unwrap_or((value, ""));
            let number: u64 = number
                .trim()
                .parse()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| {
                    form(&format!(
                        "{value:?} is not NAME=NUMBER with a whole number above 0"
                    ))
                })?;
            let known = match name.trim() {
                "slots" => &mut capacity.slots,
                "kv_blocks" => &mut capacity.kv_blocks,
                other => return Err(form(&format!("{other:?} is neither slots nor kv_blocks"))),
            };
            if known.replace(number).is_some() {
                return Err(form(&format!("{name:?} is set twice")));
            }
        }
        Ok(capacity)
    }
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(error) => error.fmt(f),
            Self::Form(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for CapacityError {}

impl Plan {
    pub(crate) fn labels_of(&self, name: &PoolName) -> Arc<[(String, String)]> {
        let known = self.labels.iter().find(|known| known.pools.selects(name));
        known.map_or_else(Arc::default, |known| known.labels.clone())
    }

    /// A plan that watches this, by the default rules.
    pub fn watching(selectors: Vec<Selector>) -> Self {
        Self {
            selectors,
            forms: BTreeMap::new(),
            services_given: Given::Flag,
            excludes: Vec::new(),
            excluded_services: Vec::new(),
            metadata: Vec::new(),
            patterns: Vec::new(),
            capacities: Vec::new(),
            labels: Vec::new(),
            mappings: Vec::new(),
            request_traces: vec![protocol::subject::REQUEST_TRACE.to_owned()],
            buckets: Buckets::default(),
            settings: Settings::default(),
        }
    }

    /// In which form this path was asked for.
    pub fn form_of(&self, path: &EndpointPath) -> Form {
        self.forms.get(path).copied().unwrap_or_default()
    }
}

/// Times and limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Time between the starts of two rounds.
    pub poll_interval: Duration,
    /// The longest that a round lasts; at most the interval.
    pub round_timeout: Duration,
    /// How long no reply may come before a round ends without the missing workers.
    pub stall: Duration,
    /// Whether a round that few instances answer asks again, to see whether they hide others. It is for looks, which have one
    /// round; in several, another instance has its turn.
    pub asks_again: bool,
    /// Missed rounds after which a worker is stale.
    pub stale_after: u32,
    /// Missed rounds after which a worker is gone.
    pub gone_after: u32,
    /// Waiting requests at which a worker counts as saturated.
    pub queue_target: f64,
    /// KV use at which a worker counts as saturated.
    pub kv_target: f64,
    /// Age at which load that was reported by an event is no longer current.
    pub event_max_age: Duration,
    /// Silence after which a worker that reports its forward passes, and so sends a heartbeat, is gone.
    pub event_gone_after: Duration,
    /// Silence after which any other worker that is known by its events alone is gone.
    pub event_idle_gone_after: Duration,
    /// Which opt-in topics are listened to.
    pub topics: OptInTopics,
}

/// Topics with many messages, which are listened to where they are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OptInTopics {
    /// `kv-events`: blocks that caches store and remove.
    pub kv_events: bool,
    /// `active_sequences_events`: requests that routers assign.
    pub active_sequences: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_secs(2),
            round_timeout: Duration::from_secs(2),
            stall: Duration::from_millis(250),
            asks_again: false,
            stale_after: 2,
            gone_after: 5,
            queue_target: 5.0,
            kv_target: 0.8,
            event_max_age: Duration::from_secs(60),
            event_gone_after: Duration::from_secs(10),
            event_idle_gone_after: Duration::from_secs(600),
            topics: OptInTopics::default(),
        }
    }
}

/// A worker's reply may come this much later than expected before its age alone makes it stale.
const AGE_SLACK: Duration = Duration::from_millis(250);

/// Below this age no worker is stale for its age alone: a machine under load may stop the collector for so long.
const MIN_AGE: Duration = Duration::from_secs(1);

impl Settings {
    /// The age above which a worker is stale, however many rounds there were. It is long enough for a worker that answers
    /// every round at any time before its deadline.
    pub fn fresh_for(&self) -> Duration {
        let by_rounds = self.poll_interval * self.stale_after;
        let by_deadline = self.poll_interval + self.round_timeout;
        by_rounds.max(by_deadline).max(MIN_AGE) + AGE_SLACK
    }
}
