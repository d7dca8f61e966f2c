//! [`Reading`]: what the configured mappings find in the data of a pool's members, and what they cannot read there.

use std::collections::BTreeMap;
use std::fmt;

use fleet::{Inspection, Mapping, MappingFault, PoolName, Scope, Seen, Unread};
use protocol::text::Shown;
use serde::Serialize;

/// What one mapping finds in the data of some workers or instances.
#[derive(Debug, Serialize)]
pub(super) struct Reading {
    pub(super) metric: String,
    pub(super) pointer: String,
    /// Members whose data it is about.
    pub(super) of: usize,
    /// Members in whose data it finds something.
    pub(super) read: usize,
    /// Members in whose data nothing is there for it, and need not be.
    absent: usize,
    /// What it finds in all of them.
    values: usize,
    /// What it cannot read, by the reason.
    pub(super) faults: Vec<Fault>,
    /// Whose data it is.
    #[serde(skip)]
    members: &'static str,
}

/// What one mapping cannot read for one reason.
#[derive(Debug, Serialize)]
pub(super) struct Fault {
    reason: &'static str,
    /// Members that have it.
    members: usize,
    /// Values that cannot be read in them, whatever the reason.
    values: u64,
    /// The reason in words, of the last one.
    text: String,
    /// Where the value is, of the last one.
    place: String,
    /// The value, of the last one.
    example: Option<String>,
}

/// What each mapping finds that is about a wanted pool, in the order of the configuration.
pub(super) fn of(seen: &Inspection, is_wanted: impl Fn(&PoolName) -> bool) -> Vec<Reading> {
    let readings = seen
        .mappings
        .iter()
        .map(|mapping| Reading::of(mapping, seen, &is_wanted));
    readings.filter(|reading| reading.of > 0).collect()
}

impl Reading {
    /// What a mapping finds in the data of the members of wanted pools.
    pub(super) fn of(mapping: &Mapping, seen: &Inspection, is_wanted: impl Fn(&PoolName) -> bool) -> Self {
        let mut reading = Self {
            metric: mapping.metric.name.clone(),
            pointer: mapping.pointer.to_string(),
            of: 0,
            read: 0,
            absent: 0,
            values: 0,
            faults: Vec::new(),
            members: match mapping.scope {
                Scope::Workers(_) => "worker",
                Scope::Services { .. } => "instance",
            },
        };
        let mut faults: BTreeMap<MappingFault, Fault> = BTreeMap::new();
        for endpoint in seen.instances.iter().flat_map(|instance| &instance.endpoints) {
            let Seen::Worker {
                pool,
                mapped: Some(mapped),
                unread,
                is_duplicate: false,
                ..
            } = &endpoint.seen
            else {
                continue;
            };
            if !is_wanted(pool) || !mapping.scope.covers(pool) {
                continue;
            }
            let values = mapped.count_of(mapping);
            let unread = unread
                .iter()
                .find(|unread| std::ptr::eq(&*unread.mapping, mapping));
            reading.of += 1;
            reading.values += values;
            reading.read += usize::from(values > 0);
            reading.absent += usize::from(values == 0 && unread.is_none());
            if let Some(unread) = unread {
                let known = faults.remove(&unread.fault);
                faults.insert(unread.fault, Fault::after(known, unread));
            }
        }
        reading.faults = faults.into_values().collect();
        reading
    }

    /// In how many members something cannot be read, by the reason.
    pub(super) fn failing_in(&self) -> String {
        let faults = self.faults.iter();
        let texts: Vec<String> = faults
            .map(|fault| format!("{} in {}", fault.reason, counted(fault.members, self.members)))
            .collect();
        texts.join(", ")
    }

    /// From how many of how many it is read.
    pub(super) fn share(&self) -> String {
        format!("read from {} of {}", self.read, counted(self.of, self.members))
    }
}

impl Fault {
    fn after(known: Option<Self>, unread: &Unread) -> Self {
        let (members, values) = known.map_or((0, 0), |known| (known.members, known.values));
        Self {
            reason: unread.fault.as_str(),
            members: members + 1,
            values: values + u64::from(unread.count),
            text: unread.what.to_string(),
            place: unread.place.to_string(),
            example: unread.example.as_deref().map(str::to_owned),
        }
    }
}

/// Whether some of the mappings cannot read all that they are about, as a sentence after others.
pub(super) fn verdict<'a>(readings: impl Iterator<Item = &'a Reading>) -> Option<String> {
    let (mut all, mut failing) = (0, 0);
    for reading in readings {
        all += 1;
        failing += usize::from(!reading.faults.is_empty());
    }
    let mappings = counted(all, "mapping");
    (failing > 0).then(|| format!(" Of {mappings} there, {failing} cannot read every value."))
}

/// One line for each mapping that cannot read all that it is about.
pub(super) fn remarks(readings: &[Reading]) -> impl Iterator<Item = String> {
    readings
        .iter()
        .filter(|reading| !reading.faults.is_empty())
        .map(|reading| {
            let (metric, share) = (Shown(&reading.metric), reading.share());
            format!("the mapping to {metric} cannot read every value: {share}")
        })
}

/// What mappings find in one pool, for people.
pub(super) struct Section<'a>(pub(super) &'a str, pub(super) &'a [Reading]);

impl fmt::Display for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(pool, readings) = self;
        let pool = Shown(pool);
        if readings.is_empty() {
            return writeln!(f, "no configured mapping reads the data of {pool}");
        }
        writeln!(f, "mappings of the data of {pool}:")?;
        readings.iter().try_for_each(|reading| write!(f, "{reading}"))
    }
}

/// So many things.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = counted(self.values, "value");
        let (metric, share) = (Shown(&self.metric), self.share());
        write!(f, "  {metric} from {}: {share}, {values}", Pointed(&self.pointer))?;
        match self.absent {
            0 => writeln!(f)?,
            absent => writeln!(f, "; nothing is there for it in {absent}")?,
        }
        for fault in &self.faults {
            let members = counted(fault.members, self.members);
            write!(
                f,
                "    {} in {members}: the value at {} {}",
                fault.reason, fault.place, fault.text
            )?;
            match &fault.example {
                Some(example) => writeln!(f, "; the last one is {example}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

/// A pointer as people read it.
struct Pointed<'a>(&'a str);

impl fmt::Display for Pointed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("the whole data"),
            pointer => Shown(pointer).fmt(f),
        }
    }
}
