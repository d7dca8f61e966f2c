//! Wherever the fast path reads a forward pass, the general reader reads the same one; and what it refuses, and why.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{ForwardPass, Queued, Scheduled, fast};
use crate::codec::{Encoding, open};
use crate::{EventError, WorkerId};

/// Failing inputs are printed; files that remember them would only litter the tree.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1024)
    }
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..300_u64, 1 => any::<u64>()]
}

fn real() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        0.0..10.0_f64,
        any::<f64>().prop_filter("no variance", |number| number.is_finite() && *number >= 0.0),
    ]
}

fn scheduled() -> impl Strategy<Value = Scheduled> {
    (count(), count(), real(), count(), count(), count(), real()).prop_map(|fields| Scheduled {
        prefill_requests: fields.0,
        prefill_tokens: fields.1,
        prefill_length_variance: fields.2,
        prefill_kv_tokens: fields.3,
        decode_requests: fields.4,
        decode_kv_tokens: fields.5,
        decode_kv_variance: fields.6,
    })
}

fn pass() -> impl Strategy<Value = ForwardPass> {
    let seconds = 0.0..=ForwardPass::MAX_WALL_TIME;
    (count(), count(), count(), seconds, scheduled(), scheduled()).prop_map(|fields| ForwardPass {
        worker_id: WorkerId::new(fields.0),
        dp_rank: fields.1,
        counter_id: fields.2,
        wall_time: fields.3,
        scheduled: fields.4,
        queued: fields.5.as_queue(),
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_readers_read_what_is_written(pass in pass()) {
        let packed = Encoding::MessagePack.encode(&pass).expect("encodes");
        let opened = open(None, &packed).expect("opens");
        prop_assert_eq!(fast::read(&opened), Some(pass));
        prop_assert_eq!(ForwardPass::read_any(&opened), Ok(pass));
        // A serializer without names writes arrays in the order of declaration.
        let array = array(&pass);
        prop_assert_eq!(ForwardPass::read(&open(None, &array).expect("opens")), Ok(pass));
        let json = Encoding::Json.encode(&pass).expect("encodes");
        prop_assert_eq!(ForwardPass::read(&open(None, &json).expect("opens")), Ok(pass));
    }

    #[test]
    fn both_readers_agree_on_damaged_bytes(
        pass in pass(), damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4), cut in any::<Index>(),
    ) {
        let mut packed = Encoding::MessagePack.encode(&pass).expect("encodes");
        for (at, byte) in damage {
            let at = at.index(packed.len());
            packed[at] = byte;
        }
        for bytes in [&packed[..], &packed[..=cut.index(packed.len())]] {
            let opened = open(None, bytes).expect("opens");
            if let Some(pass) = fast::read(&opened) {
                prop_assert_eq!(ForwardPass::read_any(&opened), Ok(pass));
            }
        }
    }
}

fn array(pass: &ForwardPass) -> Vec<u8> {
    let ForwardPass {
        scheduled: s,
        queued: q,
        ..
    } = pass;
    let scheduled = (
        s.prefill_requests,
        s.prefill_tokens,
        s.prefill_length_variance,
        s.prefill_kv_tokens,
        s.decode_requests,
        s.decode_kv_tokens,
        s.decode_kv_variance,
    );
    let queued = (
        q.prefill_requests,
        q.prefill_tokens,
        q.prefill_length_variance,
        q.decode_requests,
        q.decode_kv_tokens,
        q.decode_kv_variance,
    );
    let id = pass.worker_id.to_string();
    let fields = (
        1,
        id,
        pass.dp_rank,
        pass.counter_id,
        pass.wall_time,
        scheduled,
        queued,
    );
    rmp_serde::to_vec(&fields).expect("encodes")
}

#[test]
fn a_pass_that_cannot_be_is_refused_by_name() {
    fn check(fields: &str, expected: &str, is_out_of_range: bool) {
        let payload = format!(
            r#"{{"worker_id": "7", "counter_id": 1, "wall_time": 0.1, "scheduled_requests": {{}},
            "queued_requests": {{}}, {fields}}}"#
        );
        let opened = open(None, payload.as_bytes()).expect("opens");
        let error = ForwardPass::read(&opened).expect_err(fields);
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.is_out_of_range(), is_out_of_range, "{error}");
    }
    check(r#""worker_id": "x""#, "worker_id is missing or not", false);
    check(r#""worker_id": -1"#, "worker_id is negative", true);
    check(r#""worker_id": 7.5"#, "worker_id", false);
    check(r#""worker_id": null"#, "worker_id is missing", false);
    check(r#""counter_id": null"#, "counter_id is missing", false);
    check(r#""wall_time": -0.1"#, "wall_time is negative", true);
    check(
        r#""wall_time": 86401"#,
        "wall_time is above the limit of 86400",
        true,
    );
    check(
        r#""wall_time": "fast""#,
        "wall_time is missing or not a number",
        false,
    );
    check(
        r#""scheduled_requests": 7"#,
        "scheduled_requests is missing",
        false,
    );
    check(r#""queued_requests": null"#, "queued_requests is missing", false);
    check(
        r#""queued_requests": {"num_decode_requests": -1}"#,
        "num_decode_requests is negative",
        true,
    );
    check(
        r#""queued_requests": {"var_prefill_length": -1}"#,
        "var_prefill_length is negative",
        true,
    );
    check(
        r#""queued_requests": {"sum_prefill_tokens": []}"#,
        "sum_prefill_tokens",
        false,
    );
    let nan = Encoding::MessagePack
        .encode(&ForwardPass {
            wall_time: f64::NAN,
            ..idle()
        })
        .expect("encodes");
    let error = ForwardPass::read(&open(None, &nan).expect("opens")).expect_err("NaN");
    assert_eq!(error, EventError::NotFinite("wall_time"));
}

#[test]
fn fields_may_come_in_any_order_with_others_between_them() {
    let payload =
        br#"{"queued_requests": {"new": [1, {"a": 2}], "num_prefill_requests": 4}, "wall_time": 1, "new": {},
        "scheduled_requests": {}, "counter_id": 3, "worker_id": 18446744073709551615}"#;
    let pass = ForwardPass::read(&open(None, payload).expect("opens")).expect("readable");
    let expected = ForwardPass {
        worker_id: WorkerId::new(u64::MAX),
        counter_id: 3,
        wall_time: 1.0,
        queued: Queued {
            prefill_requests: 4,
            ..Queued::default()
        },
        ..idle()
    };
    assert_eq!(pass, expected);
}

#[test]
fn a_pass_without_work_is_a_heartbeat_only_if_it_took_no_time() {
    assert!(idle().is_heartbeat());
    assert!(
        !ForwardPass {
            wall_time: 0.1,
            ..idle()
        }
        .is_heartbeat()
    );
    let queued = Queued {
        prefill_requests: 1,
        ..Queued::default()
    };
    assert!(!ForwardPass { queued, ..idle() }.is_heartbeat());
}

fn idle() -> ForwardPass {
    ForwardPass {
        worker_id: WorkerId::new(7),
        dp_rank: 0,
        counter_id: 1,
        wall_time: 0.0,
        scheduled: Scheduled::default(),
        queued: Queued::default(),
    }
}
