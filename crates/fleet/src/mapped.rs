//! [`Mapped`]: the numbers that mappings find in one reply, [`Unread`]: what they cannot read in it, and [`MappingBook`]:
//! how often that was.

mod unread;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::StatsFault;
use protocol::mapping::Absent;
use serde_json::Value;
use smallvec::SmallVec;

use crate::mapping::{MappedKind, MappedMetric, Mapping};

pub use unread::Unread;

/// Characters of a key that become a label; what is longer is cut.
const MAX_KEY: usize = 128;

/// Why a value is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MappingFault {
    /// It is not in the data.
    Missing,
    /// It is no number, or what contains it is neither an object nor a list.
    WrongType,
    /// It is a number that it cannot be.
    OutOfRange,
    /// Another value has the same metric and labels.
    Duplicate,
    /// The mapping has as many series as it may have.
    OverLimit,
}

impl MappingFault {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 5] = [
        Self::Missing,
        Self::WrongType,
        Self::OutOfRange,
        Self::Duplicate,
        Self::OverLimit,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::Duplicate => "duplicate",
            Self::OverLimit => "over_limit",
        }
    }
}

/// What has been counted of one mapping; it outlives changes of the plan.
#[derive(Debug, Default)]
pub(crate) struct MappingBook {
    /// Series that there are now.
    series: AtomicU64,
    faults: [AtomicU64; MappingFault::ALL.len()],
}

impl MappingBook {
    pub(crate) fn faults(&self) -> [u64; MappingFault::ALL.len()] {
        self.faults.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    fn count(&self, fault: MappingFault) {
        self.faults[fault as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// A mapping that the plan has, with its book.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) book: Arc<MappingBook>,
}

/// Room for one series of a mapping, which is given back when it is dropped.
#[derive(Debug)]
struct Lease(Arc<MappingBook>);

impl Lease {
    fn take(active: &Active) -> Option<Self> {
        let taken = active.book.series.fetch_add(1, Ordering::Relaxed);
        let lease = Self(active.book.clone());
        (taken < active.mapping.max_series).then_some(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.series.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The numbers that mappings found in the last reply of one endpoint.
#[derive(Debug)]
pub struct Mapped(Vec<MappedValue>);

/// One of them.
#[derive(Debug)]
pub struct MappedValue {
    /// What it is.
    pub metric: Arc<MappedMetric>,
    /// The values of its labels.
    pub keys: SmallVec<[Box<str>; 1]>,
    /// The value.
    pub value: f64,
}

/// What the mappings found for one worker or instance, and the room that it takes.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) mapped: Arc<Mapped>,
    _leases: Vec<Lease>,
}

impl Mapped {
    /// These, for tests of what reads snapshots.
    pub fn new(values: Vec<MappedValue>) -> Self {
        Self(values)
    }

    /// How many series they are at most.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of them a mapping found.
    pub fn count_of(&self, mapping: &Mapping) -> usize {
        let is_of = |value: &&MappedValue| Arc::ptr_eq(&value.metric, &mapping.metric);
        self.0.iter().filter(is_of).count()
    }

    /// All of them; gauges only if the instance answers now, because an old value is never shown as a current one.
    pub fn values(&self, is_fresh: bool) -> impl Iterator<Item = &MappedValue> {
        let is_shown = move |value: &&MappedValue| is_fresh || value.metric.kind == MappedKind::Counter;
        self.0.iter().filter(is_shown)
    }
}

impl Found {
    /// Reads what mappings find, and says what they cannot read: at most one [`Unread`] for each. `before` is what they found
    /// in the reply before, whose room is free again.
    pub(crate) fn read(mappings: &[Active], data: &Value, before: Option<Box<Self>>) -> (Self, Vec<Unread>) {
        drop(before);
        let (mut values, mut leases, mut unread) = (Vec::new(), Vec::new(), Vec::<Unread>::new());
        let mut seen: HashSet<(&str, SmallVec<[Box<str>; 1]>)> = HashSet::new();
        for active in mappings {
            let mapping = &*active.mapping;
            mapping.pointer.find(data, &mut |keys, found| {
                let raw = found.as_ref().ok().copied();
                let read = || {
                    let value = mapping.value(found)?;
                    let keys: SmallVec<[Box<str>; 1]> = keys.iter().map(|key| label(key)).collect();
                    if !seen.insert((&mapping.metric.name, keys.clone())) {
                        return Err((MappingFault::Duplicate, "occurs twice".to_owned()));
                    }
                    let over = || {
                        let limit = mapping.max_series;
                        (MappingFault::OverLimit, format!("is beyond its {limit} series"))
                    };
                    leases.push(Lease::take(active).ok_or_else(over)?);
                    values.push(MappedValue {
                        metric: mapping.metric.clone(),
                        keys,
                        value,
                    });
                    Ok(())
                };
                let Err((fault, what)) = read() else { return };
                if fault == MappingFault::Missing && mapping.is_optional {
                    return;
                }
                active.book.count(fault);
                match unread.last_mut() {
                    Some(last) if Arc::ptr_eq(&last.mapping, &active.mapping) => last.count += 1,
                    _ => unread.push(Unread::new(&active.mapping, keys, raw, (fault, what))),
                }
            });
        }
        let mapped = Arc::new(Mapped(values));
        (
            Self {
                mapped,
                _leases: leases,
            },
            unread,
        )
    }
}

impl Mapping {
    fn value(&self, found: Result<&Value, Absent>) -> Result<f64, (MappingFault, String)> {
        let value = found.map_err(|absent| match absent {
            Absent::Missing => (MappingFault::Missing, "is missing".to_owned()),
            Absent::Blocked { is, .. } => (
                MappingFault::WrongType,
                format!("cannot be read: it would be in {is}"),
            ),
        })?;
        let read = match (self.is_boolean, value) {
            (true, Value::Bool(is_true)) => Ok(f64::from(u8::from(*is_true))),
            (true, _) => return Err((MappingFault::WrongType, "is neither true nor false".to_owned())),
            (false, value) => self.range.read(value),
        };
        let scaled = read.map(|number| number * self.scale);
        let finite = scaled.and_then(|number| match number.is_finite() {
            true => Ok(number),
            false => Err(StatsFault::NotFinite),
        });
        finite.map_err(|fault| {
            let kind = match fault.is_out_of_range() {
                true => MappingFault::OutOfRange,
                false => MappingFault::WrongType,
            };
            (kind, fault.to_string())
        })
    }
}

/// A key as the value of a label.
fn label(key: &str) -> Box<str> {
    match key.char_indices().nth(MAX_KEY) {
        Some((end, _)) => key[..end].into(),
        None => key.into(),
    }
}
