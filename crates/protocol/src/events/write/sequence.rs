//! Requests as routers assign them, with the hashes of their prompts' blocks.

use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Of, Release};
use crate::WorkerId;

/// One event of `active_sequences_events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceEvent {
    /// The request.
    pub request_id: String,
    /// The worker that has it.
    pub worker_id: WorkerId,
    /// The rank within a data-parallel group.
    pub dp_rank: u64,
    /// What happened.
    pub change: SequenceChange,
    /// Which router reports it; where a worker does, its own id.
    pub router_id: u64,
    /// The request's LoRA adapter.
    pub lora_name: Option<String>,
}

/// What happened to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SequenceChange {
    /// A router assigned it to the worker.
    AddRequest(AddRequest),
    /// It has its first token.
    MarkPrefillCompleted,
    /// It is done.
    Free,
}

/// A request that is assigned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddRequest {
    /// One hash for each block of the prompt.
    pub token_sequence: Option<Vec<u64>>,
    /// Length of the prompt in tokens; left out from 1.2 on.
    pub isl: u64,
    /// Blocks of the prompt that the worker's cache has; left out from 1.2 on.
    pub overlap: u64,
    /// How many tokens are expected to be generated.
    pub expected_output_tokens: Option<u64>,
    /// Whether the router counts the prompt as load until its first token; left out as of 1.0.
    pub track_prefill_tokens: bool,
    /// The load that the prompt is; left out as of 1.0.
    pub prefill_load_hint: Option<PrefillLoadHint>,
}

/// The load that a prompt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PrefillLoadHint {
    /// Prompt tokens that the worker has to compute.
    pub initial_effective_prefill_tokens: u64,
    /// How long that is expected to take.
    pub expected_prefill_duration: Option<Duration>,
}

impl SequenceEvent {
    /// What a release writes.
    pub fn of(&self, release: Release) -> Of<'_, Self> {
        Of { event: self, release }
    }
}

impl Serialize for Of<'_, SequenceEvent> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Worker {
            worker_id: WorkerId,
            dp_rank: u64,
        }
        let Self { event, release } = *self;
        let worker = Worker {
            worker_id: event.worker_id,
            dp_rank: event.dp_rank,
        };
        let change = &event.change;
        let data = Of {
            event: change,
            release,
        };
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("request_id", &event.request_id)?;
        map.serialize_entry("worker", &worker)?;
        map.serialize_entry("data", &data)?;
        map.serialize_entry("router_id", &event.router_id)?;
        map.serialize_entry("lora_name", &event.lora_name)?;
        map.end()
    }
}

impl Serialize for Of<'_, SequenceChange> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        enum Change<'a> {
            AddRequest(Of<'a, AddRequest>),
            MarkPrefillCompleted,
            Free,
        }
        match self.event {
            SequenceChange::AddRequest(event) => Change::AddRequest(Of {
                event,
                release: self.release,
            }),
            SequenceChange::MarkPrefillCompleted => Change::MarkPrefillCompleted,
            SequenceChange::Free => Change::Free,
        }
        .serialize(serializer)
    }
}

impl Serialize for Of<'_, AddRequest> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, release } = self;
        let fields = if *release == Release::V1_1 { 6 } else { 4 };
        let mut map = serializer.serialize_map(Some(fields))?;
        map.serialize_entry("token_sequence", &event.token_sequence)?;
        if *release < Release::V1_2 {
            map.serialize_entry("isl", &event.isl)?;
            map.serialize_entry("overlap", &event.overlap)?;
            map.serialize_entry("expected_output_tokens", &event.expected_output_tokens)?;
        }
        if *release >= Release::V1_1 {
            map.serialize_entry("track_prefill_tokens", &event.track_prefill_tokens)?;
        }
        if *release >= Release::V1_2 {
            map.serialize_entry("expected_output_tokens", &event.expected_output_tokens)?;
        }
        if *release >= Release::V1_1 {
            map.serialize_entry("prefill_load_hint", &event.prefill_load_hint)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_router_adds_is_written_in_the_layout_of_each_release() {
        fn check(release: Release, expected: &str) {
            let hint = PrefillLoadHint {
                initial_effective_prefill_tokens: 51,
                expected_prefill_duration: None,
            };
            let add = AddRequest {
                token_sequence: Some(vec![1]),
                isl: 37,
                overlap: 2,
                expected_output_tokens: Some(20),
                track_prefill_tokens: true,
                prefill_load_hint: Some(hint),
            };
            let written = serde_json::to_string(&Of { event: &add, release });
            assert_eq!(written.expect("encodes"), expected);
        }
        let old = r#""token_sequence":[1],"isl":37,"overlap":2,"expected_output_tokens":20"#;
        let hint =
            r#""prefill_load_hint":{"initial_effective_prefill_tokens":51,"expected_prefill_duration":null}"#;
        check(Release::V1_0, &format!("{{{old}}}"));
        check(
            Release::V1_1,
            &format!(r#"{{{old},"track_prefill_tokens":true,{hint}}}"#),
        );
        check(
            Release::V1_2,
            &format!(
                r#"{{"token_sequence":[1],"track_prefill_tokens":true,"expected_output_tokens":20,{hint}}}"#
            ),
        );
    }
}
