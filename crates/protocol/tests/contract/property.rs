//! What holds for any input: names, subjects, templates, and bytes that are no message at all.

mod agreement;
mod inputs;
mod subjects;

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use protocol::codec::open;
use protocol::description::NotADescription;
use protocol::events::{ForwardPass, KvEvent, MAX_KV_EVENTS, RequestTrace, SequenceEvent, Topic};
use protocol::subject::{self, Instance, SubjectParts};
use protocol::{
    Description, Encoding, EndpointPath, KvHitRate, KvMetrics, Layout, Opened, ReplyLimits, StatsReading,
    StatsReply, StatsShape, SubjectPattern, WorkerId, WorkerStats, WorkerSubject,
};
use serde_json::Value;

use crate::recordings;
use inputs::{json_text, layout, load_data, partial_stats, path, pattern, stats, worker_id};

/// Failing inputs are printed; files that remember them would only litter the tree.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(512)
    }
}

fn is_subject(text: &str) -> bool {
    text.split('.').all(|token| !token.is_empty())
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '*' | '>'))
}

fn is_micro_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_path_is_read_back_as_it_was_written(path in path()) {
        let written = path.to_string();
        prop_assert_eq!(written.parse::<EndpointPath>(), Ok(path.clone()));
        prop_assert_eq!(format!("dyn://{written}").parse::<EndpointPath>(), Ok(path.clone()));
        let EndpointPath { namespace, component, endpoint } = &path;
        let display_form = format!("{namespace}/{component}/_endpoint_/{endpoint}");
        prop_assert_eq!(display_form.parse::<EndpointPath>(), Ok(path.clone()));
        if !written.contains('.') {
            prop_assert_eq!(written.replace('/', ".").parse::<EndpointPath>(), Ok(path.clone()));
        }
        let json = serde_json::to_string(&path).expect("encodes");
        prop_assert_eq!(serde_json::from_str::<EndpointPath>(&json).expect("decodes"), path);
    }

    #[test]
    fn a_path_that_is_read_at_all_is_written_in_one_form(text in "(dyn://)?[a-z._/-]{1,20}") {
        if let Ok(path) = text.parse::<EndpointPath>() {
            prop_assert_eq!(path.to_string().parse::<EndpointPath>(), Ok(path));
        }
    }

    #[test]
    fn a_subject_is_read_back_as_it_was_written(
        path in path(), layout in layout(), id in prop::option::of(worker_id()),
    ) {
        let Ok(subject) = WorkerSubject::new(&path, layout, id) else {
            prop_assert_eq!(layout, Layout::Plain, "a hashed layout has a name for everything");
            return Ok(());
        };
        let written = subject.to_string();
        let parts = SubjectParts::split(&written).expect("has a dot");
        prop_assert_eq!(parts.service, subject.service().as_str());
        prop_assert_eq!(parts.read(&path.endpoint), Ok(id.map_or(Instance::Static, Instance::Worker)));
        prop_assert!(is_subject(&written), "{}", written);
        prop_assert!(is_micro_name(subject.service().as_str()), "{}", written);
        prop_assert!(is_micro_name(&subject.micro_name()), "{}", subject.micro_name());
    }

    #[test]
    fn a_subject_is_only_ever_read_as_what_would_be_written_so(
        path in path(), other in path(), tail in "[-.a-f0-9]{0,18}", id in worker_id(),
    ) {
        let service = Layout::Hashed.service_name(&path.namespace, &path.component).expect("hashed");
        let near = format!("{service}.{}{tail}", path.endpoint);
        let far = format!("{service}.{}-{id:x}", other.endpoint);
        for subject in [near, far] {
            let Some(parts) = SubjectParts::split(&subject) else { continue };
            let id = match parts.read(&path.endpoint) {
                Ok(Instance::Worker(id)) => Some(id),
                Ok(Instance::Static) => None,
                Err(_) => continue,
            };
            let again = WorkerSubject::new(&path, Layout::Hashed, id).expect("hashed");
            prop_assert_eq!(again.to_string(), subject);
        }
    }

    #[test]
    fn the_hash_keeps_components_apart_that_slug_alike(path in path(), hashed in select(&[Layout::Hashed, Layout::HashedPipe][..])) {
        let name = |component: &str| {
            let component = component.parse().expect("valid");
            hashed.service_name(&path.namespace, &component).expect("hashed")
        };
        let written = path.component.as_str();
        for twin in [written.to_uppercase(), written.to_lowercase(), written.replace('-', "_")] {
            prop_assert_eq!(name(written) == name(&twin), written == twin, "{} and {}", written, twin);
        }
    }

    #[test]
    fn a_pattern_reads_the_subjects_that_it_writes(pattern in pattern(), path in path(), id in worker_id()) {
        prop_assert_eq!(pattern.to_string().parse::<SubjectPattern>(), Ok(pattern.clone()));
        let subject = pattern.subject(&path, id);
        let bound = pattern.bind(&path);
        prop_assert_eq!(bound.read(&subject), Ok(id), "{} wrote {}", pattern, subject);
        prop_assert!(is_subject(&subject), "{} wrote {}", pattern, subject);
        let digits = if pattern.as_str().contains(":dec") { id.to_string() } else { format!("{id:x}") };
        for candidate in bound.candidates() {
            let subject = candidate.replace("{worker_id:dec}", "{worker_id}").replace("{worker_id}", &digits);
            prop_assert_eq!(bound.read(&subject), Ok(id), "{} wrote {}", pattern, subject);
        }
    }

    #[test]
    fn a_pattern_never_takes_the_worker_of_a_path_that_is_spelled_otherwise(
        pattern in pattern(), path in path(), other in path(), id in worker_id(),
    ) {
        let (bound, foreign) = (pattern.bind(&path), pattern.subject(&other, id));
        if let Ok(read) = bound.read(&foreign) {
            let digits = if pattern.as_str().contains(":dec") { read.to_string() } else { format!("{read:x}") };
            let spelled_so = bound.candidates().any(|c| c.replace("{worker_id}", &digits) == foreign);
            prop_assert!(spelled_so, "{} took {} as {:?} of {}", pattern, foreign, read, path);
        }
    }

    #[test]
    fn where_the_id_comes_last_only_equal_spellings_match(path in path(), other in path(), id in worker_id()) {
        let pattern: SubjectPattern = "w.{namespace}.{component}.{endpoint}-{worker_id}".parse().expect("complete");
        let (mine, foreign) = (pattern.bind(&path), pattern.bind(&other));
        let alike = mine.candidates().any(|candidate| foreign.candidates().next() == Some(candidate));
        prop_assert_eq!(mine.read(&pattern.subject(&other, id)).is_ok(), alike);
    }

    #[test]
    fn a_description_is_read_back_as_it_was_written_or_not_at_all(path in path()) {
        let description = Description { component: path.component, namespace: path.namespace };
        let text = description.to_string();
        let names = text.strip_prefix("Dynamo component ").expect("its beginning");
        let has_two_readings = names.find(" in namespace ") != names.rfind(" in namespace ");
        let expected = if has_two_readings { Err(NotADescription) } else { Ok(description) };
        prop_assert_eq!(text.parse::<Description>(), expected.clone());
        let reply = serde_json::json!({"description": text}).to_string();
        prop_assert_eq!(Description::from_info_reply(reply.as_bytes()), expected);
    }

    #[test]
    fn whatever_the_names_are_the_subjects_of_events_are_valid(path in path()) {
        let published = subject::event(&path.namespace, Topic::KvMetrics.as_str());
        let heard = subject::event_patterns(&[subject::Wanted::from(&path)], &[Topic::KvMetrics]);
        prop_assert!(heard.contains(&published), "{} is not in {:?}", published, heard);
        for subject in &heard {
            prop_assert!(is_subject(subject), "{}", subject);
        }
    }

    #[test]
    fn a_hit_ratio_lies_between_zero_and_one(id in worker_id(), isl in any::<u64>(), overlap in any::<u64>()) {
        let payload = format!(r#"{{"worker_id": {id}, "isl_blocks": {isl}, "overlap_blocks": {overlap}}}"#);
        let event = KvHitRate::decode(None, payload.as_bytes());
        prop_assert_eq!(event.is_ok(), overlap <= isl);
        prop_assert_eq!(&event, &KvHitRate::new(id, isl, overlap));
        if let Ok(event) = event {
            let ratio = event.hit_ratio();
            prop_assert_eq!(ratio.is_none(), isl == 0);
            prop_assert!(ratio.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)), "{:?}", ratio);
            for encoding in [Encoding::Json, Encoding::MessagePack] {
                let payload = encoding.encode(&event).expect("encodes");
                prop_assert_eq!(KvHitRate::decode(None, &payload), Ok(event));
            }
        }
    }

    #[test]
    fn load_is_read_back_as_it_was_written_in_every_shape_and_encoding(stats in stats(), id in worker_id()) {
        let says_something = counts(&stats)[..5].iter().any(Option::is_some) || !ratios(&stats).is_empty();
        for shape in [StatsShape::Flat, StatsShape::Nested] {
            let reading = WorkerStats::read(&stats.to_data(shape)).expect("our own");
            prop_assert!(reading.refused.is_empty(), "{:?}", reading.refused);
            prop_assert_eq!(reading.stats.is_some(), says_something);
            prop_assert_eq!(reading.stats.unwrap_or_else(|| stats.clone()), stats.clone());
        }
        let event = KvMetrics::new(id, stats);
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            let payload = encoding.encode(&event).expect("encodes");
            let read = KvMetrics::decode(Some(encoding.content_type()), &payload);
            prop_assert_eq!(read.is_ok(), says_something);
            prop_assert_eq!(read.unwrap_or_else(|_| event.clone()), event.clone());
        }
    }

    #[test]
    fn load_that_is_put_together_stays_in_range(older in partial_stats(), newer in partial_stats()) {
        assert_in_range(&WorkerStats::of_ranks([&older, &newer]));
        let updated = older.updated_by(&newer);
        assert_in_range(&updated);
        for (now, said) in counts(&updated).into_iter().zip(counts(&newer)) {
            prop_assert!(said.is_none() || now == said, "what is new counts: {:?}", updated);
        }
    }

    #[test]
    fn any_load_that_is_taken_is_in_range(data in load_data()) {
        let reply = format!(r#"{{"id": "a", "endpoints": [{{"subject": "s.e-1", "data": {data}}}]}}"#);
        let reply = StatsReply::decode(reply.as_bytes()).expect("one good object");
        if let Ok(data) = &reply.endpoints[0].data
            && let Ok(StatsReading { stats: Some(stats), .. }) = WorkerStats::read(data)
        {
            assert_in_range(&stats);
        }
        let event = format!(r#"{{"worker_id": 1, "data": {data}}}"#);
        if let Ok(event) = KvMetrics::decode(None, event.as_bytes()) {
            assert_in_range(&event.stats);
        }
    }

    #[test]
    fn whatever_an_endpoint_says_its_neighbours_keep_their_numbers(at in 0..3_usize, garbage in json_text()) {
        let reply = reply_of_three(at, &garbage);
        let reply = StatsReply::decode(reply.as_bytes()).expect("a list of endpoints");
        prop_assert_eq!(reply.endpoints.len() + reply.refused.len(), 3);
        assert_neighbours_keep_their_numbers(&reply, at);
    }

    #[test]
    fn damage_within_an_endpoint_costs_the_reply_or_that_endpoint_but_never_moves_a_number(
        at in 0..3_usize, damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut endpoint = endpoint_text(at).into_bytes();
        for (index, byte) in damage {
            let at = index.index(endpoint.len());
            endpoint[at] = byte;
        }
        let parts = reply_of_three(at, "\u{0}");
        let (before, behind) = parts.split_once('\u{0}').expect("the place of the endpoint");
        let reply = [before.as_bytes(), &endpoint, behind.as_bytes()].concat();
        if let Ok(reply) = StatsReply::decode(&reply) {
            assert_neighbours_keep_their_numbers(&reply, at);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_with_everything(&bytes);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>(), json in json_text(), near in "[a-z{}_:./>*-]{0,40}") {
        for text in [text, json, near] {
            read_with_everything(text.as_bytes());
        }
    }

    #[test]
    fn no_damaged_recording_makes_a_reader_panic(
        which in any::<Index>(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in any::<Index>(),
    ) {
        let mut message = which.get(&RECORDED).clone();
        for (index, byte) in damage {
            let at = index.index(message.len());
            message[at] = byte;
        }
        read_with_everything(&message);
        read_with_everything(&message[..cut.index(message.len())]);
    }
}

/// Every recorded message of any kind.
static RECORDED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let bytes_of = |recording: recordings::Recording| {
        let texts = recording.stats_replies.into_iter().chain(recording.info_replies);
        let events = recording.events.into_iter().map(|event| event.payload);
        texts.map(String::into_bytes).chain(events).collect::<Vec<_>>()
    };
    recordings::all().into_iter().flat_map(bytes_of).collect()
});

fn read_with_everything(bytes: &[u8]) {
    let tight = ReplyLimits {
        bytes: 100,
        endpoints: 1,
        depth: 2,
    };
    for limits in [ReplyLimits::default(), tight] {
        let reply = StatsReply::decode_within(bytes, limits);
        for endpoint in reply.map(|reply| reply.endpoints).unwrap_or_default() {
            if let Ok(data) = &endpoint.data {
                read_load(data);
            }
            assert!(
                endpoint
                    .processing_seconds
                    .is_none_or(|s| s.is_finite() && s >= 0.0)
            );
        }
    }
    if let Ok(data) = serde_json::from_slice(bytes) {
        read_load(&data);
    }
    for content_type in [None, Some("application/json"), Some("application/msgpack")] {
        if let Ok(event) = KvHitRate::decode(content_type, bytes) {
            assert!(event.hit_ratio().is_none_or(|ratio| (0.0..=1.0).contains(&ratio)));
        }
        if let Ok(event) = KvMetrics::decode(content_type, bytes) {
            assert_in_range(&event.stats);
        }
        if let Ok(opened) = open(content_type, bytes) {
            read_event_with_everything(&opened);
        }
    }
    if let Ok(Some(trace)) = RequestTrace::read(bytes) {
        let times = [
            trace.ttft,
            trace.total,
            trace.avg_itl,
            trace.prefill,
            trace.prefill_wait,
        ];
        let limits = 0.0..=RequestTrace::MAX_SECONDS;
        assert!(
            times.into_iter().flatten().all(|time| limits.contains(&time)),
            "{trace:?}"
        );
        assert!(trace.kv_hit_rate.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)));
    }
    let _ = Description::from_info_reply(bytes);
    read_text_with_everything(&String::from_utf8_lossy(bytes));
}

fn read_event_with_everything(opened: &Opened<'_>) {
    if let Ok(pass) = ForwardPass::read(opened) {
        let (scheduled, queued) = (pass.scheduled, pass.queued);
        for number in [
            pass.wall_time,
            scheduled.prefill_length_variance,
            scheduled.decode_kv_variance,
            queued.prefill_length_variance,
            queued.decode_kv_variance,
        ] {
            assert!(number.is_finite() && number.is_sign_positive(), "{pass:?}");
        }
    }
    if let Ok(events) = KvEvent::read_all(opened) {
        assert!(events.len() <= MAX_KV_EVENTS, "{events:?}");
    }
    if let Ok(event) = SequenceEvent::read(opened) {
        assert!((1..=255).contains(&event.request_id.len()), "{event:?}");
    }
}

fn read_text_with_everything(text: &str) {
    for reading in subject::EventSubject::read(text) {
        assert!(
            reading.endpoint.is_none() || reading.component.is_some(),
            "{reading:?}"
        );
    }
    let path: EndpointPath = "dynamo/backend/generate".parse().expect("valid");
    let _ = text.parse::<Description>();
    let _ = text.parse::<EndpointPath>();
    let _ = (text.parse::<WorkerId>(), WorkerId::from_hex(text));
    if let Some(parts) = SubjectParts::split(text) {
        let _ = (parts.guess(), parts.read(&path.endpoint));
    }
    if let Ok(pattern) = text.parse::<SubjectPattern>() {
        let _ = (pattern.bind(&path).read(text), pattern.guess(text));
    }
    let known: SubjectPattern = "{hash}.{endpoint}-{worker_id}".parse().expect("complete");
    let _ = (known.bind(&path).read(text), known.guess(text));
}

fn read_load(data: &Value) {
    if let Ok(StatsReading {
        stats: Some(stats), ..
    }) = WorkerStats::read(data)
    {
        assert_in_range(&stats);
    }
}

fn counts(stats: &WorkerStats) -> [Option<u64>; 6] {
    [
        stats.request_slots_active(),
        stats.request_slots_capacity(),
        stats.requests_waiting(),
        stats.kv_blocks_active(),
        stats.kv_blocks_capacity(),
        stats.data_parallel_rank(),
    ]
}

fn ratios(stats: &WorkerStats) -> Vec<f64> {
    let ratios = [stats.kv_usage_ratio(), stats.prefix_cache_hit_ratio()];
    ratios.into_iter().flatten().collect()
}

fn assert_in_range(stats: &WorkerStats) {
    let [slots, slot_capacity, _, blocks, block_capacity, _] = counts(stats);
    for (active, capacity) in [(slots, slot_capacity), (blocks, block_capacity)] {
        if let (Some(active), Some(capacity)) = (active, capacity) {
            assert!(active <= capacity, "{stats:?}");
        }
    }
    let in_range = |ratio: &f64| (0.0..=1.0).contains(ratio) && ratio.is_sign_positive();
    assert!(ratios(stats).iter().all(in_range), "{stats:?}");
}

fn endpoint_text(at: usize) -> String {
    let (requests, active) = (at + 1, at + 10);
    format!(
        r#"{{"name":"s-e-{at}","subject":"s.e-{at}","num_requests":{requests},"data":{{"kv_stats":{{"kv_active_blocks":{active}}}}}}}"#
    )
}

/// A reply with three endpoints, the one at `at` written as `text`.
fn reply_of_three(at: usize, text: &str) -> String {
    let mut endpoints = [endpoint_text(0), endpoint_text(1), endpoint_text(2)];
    text.clone_into(&mut endpoints[at]);
    format!(r#"{{"name":"s","id":"a","endpoints":[{}]}}"#, endpoints.join(","))
}

fn assert_neighbours_keep_their_numbers(reply: &StatsReply, at: usize) {
    let whole = StatsReply::decode(reply_of_three(0, &endpoint_text(0)).as_bytes()).expect("good");
    let behind = 2 - at;
    let found = &reply.endpoints;
    assert!(found.len() >= 2, "{reply:?}");
    assert_eq!(found[..at], whole.endpoints[..at], "those before");
    assert_eq!(
        found[found.len() - behind..],
        whole.endpoints[at + 1..],
        "those behind"
    );
}
