//! Reads events of the KV cache: one, or an array of them.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{KvChange, KvEvent, MAX_KV_EVENTS, StorageTier};
use crate::codec::Opened;
use crate::events::EventError;
use crate::record::{Fields, Id, Items, Section, Shape, Text, Whole, read_seed, visit_others_as};

/// Reads all events of a message.
pub(super) fn all(opened: &Opened<'_>) -> Result<Vec<KvEvent>, EventError> {
    match read_seed(opened, Value { may_be_many: true })? {
        Found::Event(event) => Ok(vec![event.read()?]),
        Found::Many(events) => events,
        Found::Id(_) | Found::Other => Err(EventError::NotAnObject),
    }
}

/// A value that may be an event; in an array of events, or of the parts of one, `may_be_many` is false.
#[derive(Clone, Copy)]
struct Value {
    may_be_many: bool,
}

enum Found<'de> {
    Event(Event<'de>),
    Many(Result<Vec<KvEvent>, EventError>),
    Id(Id),
    Other,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event or an array of events")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Found<'de>, A::Error> {
        let mut event = Event::default();
        Section(&mut event).visit_map(map)?;
        Ok(Found::Event(event))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found<'de>, A::Error> {
        // The array of an event begins with the worker's id, that of a message with an event.
        let element = Self { may_be_many: false };
        let first = seq.next_element_seed(element)?;
        if let Some(Found::Id(worker_id)) = first {
            let mut event = Event {
                worker_id,
                ..Event::default()
            };
            event.read_parts(seq)?;
            return Ok(Found::Event(event));
        }
        if !self.may_be_many {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Found::Other);
        }
        let mut events = Ok(Vec::new());
        let mut next = first;
        while let Some(found) = next {
            events = events.and_then(|events| add(events, found));
            next = seq.next_element_seed(element)?;
        }
        Ok(Found::Many(events))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Found<'de>, E> {
        Ok(Found::Id(Id(Whole::Number(number))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found<'de>, E> {
        Ok(Found::Id(Id::of_text(text)))
    }

    fn visit_unit<E: Error>(self) -> Result<Found<'de>, E> {
        Ok(Found::Other)
    }

    visit_others_as!(Found::Other);
}

fn add(mut events: Vec<KvEvent>, found: Found<'_>) -> Result<Vec<KvEvent>, EventError> {
    let Found::Event(event) = found else {
        return Err(EventError::NotAnObject);
    };
    if events.len() == MAX_KV_EVENTS {
        return Err(EventError::TooMany(MAX_KV_EVENTS));
    }
    events.push(event.read()?);
    Ok(events)
}

/// An event as it is on the wire.
#[derive(Default)]
struct Event<'de> {
    worker_id: Id,
    tier: Text<'de>,
    change: Change,
    has_change: Shape,
}

/// The part of an event that is the same for every cache: `{event_id, data, dp_rank}`.
#[derive(Default)]
struct Change {
    event_id: Whole,
    dp_rank: Whole,
    data: Data,
    /// The tier, which precedes this part where an event is an array.
    tier: Option<StorageTier>,
}

/// What changed: `"cleared"`, or a map of one.
#[derive(Default)]
struct Data {
    change: Option<KvChange>,
    blocks: Blocks,
}

/// The blocks of a change.
#[derive(Default)]
struct Blocks {
    blocks: Items,
}

impl<'de> Event<'de> {
    /// Reads what follows the worker's id in an array: texts, the first of which is the tier, and the change.
    fn read_parts<A: SeqAccess<'de>>(&mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(shape) = seq.next_element_seed(Section(&mut self.change))? {
            if shape == Shape::Fields {
                self.has_change = shape;
                break;
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn read(self) -> Result<KvEvent, EventError> {
        let Self {
            worker_id,
            tier,
            change,
            has_change,
        } = self;
        if has_change != Shape::Fields {
            return Err(EventError::Section("event"));
        }
        let tier = tier.optional("storage_tier")?;
        Ok(KvEvent {
            worker_id: worker_id.worker("worker_id")?,
            dp_rank: change.dp_rank.optional("dp_rank")?.unwrap_or(0),
            event_id: change.event_id.required("event_id")?,
            tier: tier.map(|tier| StorageTier::read(&tier)).or(change.tier),
            change: change.data.read()?,
        })
    }
}

impl Data {
    fn read(&self) -> Result<KvChange, EventError> {
        let unknown = EventError::Unknown("data");
        Ok(match self.change.ok_or(unknown)? {
            KvChange::Stored(_) => KvChange::Stored(self.blocks.blocks.required("blocks")?),
            KvChange::Removed(_) => KvChange::Removed(self.blocks.blocks.required("block_hashes")?),
            KvChange::Cleared => KvChange::Cleared,
        })
    }
}

impl<'de> Fields<'de> for Event<'de> {
    // An array has no fixed order, because later versions put fields in the middle.
    const ORDER: &'static [&'static str] = &[];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "worker_id" => self.worker_id = Id::deserialize(value)?,
            "storage_tier" => self.tier = Text::deserialize(value)?,
            "event" => self.has_change = Section(&mut self.change).deserialize(value)?,
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Change {
    const ORDER: &'static [&'static str] = &["event_id", "data", "dp_rank"];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "event_id" => self.event_id = Whole::deserialize(value)?,
            "dp_rank" => self.dp_rank = Whole::deserialize(value)?,
            "data" => drop(Section(&mut self.data).deserialize(value)?),
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.tier.get_or_insert(StorageTier::read(text));
    }
}

impl<'de> Fields<'de> for Data {
    const ORDER: &'static [&'static str] = &[];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        self.change = match name {
            "stored" => Some(KvChange::Stored(0)),
            "removed" => Some(KvChange::Removed(0)),
            "cleared" => Some(KvChange::Cleared),
            _ => None,
        };
        self.blocks = Blocks::default();
        Section(&mut self.blocks).deserialize(value)?;
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if text == "cleared" {
            self.change = Some(KvChange::Cleared);
        }
    }
}

impl<'de> Fields<'de> for Blocks {
    // The one list among the elements of an array; `parent_hash` and `start_position` precede it.
    const ORDER: &'static [&'static str] = &["any", "any", "any"];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "blocks" | "block_hashes" => self.blocks = Items::deserialize(value)?,
            "any" => {
                if let found @ Items::Count(_) = Items::deserialize(value)? {
                    self.blocks = found;
                }
            }
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}
