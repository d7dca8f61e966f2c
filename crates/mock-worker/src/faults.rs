//! Faults on purpose: what goes wrong, with whom, and when.
//!
//! A fault is a row of a scenario (`[[fault]]`) or comes by control while the workers run. Most concern only what a
//! worker says of itself, or whether it says anything: its engine goes on as if nothing were wrong. Those under
//! [`Kind::is_lifecycle`] are done to the engine.

mod schedule;

use serde::{Deserialize, Serialize};
use sim::nanos::Nanos;

pub use schedule::{Select, Window};

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// With which workers [default: all].
    #[serde(default)]
    pub select: Select,
    /// When it begins the first time [default: at the start].
    #[serde(default)]
    pub at: Nanos,
    /// How long it lasts each time [default: indefinitely].
    #[serde(default, rename = "for")]
    pub length: Option<Nanos>,
    /// The time from one beginning to the next [default: it comes once].
    #[serde(default)]
    pub every: Option<Nanos>,
    /// How often it comes, where it comes again [default: without end].
    #[serde(default)]
    pub count: Option<u64>,
    /// While it lasts, the share of seconds in which it strikes a worker [default: all].
    #[serde(default)]
    pub probability: Option<f64>,
    /// How much later it begins with each further worker, so that they take turns [default: not].
    #[serde(default)]
    pub stagger: Nanos,
    /// `late`: by how much [default: 3s].
    #[serde(default)]
    pub delay: Option<Nanos>,
    /// `storm`, `burst`: how many times [default: 10].
    #[serde(default)]
    pub copies: Option<u32>,
    /// `huge`: size of the reply [default: 900000].
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Faults of the encoding: which field [default: kv_active_blocks].
    #[serde(default)]
    pub field: Option<Field>,
    /// `crash`: whether the worker comes back with another id [default: false].
    #[serde(default)]
    pub new_id: Option<bool>,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $name:literal,)*) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $($(#[doc = $doc])* #[serde(rename = $name)] $kind,)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The name in scenarios and in the truth.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// What it does, in a line.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($doc),*),)*
                }
            }
        }
    };
}

kinds! {
    /// The worker does not answer, and goes on working.
    Silent = "silent",
    /// Its replies come later, by `delay`.
    Late = "late",
    /// Its replies are lost, each with the `probability`.
    Drop = "drop",
    /// It reports the load that it had when the fault began.
    Freeze = "freeze",
    /// It does not answer now and then: `silent` with `every`.
    Flap = "flap",
    /// Its process dies with all it was doing, and comes back after `for`.
    Crash = "crash",
    /// The NATS connection it shares with others is closed.
    Disconnect = "disconnect",
    /// It sends each reply `copies` times more.
    Storm = "storm",
    /// Its replies have `bytes`.
    Huge = "huge",
    /// It is not there yet, and joins when the fault ends.
    Absent = "absent",
    /// It takes no more requests, finishes those it has, and leaves; after `for` it is back.
    Drain = "drain",
    /// Its prefix cache is emptied.
    FlushCache = "flush_cache",
    /// Its replies end in the middle.
    Truncated = "truncated",
    /// Its replies are random bytes.
    Garbage = "garbage",
    /// Its replies are empty.
    Empty = "empty",
    /// A field is the literal `NaN`, which is not JSON.
    Nan = "nan",
    /// A field is `null`.
    Null = "null",
    /// A whole number is written with a fraction, such as `3.0`.
    Float = "float",
    /// A field is negative.
    Negative = "negative",
    /// A field is 2 to the 64th.
    Overflow = "overflow",
    /// A field is missing.
    Missing = "missing",
    /// A field occurs twice, with two values.
    Duplicate = "duplicate",
    /// A field is `1e39`, which is infinite as a float of 32 bits.
    BeyondF32 = "1e39",
    /// A field is `1e400`, which is infinite as any float.
    BeyondF64 = "1e400",
    /// More slots and blocks are in use than there are.
    ActiveAboveTotal = "active_above_total",
    /// There are no slots and no blocks.
    ZeroTotal = "zero_total",
    /// The KV use is 1.5.
    UsageAboveOne = "usage_above_one",
    /// The KV use is reported in percent.
    UsagePercent = "usage_percent",
    /// Everything is zero.
    AllZeros = "all_zeros",
    /// Everything is drawn at random each second, as upstream's mock worker did.
    Random = "random",
    /// Its subject has the id of the fleet's first worker.
    DuplicateId = "duplicate_id",
    /// Its subject has no `-` before the id.
    NoDash = "no_dash",
    /// Its id is no hexadecimal number.
    NonHex = "non_hex",
    /// Its id is `ffffffffffffffff`, which is -1 to those who read it as signed.
    MaxId = "max_id",
    /// Its endpoint begins with the name of the real one and goes on.
    PrefixTwin = "prefix_twin",
    /// Its service is another component's.
    OtherComponent = "other_component",
    /// Hit-rate events come from an unknown worker.
    UnknownWorker = "unknown_worker",
    /// Hit-rate events find more blocks than were looked up.
    OverlapAboveIsl = "overlap_above_isl",
    /// Hit-rate events look up nothing.
    ZeroIsl = "zero_isl",
    /// Each hit-rate event comes `copies` times more.
    Burst = "burst",
    /// Each hit-rate event is followed by the one before it, again.
    Replay = "replay",
}

/// A field of the statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Requests that run.
    RequestActiveSlots,
    /// The most that can run.
    RequestTotalSlots,
    /// Requests that wait.
    NumRequestsWaiting,
    /// Blocks in use.
    #[default]
    KvActiveBlocks,
    /// Blocks in total.
    KvTotalBlocks,
    /// KV use.
    GpuCacheUsagePerc,
    /// Prefix cache hit rate.
    GpuPrefixCacheHitRate,
}

impl Field {
    /// All fields.
    pub const ALL: [Self; 7] = [
        Self::RequestActiveSlots,
        Self::RequestTotalSlots,
        Self::NumRequestsWaiting,
        Self::KvActiveBlocks,
        Self::KvTotalBlocks,
        Self::GpuCacheUsagePerc,
        Self::GpuPrefixCacheHitRate,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestActiveSlots => "request_active_slots",
            Self::RequestTotalSlots => "request_total_slots",
            Self::NumRequestsWaiting => "num_requests_waiting",
            Self::KvActiveBlocks => "kv_active_blocks",
            Self::KvTotalBlocks => "kv_total_blocks",
            Self::GpuCacheUsagePerc => "gpu_cache_usage_perc",
            Self::GpuPrefixCacheHitRate => "gpu_prefix_cache_hit_rate",
        }
    }
}

impl Kind {
    /// Whether it is done to the worker's engine, and not only to what it says.
    pub const fn is_lifecycle(self) -> bool {
        matches!(self, Self::Crash | Self::Absent | Self::Drain | Self::FlushCache)
    }

    /// Whether its beginning or end is an event of its own.
    pub(crate) const fn has_moments(self) -> bool {
        self.is_lifecycle() || matches!(self, Self::Freeze | Self::Disconnect)
    }

    /// Whether it spoils one field's text.
    pub(crate) const fn spoils_field(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Nan | Null | Float | Negative | Overflow | Missing | Duplicate | BeyondF32 | BeyondF64
        )
    }

    /// Whether it is about hit-rate events alone.
    pub(crate) const fn is_about_events(self) -> bool {
        use Kind::*;
        matches!(self, UnknownWorker | OverlapAboveIsl | ZeroIsl | Burst | Replay)
    }
}

impl Fault {
    /// A fault of this kind with everything else by default.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            select: Select::default(),
            at: Nanos(0),
            length: None,
            every: None,
            count: None,
            probability: None,
            stagger: Nanos(0),
            delay: None,
            copies: None,
            bytes: None,
            field: None,
            new_id: None,
        }
    }

    /// # Errors
    /// Says which part cannot be, or does not belong to this kind.
    pub fn check(&self) -> Result<(), String> {
        let kind = self.kind;
        let only = |said: bool, name: &str, allowed: bool| match said && !allowed {
            true => Err(format!(
                "{name} does not belong to a fault of kind {:?}",
                kind.as_str()
            )),
            false => Ok(()),
        };
        only(self.delay.is_some(), "delay", kind == Kind::Late)?;
        only(
            self.copies.is_some(),
            "copies",
            matches!(kind, Kind::Storm | Kind::Burst),
        )?;
        only(self.bytes.is_some(), "bytes", kind == Kind::Huge)?;
        only(self.field.is_some(), "field", kind.spoils_field())?;
        only(self.new_id.is_some(), "new_id", kind == Kind::Crash)?;
        only(self.probability.is_some(), "probability", !kind.has_moments())?;
        if let Some(probability) = self.probability
            && !(0.0..=1.0).contains(&probability)
        {
            return Err(format!(
                "probability is {probability}; it must lie between 0 and 1"
            ));
        }
        if kind == Kind::Flap && self.every.is_none() {
            return Err(
                "a fault of kind \"flap\" needs every, the time from one silence to the next".to_owned(),
            );
        }
        if self.copies.is_some_and(|copies| copies > 10_000) {
            return Err("copies is above 10000".to_owned());
        }
        if self.bytes.is_some_and(|bytes| bytes > 64 << 20) {
            return Err("bytes is above 64 MiB".to_owned());
        }
        match (self.every, self.length) {
            (None, _) if self.count.is_some() => {
                Err("count says how often it comes; it needs every".to_owned())
            }
            (Some(Nanos(0)), _) => Err("every must be longer than 0".to_owned()),
            (Some(_), None) if kind != Kind::FlushCache => {
                Err("a fault that comes again must end: it needs for".to_owned())
            }
            (Some(every), Some(length)) if length > every => {
                Err(format!("it lasts {length}, longer than every {every} it comes"))
            }
            _ => self.select.check(),
        }
    }

    /// By how much a late reply is late.
    pub(crate) fn delay(&self) -> Nanos {
        self.delay.unwrap_or(Nanos(3_000_000_000))
    }

    pub(crate) fn copies(&self) -> u32 {
        self.copies.unwrap_or(10)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.unwrap_or(900_000) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Result<Fault, String> {
        let fault: Fault = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        fault.check().map(|()| fault)
    }

    #[test]
    fn every_kind_has_its_name_in_a_scenario() {
        for kind in Kind::ALL {
            let every = if *kind == Kind::Flap {
                "every = \"5s\"\nfor = \"1s\""
            } else {
                ""
            };
            let parsed = fault(&format!("kind = {:?}\n{every}", kind.as_str()));
            assert_eq!(parsed.map(|fault| fault.kind), Ok(*kind));
            assert!(!kind.about().is_empty());
        }
    }

    #[test]
    fn what_does_not_belong_to_a_kind_or_cannot_be_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = fault(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        };
        check("kind = \"silent\"\ndelay = \"1s\"", "delay does not belong");
        check(
            "kind = \"crash\"\nprobability = 0.5",
            "probability does not belong",
        );
        check("kind = \"drop\"\nprobability = 1.5", "between 0 and 1");
        check("kind = \"flap\"", "needs every");
        check("kind = \"silent\"\nevery = \"5s\"", "needs for");
        check(
            "kind = \"silent\"\nevery = \"5s\"\nfor = \"6s\"",
            "longer than every",
        );
        check("kind = \"silent\"\ncount = 2", "needs every");
        check("kind = \"quiet\"", "unknown variant `quiet`");
        check("kind = \"silent\"\nselect = { fraction = 2.0 }", "fraction is 2");
        check("kind = \"silent\"\nwhen = \"1s\"", "unknown field `when`");
    }
}
