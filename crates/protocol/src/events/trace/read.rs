//! Reads request traces: the type first, and nothing else of records of another type.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::RequestTrace;
use crate::codec::{CodecError, MAX_PAYLOAD_BYTES};
use crate::events::EventError;
use crate::record::{FieldName, Fields, Id, Real, Section, Shape, Whole, visit_numbers_as};
use crate::{StatsError, StatsFault, WorkerId};

/// Reads a record; `None` where it is of another type.
pub(super) fn read(bytes: &[u8]) -> Result<Option<RequestTrace>, EventError> {
    match bytes.len() {
        0 => return Err(CodecError::Empty.into()),
        length if length > MAX_PAYLOAD_BYTES => return Err(CodecError::TooLarge(length).into()),
        _ => {}
    }
    // A number that no float can hold ends the quick way; the other one refuses that field alone.
    let mut request = Request::default();
    let mut found = find(bytes, &mut request);
    if found.is_err() {
        request = Request {
            is_raw: true,
            ..Request::default()
        };
        found = find(bytes, &mut request);
    }
    match found.map_err(|error| no_json(&error))? {
        Found::NoMap => Err(EventError::NotAnObject),
        Found::NoType => Err(EventError::Text("event_type")),
        Found::Another => Ok(None),
        Found::Request(Shape::Fields) => Ok(Some(request.read())),
        Found::Request(_) => Err(EventError::Section("request")),
    }
}

fn find(bytes: &[u8], request: &mut Request) -> serde_json::Result<Found> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let found = Top(request).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(found)
}

/// The place and kind of an error. The words of `serde_json` may quote the text.
fn no_json(error: &serde_json::Error) -> EventError {
    let kind = if error.is_eof() {
        "it ends too early"
    } else {
        "there is an error"
    };
    let (line, column) = (error.line(), error.column());
    CodecError::Json(format!("{kind} at line {line}, column {column}")).into()
}

/// A whole record, of which the request is read into this one.
struct Top<'r>(&'r mut Request);

enum Found {
    NoMap,
    NoType,
    Another,
    Request(Shape),
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut kind = Kind::Unknown;
        let Self(request) = self;
        let mut shape = Shape::Absent;
        let mut unread = None;
        while let Some(FieldName(name)) = map.next_key()? {
            match (name.as_ref(), kind) {
                ("event_type", Kind::Unknown) => kind = map.next_value()?,
                ("request", Kind::RequestEnd) => shape = map.next_value_seed(Section(&mut *request))?,
                // What the record holds is not looked into before its type is known.
                ("request", Kind::Unknown) => unread = Some(map.next_value::<&RawValue>()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(match (kind, unread) {
            (Kind::Unknown, _) => Found::NoType,
            (Kind::Another, _) => Found::Another,
            (Kind::RequestEnd, Some(unread)) => {
                let read = Section(request).deserialize(unread);
                Found::Request(read.map_err(|_| A::Error::custom("the request cannot be read"))?)
            }
            (Kind::RequestEnd, None) => Found::Request(shape),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::NoMap)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Found, E> {
        Ok(Found::NoMap)
    }

    fn visit_unit<E: Error>(self) -> Result<Found, E> {
        Ok(Found::NoMap)
    }

    visit_numbers_as!(Found::NoMap);
}

/// The type of a record.
#[derive(Clone, Copy)]
enum Kind {
    /// Not read yet, or no text.
    Unknown,
    RequestEnd,
    Another,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Type;
        impl<'de> Visitor<'de> for Type {
            type Value = Kind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the type of a record")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Kind, E> {
                Ok(match text {
                    "request_end" => Kind::RequestEnd,
                    _ => Kind::Another,
                })
            }

            fn visit_unit<E: Error>(self) -> Result<Kind, E> {
                Ok(Kind::Unknown)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Kind::Unknown)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Kind::Unknown)
            }

            visit_numbers_as!(Kind::Unknown);
        }
        deserializer.deserialize_any(Type)
    }
}

#[derive(Default)]
struct Request {
    is_raw: bool,
    input_tokens: Whole,
    output_tokens: Whole,
    cached_tokens: Whole,
    prefill_wait: Real,
    prefill: Real,
    ttft: Real,
    total: Real,
    avg_itl: Real,
    kv_transfer: Real,
    kv_hit_rate: Real,
    queue_depth: Whole,
    worker: Workers,
    has_worker: Shape,
}

#[derive(Default)]
struct Workers {
    prefill: Id,
    decode: Id,
}

impl Request {
    fn read(&self) -> RequestTrace {
        let mut refused = Vec::new();
        let mut refuse = |field, fault| refused.push(StatsError { field, fault });
        let mut trace = RequestTrace {
            input_tokens: count(self.input_tokens, "input_tokens", &mut refuse),
            output_tokens: count(self.output_tokens, "output_tokens", &mut refuse),
            cached_tokens: count(self.cached_tokens, "cached_tokens", &mut refuse),
            prefill_wait: seconds(self.prefill_wait, "prefill_wait_time_ms", &mut refuse),
            prefill: seconds(self.prefill, "prefill_time_ms", &mut refuse),
            ttft: seconds(self.ttft, "ttft_ms", &mut refuse),
            total: seconds(self.total, "total_time_ms", &mut refuse),
            avg_itl: seconds(self.avg_itl, "avg_itl_ms", &mut refuse),
            kv_transfer: seconds(self.kv_transfer, "kv_transfer_estimated_latency_ms", &mut refuse),
            kv_hit_rate: ratio(self.kv_hit_rate, "kv_hit_rate", &mut refuse),
            queue_depth: count(self.queue_depth, "queue_depth", &mut refuse),
            prefill_worker: worker(self.worker.prefill, "prefill_worker_id", &mut refuse),
            decode_worker: worker(self.worker.decode, "decode_worker_id", &mut refuse),
            refused: Vec::new(),
        };
        if self.has_worker == Shape::Other {
            refuse("worker", StatsFault::NotAnObject("another value"));
        }
        if let (Some(cached), Some(input)) = (trace.cached_tokens, trace.input_tokens)
            && cached > input
        {
            trace.cached_tokens = None;
            refuse("cached_tokens", StatsFault::AboveLimit(input as f64));
        }
        trace.refused = refused;
        trace
    }
}

fn count(field: Whole, name: &'static str, refuse: &mut impl FnMut(&'static str, StatsFault)) -> Option<u64> {
    let fault = match field {
        Whole::Absent => return None,
        Whole::Number(count) if count <= RequestTrace::MAX_COUNT => return Some(count),
        Whole::Number(_) => StatsFault::AboveLimit(RequestTrace::MAX_COUNT as f64),
        Whole::Negative => StatsFault::Negative,
        Whole::Other => StatsFault::NotANumber("another value"),
    };
    refuse(name, fault);
    None
}

fn worker(
    Id(field): Id,
    name: &'static str,
    refuse: &mut impl FnMut(&'static str, StatsFault),
) -> Option<WorkerId> {
    let fault = match field {
        Whole::Absent => return None,
        Whole::Number(id) => return Some(WorkerId::new(id)),
        Whole::Negative => StatsFault::Negative,
        Whole::Other => StatsFault::NotANumber("another value"),
    };
    refuse(name, fault);
    None
}

fn seconds(
    field: Real,
    name: &'static str,
    refuse: &mut impl FnMut(&'static str, StatsFault),
) -> Option<f64> {
    let limit = RequestTrace::MAX_SECONDS;
    let milliseconds = real(
        field,
        name,
        limit * 1e3,
        StatsFault::AboveLimit(limit * 1e3),
        refuse,
    )?;
    Some(milliseconds / 1e3)
}

fn ratio(field: Real, name: &'static str, refuse: &mut impl FnMut(&'static str, StatsFault)) -> Option<f64> {
    let above = match field {
        Real::Number(ratio) => StatsFault::AboveOne(ratio),
        _ => StatsFault::NotFinite,
    };
    real(field, name, 1.0, above, refuse)
}

fn real(
    field: Real,
    name: &'static str,
    limit: f64,
    above: StatsFault,
    refuse: &mut impl FnMut(&'static str, StatsFault),
) -> Option<f64> {
    let fault = match field {
        Real::Absent => return None,
        Real::Number(number) if !number.is_finite() => StatsFault::NotFinite,
        Real::Number(number) if number < 0.0 => StatsFault::Negative,
        Real::Number(number) if number > limit => above,
        // -0.0 is no other number than 0.
        Real::Number(number) => return Some(number.abs()),
        Real::Other => StatsFault::NotANumber("another value"),
    };
    refuse(name, fault);
    None
}

impl<'de> Fields<'de> for Request {
    const ORDER: &'static [&'static str] = &[];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        let raw = self.is_raw;
        match name {
            "input_tokens" => self.input_tokens = whole(value, raw)?,
            "output_tokens" => self.output_tokens = whole(value, raw)?,
            "cached_tokens" => self.cached_tokens = whole(value, raw)?,
            "prefill_wait_time_ms" => self.prefill_wait = number(value, raw)?,
            "prefill_time_ms" => self.prefill = number(value, raw)?,
            "ttft_ms" => self.ttft = number(value, raw)?,
            "total_time_ms" => self.total = number(value, raw)?,
            "avg_itl_ms" => self.avg_itl = number(value, raw)?,
            "kv_transfer_estimated_latency_ms" => self.kv_transfer = number(value, raw)?,
            "kv_hit_rate" => self.kv_hit_rate = number(value, raw)?,
            "queue_depth" => self.queue_depth = whole(value, raw)?,
            "worker" => self.has_worker = Section(&mut self.worker).deserialize(value)?,
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}

/// Reads a number as it is written, where one that no float can hold is infinite.
fn number<'de, D: Deserializer<'de>>(value: D, is_raw: bool) -> Result<Real, D::Error> {
    if !is_raw {
        return Real::deserialize(value);
    }
    let raw = <&RawValue>::deserialize(value)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or(Real::Number(f64::INFINITY)))
}

fn whole<'de, D: Deserializer<'de>>(value: D, is_raw: bool) -> Result<Whole, D::Error> {
    if !is_raw {
        return Whole::deserialize(value);
    }
    let raw = <&RawValue>::deserialize(value)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or(Whole::Other))
}

impl<'de> Fields<'de> for Workers {
    const ORDER: &'static [&'static str] = &[];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "prefill_worker_id" => self.prefill = Id::deserialize(value)?,
            "decode_worker_id" => self.decode = Id::deserialize(value)?,
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}
