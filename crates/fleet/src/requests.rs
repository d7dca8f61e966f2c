//! [`RequestBooks`]: what frontends report of requests, for one pool or for all frontends together.

use std::str::FromStr;

use protocol::events::RequestTrace;

use crate::histogram::{Bounds, Histogram};

/// What is measured of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Time to the first token, in seconds.
    Ttft,
    /// Mean time between two tokens of the request, in seconds.
    Itl,
    /// Time from its arrival to its end, in seconds.
    Duration,
    /// Time from its arrival to the start of its prefill, in seconds.
    PrefillWait,
    /// Time from the start of its prefill to the first token, in seconds.
    Prefill,
    /// Estimate of the transfer of KV blocks, in seconds.
    KvTransfer,
    /// Tokens of the prompt.
    InputTokens,
    /// Tokens that were generated.
    OutputTokens,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ttft,
        Self::Itl,
        Self::Duration,
        Self::PrefillWait,
        Self::Prefill,
        Self::KvTransfer,
        Self::InputTokens,
        Self::OutputTokens,
    ];

    /// Its name in flags.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Itl => "itl",
            Self::Duration => "duration",
            Self::PrefillWait => "prefill_wait",
            Self::Prefill => "prefill",
            Self::KvTransfer => "kv_transfer",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
        }
    }

    const fn default_buckets(self) -> &'static [f64] {
        match self {
            Self::Ttft | Self::PrefillWait | Self::Prefill => &[
                0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
                20.0, 40.0, 80.0,
            ],
            Self::Itl => &[
                0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5,
                1.0,
            ],
            Self::Duration => &[
                0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 120.0,
                300.0, 600.0,
            ],
            Self::KvTransfer => &[
                0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
            ],
            Self::InputTokens | Self::OutputTokens => &[
                1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0,
                20_000.0, 50_000.0, 100_000.0,
            ],
        }
    }

    fn of(self, trace: &RequestTrace) -> Option<f64> {
        match self {
            Self::Ttft => trace.ttft,
            Self::Itl => trace.avg_itl,
            Self::Duration => trace.total,
            Self::PrefillWait => trace.prefill_wait,
            Self::Prefill => trace.prefill,
            Self::KvTransfer => trace.kv_transfer,
            Self::InputTokens => trace.input_tokens.map(|tokens| tokens as f64),
            Self::OutputTokens => trace.output_tokens.map(|tokens| tokens as f64),
        }
    }

    /// Whether the prefill worker's pool is measured; else it is the decode worker's.
    const fn is_of_prefill(self) -> bool {
        matches!(self, Self::PrefillWait | Self::Prefill | Self::InputTokens)
    }
}

/// The buckets of each [`Measure`].
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets([Bounds; Measure::ALL.len()]);

impl Default for Buckets {
    fn default() -> Self {
        Self(Measure::ALL.map(|measure| measure.default_buckets().into()))
    }
}

impl Buckets {
    /// Sets the upper bounds of one measure's buckets.
    pub fn set(&mut self, MeasureBuckets { measure, bounds }: MeasureBuckets) {
        self.0[measure as usize] = bounds.into();
    }
}

/// The upper bounds of one measure's buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasureBuckets {
    measure: Measure,
    bounds: Vec<f64>,
}

/// Buckets that one histogram has at most.
const MAX_BUCKETS: usize = 100;

impl FromStr for MeasureBuckets {
    type Err = String;

    /// Reads e.g. `ttft=0.1,0.5,1`.
    ///
    /// # Errors
    /// A text that names what is wrong.
    ///
    /// ```
    /// use fleet::MeasureBuckets;
    /// assert!("ttft=0.1,0.5,1".parse::<MeasureBuckets>().is_ok());
    /// assert!("ttft=0.5,0.1".parse::<MeasureBuckets>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, bounds) = text.split_once('=').unwrap_or((text, ""));
        let measure = Measure::ALL
            .into_iter()
            .find(|measure| measure.as_str() == name.trim());
        let measure = measure.ok_or_else(|| {
            let names = Measure::ALL.map(Measure::as_str).join(", ");
            format!("{name:?} is not a measure; write e.g. ttft=0.1,0.5,1 with one of {names}")
        })?;
        let bounds: Option<Vec<f64>> = bounds.split(',').map(|bound| bound.trim().parse().ok()).collect();
        let is_usable = |bounds: &Vec<f64>| {
            bounds.len() <= MAX_BUCKETS
                && bounds.iter().all(|bound| bound.is_finite())
                && bounds.is_sorted_by(|a, b| a < b)
        };
        let bounds = bounds.filter(is_usable).ok_or_else(|| {
            format!("the bounds of {name} are not at most {MAX_BUCKETS} ascending numbers; write e.g. ttft=0.1,0.5,1")
        })?;
        Ok(Self { measure, bounds })
    }
}

/// What a worker did for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// All of it.
    Aggregated,
    /// The prompt.
    Prefill,
    /// The tokens after the first.
    Decode,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aggregated, Self::Prefill, Self::Decode];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aggregated => "aggregated",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

/// Requests, measured and counted.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestBooks {
    /// Time to the first token, by [`Role`].
    pub ttft: [Histogram; Role::ALL.len()],
    /// Every other measure; that of [`Measure::Ttft`] stays empty.
    pub measures: [Histogram; Measure::ALL.len()],
    /// Tokens of prompts that prefix caches had.
    pub cached_tokens: u64,
    /// Requests in the router's queue, as the last record has it.
    pub queue_depth: Option<u64>,
}

impl RequestBooks {
    /// Empty books.
    pub fn new(buckets: &Buckets) -> Self {
        let empty = |measure: Measure| Histogram::new(buckets.0[measure as usize].clone());
        Self {
            ttft: Role::ALL.map(|_| empty(Measure::Ttft)),
            measures: Measure::ALL.map(empty),
            cached_tokens: 0,
            queue_depth: None,
        }
    }

    /// Counts by other buckets. A histogram whose bounds change begins anew, as after a restart; the others go on.
    pub(crate) fn set_buckets(&mut self, buckets: &Buckets) {
        let set = |histogram: &mut Histogram, measure: Measure| {
            let bounds = &buckets.0[measure as usize];
            if histogram.bounds != *bounds {
                *histogram = Histogram::new(bounds.clone());
            }
        };
        for histogram in &mut self.ttft {
            set(histogram, Measure::Ttft);
        }
        for (histogram, measure) in self.measures.iter_mut().zip(Measure::ALL) {
            set(histogram, measure);
        }
    }

    /// Enters what concerns a worker of this role.
    pub(crate) fn enter(&mut self, trace: &RequestTrace, role: Role) {
        if let Some(ttft) = trace.ttft {
            self.ttft[role as usize].observe(ttft);
        }
        for measure in Measure::ALL {
            let concerns = match role {
                Role::Aggregated => true,
                Role::Prefill => measure.is_of_prefill(),
                Role::Decode => !measure.is_of_prefill(),
            };
            if concerns
                && measure != Measure::Ttft
                && let Some(value) = measure.of(trace)
            {
                self.measures[measure as usize].observe(value);
            }
        }
        if role != Role::Decode {
            let cached = trace.cached_tokens.unwrap_or(0);
            self.cached_tokens = self.cached_tokens.saturating_add(cached);
        }
        if role != Role::Prefill && trace.queue_depth.is_some() {
            self.queue_depth = trace.queue_depth;
        }
    }
}

/// What all frontends together report.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontends {
    /// Every request.
    pub books: RequestBooks,
    /// Requests that are counted for the pools of their workers.
    pub joined: u64,
    /// Requests that are not, because no worker of a watched pool has the id that they name, or they name none.
    pub unjoined: u64,
    /// Records by what became of them.
    pub records: Records,
}

/// Records by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Records {
    /// Requests that were taken in.
    pub ok: u64,
    /// Of these, not all fields could be used.
    pub out_of_range: u64,
    /// Records that cannot be read.
    pub malformed: u64,
    /// Records that are not about the end of a request. They may hold prompts, and are dropped unread.
    pub ignored: u64,
    /// Records that were not read, because more came than any fleet sends.
    pub over_limit: u64,
}

impl Records {
    pub(crate) fn add(&mut self, more: &Self) {
        self.ok += more.ok;
        self.out_of_range += more.out_of_range;
        self.malformed += more.malformed;
        self.ignored += more.ignored;
        self.over_limit += more.over_limit;
    }
}

impl Frontends {
    pub(crate) fn new(buckets: &Buckets) -> Self {
        Self {
            books: RequestBooks::new(buckets),
            joined: 0,
            unjoined: 0,
            records: Records::default(),
        }
    }
}
