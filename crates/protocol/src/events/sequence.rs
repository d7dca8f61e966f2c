//! [`SequenceEvent`]: requests as routers assign them to workers.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny};

use super::EventError;
use crate::WorkerId;
use crate::codec::Opened;
use crate::record::{Fields, Id, Items, Section, Shape, Text, Whole, read_fields};

/// The topic `active_sequences_events`: a request is assigned to a worker, has its first token, or is done. It is the
/// only event that has the LoRA adapter of a request.
///
/// From Dynamo 1.5 on both routers and workers may report one request's first token, so count by
/// [`request_id`](Self::request_id).
///
/// ```
/// use protocol::{codec, events::{SequenceChange, SequenceEvent}, WorkerId};
/// let payload = br#"{"request_id": "r1", "worker": {"worker_id": 7, "dp_rank": 0}, "data": "Free",
///     "router_id": 9, "lora_name": "my-lora"}"#;
/// let opened = codec::open(None, payload)?;
/// let event = SequenceEvent::read(&opened)?;
/// assert_eq!((event.request_id.as_ref(), event.worker_id), ("r1", WorkerId::new(7)));
/// assert_eq!((event.change, event.lora.as_deref()), (SequenceChange::Freed, Some("my-lora")));
/// # Ok::<(), protocol::EventError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceEvent<'a> {
    /// The request; 1 to 255 bytes.
    pub request_id: Cow<'a, str>,
    /// The worker that has it.
    pub worker_id: WorkerId,
    /// The rank within a data-parallel group; 0 without one.
    pub dp_rank: u64,
    /// Which router reports it; where a worker does, its own id.
    pub router_id: u64,
    /// The request's LoRA adapter; at most 255 bytes.
    pub lora: Option<Cow<'a, str>>,
    /// What happened.
    pub change: SequenceChange,
}

/// What happened to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceChange {
    /// `AddRequest`: a router assigned it to the worker.
    Added {
        /// Length of the prompt in tokens; Dynamo 1.0 and 1.1.
        isl_tokens: Option<u64>,
        /// Blocks of the prompt that the worker's cache had; Dynamo 1.0 and 1.1.
        overlap_blocks: Option<u64>,
        /// Full blocks of the prompt.
        prompt_blocks: Option<u64>,
        /// Prompt tokens that the worker has to compute; Dynamo 1.2 and later, and some 1.1.
        prefill_tokens: Option<u64>,
        /// How many tokens are expected to be generated.
        expected_output_tokens: Option<u64>,
    },
    /// `MarkPrefillCompleted`: it has its first token.
    PrefillCompleted,
    /// `Free`: it is done.
    Freed,
}

impl<'a> SequenceEvent<'a> {
    /// Reads an event of any generation.
    ///
    /// # Errors
    /// [`EventError`] names what is missing or wrong.
    pub fn read(opened: &Opened<'a>) -> Result<Self, EventError> {
        let mut event = Event::default();
        if read_fields(opened, &mut event)? != Shape::Fields {
            return Err(EventError::NotAnObject);
        }
        if event.has_worker != Shape::Fields {
            return Err(EventError::Section("worker"));
        }
        let request_id = event.request_id.optional("request_id")?;
        Ok(Self {
            request_id: request_id
                .filter(|id| !id.is_empty())
                .ok_or(EventError::Text("request_id"))?,
            worker_id: event.worker.id.worker("worker_id")?,
            dp_rank: event.worker.dp_rank.optional("dp_rank")?.unwrap_or(0),
            router_id: event.router_id.0.required("router_id")?,
            lora: event.lora.optional("lora_name")?,
            change: event.data.read()?,
        })
    }
}

#[derive(Default)]
struct Event<'a> {
    request_id: Text<'a>,
    worker: Worker,
    has_worker: Shape,
    data: Data,
    router_id: Id,
    lora: Text<'a>,
}

#[derive(Default)]
struct Worker {
    id: Id,
    dp_rank: Whole,
}

#[derive(Default)]
struct Data {
    kind: Option<Kind>,
    added: Added,
    has_added: Shape,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Add,
    Mark,
    Free,
}

#[derive(Default)]
struct Added {
    isl: Whole,
    overlap: Whole,
    token_sequence: Items,
    expected_output_tokens: Whole,
    hint: Hint,
}

#[derive(Default)]
struct Hint {
    tokens: Whole,
}

impl Data {
    fn read(&self) -> Result<SequenceChange, EventError> {
        match self.kind.ok_or(EventError::Unknown("data"))? {
            Kind::Add if self.has_added != Shape::Fields => Err(EventError::Section("AddRequest")),
            Kind::Add => Ok(SequenceChange::Added {
                isl_tokens: self.added.isl.optional("isl")?,
                overlap_blocks: self.added.overlap.optional("overlap")?,
                prompt_blocks: self.added.token_sequence.optional("token_sequence")?,
                prefill_tokens: self
                    .added
                    .hint
                    .tokens
                    .optional("initial_effective_prefill_tokens")?,
                expected_output_tokens: self
                    .added
                    .expected_output_tokens
                    .optional("expected_output_tokens")?,
            }),
            Kind::Mark => Ok(SequenceChange::PrefillCompleted),
            Kind::Free => Ok(SequenceChange::Freed),
        }
    }
}

impl Kind {
    fn read(name: &str) -> Option<Self> {
        match name {
            "AddRequest" => Some(Self::Add),
            "MarkPrefillCompleted" => Some(Self::Mark),
            "Free" => Some(Self::Free),
            _ => None,
        }
    }
}

impl<'de> Fields<'de> for Event<'de> {
    const ORDER: &'static [&'static str] = &["request_id", "worker", "data", "router_id", "lora_name"];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "request_id" => self.request_id = Text::deserialize(value)?,
            "worker" => self.has_worker = Section(&mut self.worker).deserialize(value)?,
            "data" => drop(Section(&mut self.data).deserialize(value)?),
            "router_id" => self.router_id = Id::deserialize(value)?,
            "lora_name" => self.lora = Text::deserialize(value)?,
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Worker {
    const ORDER: &'static [&'static str] = &["worker_id", "dp_rank"];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "worker_id" => self.id = Id::deserialize(value)?,
            "dp_rank" => self.dp_rank = Whole::deserialize(value)?,
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Data {
    const ORDER: &'static [&'static str] = &[];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        self.kind = Kind::read(name);
        self.has_added = Section(&mut self.added).deserialize(value)?;
        Ok(())
    }

    fn text(&mut self, name: &str) {
        self.kind = Kind::read(name);
    }
}

impl<'de> Fields<'de> for Added {
    // What follows in an array depends on the version, and the array does not say it.
    const ORDER: &'static [&'static str] = &["token_sequence"];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "isl" => self.isl = Whole::deserialize(value)?,
            "overlap" => self.overlap = Whole::deserialize(value)?,
            "token_sequence" => self.token_sequence = Items::deserialize(value)?,
            "expected_output_tokens" => self.expected_output_tokens = Whole::deserialize(value)?,
            "prefill_load_hint" => drop(Section(&mut self.hint).deserialize(value)?),
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Hint {
    const ORDER: &'static [&'static str] = &["initial_effective_prefill_tokens"];

    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "initial_effective_prefill_tokens" => self.tokens = Whole::deserialize(value)?,
            _ => drop(IgnoredAny::deserialize(value)?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::codec::open;

    #[test]
    fn an_event_is_read_in_either_encoding_as_map_or_array() {
        let map = json!({"new": [], "request_id": "r\u{e9}\"1", "router_id": "18446744073709551615", "lora_name": "l",
            "data": {"AddRequest": {"isl": 37, "overlap": 1, "token_sequence": [1, 2], "expected_output_tokens": 20}},
            "worker": {"dp_rank": 3, "worker_id": "7"}});
        let array = json!(["r\u{e9}\"1", [7, 3], map["data"], u64::MAX, "l", "new"]);
        for value in [map, array] {
            let packed = rmp_serde::to_vec(&value).expect("encodes");
            for bytes in [value.to_string().as_bytes(), &packed] {
                let opened = open(None, bytes).expect("opens");
                let expected = SequenceEvent {
                    request_id: "r\u{e9}\"1".into(),
                    worker_id: WorkerId::new(7),
                    dp_rank: 3,
                    router_id: u64::MAX,
                    lora: Some("l".into()),
                    change: SequenceChange::Added {
                        isl_tokens: Some(37),
                        overlap_blocks: Some(1),
                        prompt_blocks: Some(2),
                        prefill_tokens: None,
                        expected_output_tokens: Some(20),
                    },
                };
                assert_eq!(SequenceEvent::read(&opened), Ok(expected), "{value}");
            }
        }
    }

    #[test]
    fn an_event_that_cannot_be_is_refused_by_name() {
        fn check(field: &str, value: Value, expected: &str, is_out_of_range: bool) {
            let mut event =
                json!({"request_id": "r", "worker": {"worker_id": 7}, "data": "Free", "router_id": 9});
            event[field] = value;
            let text = event.to_string();
            let opened = open(None, text.as_bytes()).expect("opens");
            let error = SequenceEvent::read(&opened).expect_err(&text);
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.is_out_of_range(), is_out_of_range, "{error}");
        }
        check("request_id", json!(null), "request_id is missing", false);
        check("request_id", json!(""), "request_id is missing", false);
        check("request_id", json!("x".repeat(256)), "at most 255 bytes", false);
        check("worker", json!(7), "worker is missing or not an object", false);
        check("worker", json!({"worker_id": -7}), "worker_id is negative", true);
        check("router_id", json!("x"), "router_id", false);
        check("lora_name", json!(7), "lora_name", false);
        check(
            "data",
            json!("Paused"),
            "data is missing or has an unknown value",
            false,
        );
        check("data", json!({"Paused": {}}), "data is missing", false);
        check(
            "data",
            json!({"AddRequest": 7}),
            "AddRequest is missing or not an object",
            false,
        );
        check(
            "data",
            json!({"AddRequest": {"isl": -1}}),
            "isl is negative",
            true,
        );
    }
}
