//! Traces as they are published and as other tools write them.

mod refusals;

use super::*;

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens";

fn detected(text: &str) -> Trace {
    Trace::parse(&TraceOptions::default(), text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn strict() -> TraceOptions {
    TraceOptions {
        strict: true,
        ..TraceOptions::default()
    }
}

fn refused(options: &TraceOptions, text: &[u8]) -> String {
    match Trace::read(options, text) {
        Ok(trace) => panic!("{trace:?}"),
        Err(error) => error.to_string(),
    }
}

fn request(at_ns: u64, input_tokens: u64, output_tokens: u64, hash_ids: &[u64]) -> TraceRequest {
    TraceRequest {
        at_ns,
        input_tokens,
        output_tokens,
        hash_ids: hash_ids.into(),
        next: None,
    }
}

#[test]
fn a_mooncake_trace_is_counted_from_its_first_request() {
    let trace = detected(
        r#"{"timestamp": 3000, "input_length": 915, "output_length": 355, "hash_ids": [0, 462]}
{"timestamp": 3000, "input_length": 512, "output_length": 1, "hash_ids": [7], "kind": "a field more"}

{"timestamp": 3000.5, "input_length": 513, "output_length": 2, "hash_ids": [0, 18446744073709551615]}
"#,
    );
    let expected = [
        request(0, 915, 355, &[0, 462]),
        request(0, 512, 1, &[7]),
        request(500_000, 513, 2, &[0, u64::MAX]),
    ];
    assert_eq!(trace.requests(), expected);
    assert_eq!(
        trace.reading().assumed(),
        "mooncake (detected), times in milliseconds (the format's), blocks of 512 tokens (the format's)"
    );
    assert_eq!(trace.reading().remarks(), [""; 0]);
}

#[test]
fn an_azure_trace_is_read_by_its_header() {
    let trace = detected(
        "\u{feff}GeneratedTokens,Model,TIMESTAMP,ContextTokens\r\n\
         10,m,2024-05-10 00:00:00.009930+00:00,4808\r\n\
         11,m,2024-05-10 00:00:01+00:00,3180\r\n\
         12,m,2024-05-10 02:00:01.5+02:00,110\r\n\
         13,m,2024-05-10 00:00:02.1234567,1\r\n\r\n",
    );
    let expected = [
        request(0, 4808, 10, &[]),
        request(990_070_000, 3180, 11, &[]),
        request(1_490_070_000, 110, 12, &[]),
        request(2_113_526_700, 1, 13, &[]),
    ];
    assert_eq!(trace.requests(), expected);
    assert_eq!(
        trace.reading().assumed(),
        "azure (detected), times are dates, no blocks, so prompts share nothing"
    );
}

#[test]
fn the_example_in_aiperfs_documentation_is_played() {
    let text = r#"{"timestamp": 0, "input_length": 655, "output_length": 52, "hash_ids": [0, 1, 2]}"#;
    let trace = detected(text);
    assert_eq!(trace.requests(), [request(0, 655, 52, &[0, 1, 2])]);
    assert_eq!(trace.block_tokens(), Some(256), "the only power of two that fits");
    assert!(
        trace
            .reading()
            .assumed()
            .ends_with("blocks of 256 tokens (detected)")
    );
    let options = TraceOptions {
        block_tokens: Some(300),
        ..strict()
    };
    let given = Trace::parse(&options, text).expect("300 fits as well");
    assert_eq!(given.block_tokens(), Some(300));
    let options = TraceOptions {
        block_tokens: Some(512),
        ..strict()
    };
    assert_eq!(
        refused(&options, text.as_bytes()),
        "line 1: hash_ids is a list of 3; expected at most 2 ids, one for every 512 of the 655 tokens of input_length; \
         --trace-block-size names another size"
    );
}

#[test]
fn rows_without_hash_ids_share_nothing() {
    let trace = detected(
        r#"{"timestamp": 0, "input_length": 655, "output_length": 52}
{"timestamp": 5, "input_length": 655, "output_length": 52, "hash_ids": null}"#,
    );
    assert_eq!(trace.requests()[1], request(5_000_000, 655, 52, &[]));
    assert_eq!((trace.block_tokens(), trace.reading().without_ids), (None, 2));
}

#[test]
fn a_turn_follows_the_end_of_the_one_before_it() {
    let trace = detected(
        r#"{"session_id": "a", "timestamp": 100, "input_length": 10, "output_length": 5}
{"session_id": "b", "timestamp": 0, "input_length": 20, "output_length": 5}
{"session_id": "a", "delay": 250, "input_length": 30, "output_length": 5}
{"session_id": "a", "delay": 0.5, "input_length": 40, "output_length": 5}
{"session_id": "b", "timestamp": 900, "input_length": 50, "output_length": 5}"#,
    );
    let inputs = |requests: &[TraceRequest]| -> Vec<u64> {
        requests.iter().map(|request| request.input_tokens).collect()
    };
    assert_eq!(
        inputs(trace.requests()),
        [20, 10, 50],
        "a turn with a time has it"
    );
    let second = trace.turn(trace.requests()[1].next.expect("the session goes on"));
    assert_eq!((second.input_tokens, second.at_ns), (30, 250_000_000));
    let third = trace.turn(second.next.expect("the session goes on"));
    assert_eq!((third.input_tokens, third.at_ns, third.next), (40, 500_000, None));
    assert_eq!(trace.requests()[0].next, None);
    assert_eq!(trace.reading().turns, 2);
}

#[test]
fn a_turn_whose_turn_before_is_missing_is_left_out() {
    let trace = detected(
        r#"{"session_id": "a", "timestamp": 0, "input_length": 0, "output_length": 5}
{"session_id": "a", "delay": 250, "input_length": 30, "output_length": 5}
{"timestamp": 7, "input_length": 30, "output_length": 5}"#,
    );
    assert_eq!(trace.all(), [request(0, 30, 5, &[])]);
    let remarks = trace.reading().remarks().join("\n");
    assert!(
        remarks.contains("2 rows left out")
            && remarks.contains("line 1: input_length is 0")
            && remarks.contains("line 2: session_id is \"a\", and the turn before it"),
        "{remarks}"
    );
}

#[test]
fn the_size_of_blocks_is_detected_or_asked_for() {
    let rows = |rows: &[(u64, usize)]| -> String {
        let row = |(input, ids): &(u64, usize)| {
            let ids: Vec<usize> = (0..*ids).collect();
            format!(
                "{{\"timestamp\": 0, \"input_length\": {input}, \"output_length\": 1, \"hash_ids\": {ids:?}}}\n"
            )
        };
        rows.iter().map(row).collect()
    };
    let check = |lengths: &[(u64, usize)], expected: u64| {
        assert_eq!(
            detected(&rows(lengths)).block_tokens(),
            Some(expected),
            "{lengths:?}"
        );
    };
    // As Dynamo's converter writes them, with the model's blocks.
    check(&[(640, 10), (641, 11), (63, 1)], 64);
    check(&[(512, 1), (100, 1)], 512);
    // No power of two, and only one size.
    check(&[(1000, 10), (1001, 11)], 100);
    // A row that does not fit does not change the size.
    check(&[(640, 10), (641, 11), (63, 1), (700, 2)], 64);
    let check = |lengths: &[(u64, usize)], reason: &str| {
        let text = rows(lengths);
        let error = refused(&TraceOptions::default(), text.as_bytes());
        assert!(
            error.contains(reason) && error.ends_with("--trace-block-size TOKENS"),
            "{error}"
        );
        let options = TraceOptions {
            block_tokens: Some(100),
            ..TraceOptions::default()
        };
        let given = Trace::parse(&options, &text).expect("the size is given");
        assert_eq!(given.block_tokens(), Some(100));
    };
    check(&[(600, 1)], "1024 and 1048576 tokens fit alike");
    check(&[(420, 3)], "all sizes from 140 to 209 tokens fit alike");
    check(
        &[(300, 3), (40, 4), (900, 1)],
        "no size fits more than 1 of 3 rows",
    );
}

#[test]
fn a_row_may_name_fewer_blocks_than_its_prompt_has() {
    let trace = detected(
        r#"{"timestamp": 0, "input_length": 2000, "output_length": 1, "hash_ids": [1, 2, 3, 4]}
{"timestamp": 1, "input_length": 1000, "output_length": 1, "hash_ids": [1, 2]}
{"timestamp": 2, "input_length": 2000, "output_length": 1, "hash_ids": [1]}"#,
    );
    assert_eq!(trace.requests().len(), 3);
    assert_eq!(
        trace.reading().remarks(),
        ["1 row with fewer hash_ids than full blocks: the rest of these prompts shares nothing"]
    );
}

#[test]
fn qwen_bailian_has_seconds_and_blocks_of_16() {
    let text = r#"{"chat_id": 159, "parent_chat_id": -1, "timestamp": 61.114, "input_length": 33, "output_length": 132, "type": "text", "turn": 1, "hash_ids": [1089, 1090, 1091]}
{"chat_id": 160, "parent_chat_id": 159, "timestamp": 62.5, "input_length": 400, "output_length": 80, "type": "text", "turn": 2, "hash_ids": [1089, 1090]}"#;
    let trace = detected(text);
    let expected = [
        request(0, 33, 132, &[1089, 1090, 1091]),
        request(1_386_000_000, 400, 80, &[1089, 1090]),
    ];
    assert_eq!(trace.requests(), expected);
    assert_eq!(
        trace.reading().assumed(),
        "qwen (detected), times in seconds (the format's), blocks of 16 tokens (the format's)"
    );
    let options = TraceOptions {
        time_unit: Some(TimeUnit::Ms),
        ..TraceOptions::default()
    };
    let other = Trace::parse(&options, text).expect("the unit is given");
    assert_eq!(other.requests()[1].at_ns, 1_386_000);
    assert!(other.reading().assumed().contains("times in milliseconds,"));
}

#[test]
fn burstgpt_has_seconds() {
    let trace = detected(
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
         5,ChatGPT,472,18,490,Conversation log\n\
         45.5,GPT-4,1087,230.0,1317,API log\n\
         46,ChatGPT,417,0,417,Conversation log\n",
    );
    let expected = [
        request(0, 472, 18, &[]),
        request(40_500_000_000, 1087, 230, &[]),
        request(41_000_000_000, 417, 1, &[]),
    ];
    assert_eq!(trace.requests(), expected);
    assert_eq!(trace.reading().format, TraceFormat::Burstgpt);
    assert_eq!(
        trace.reading().remarks(),
        ["1 row with an answer of 0 tokens: played with 1, which the end of a prompt makes"]
    );
}

#[test]
fn rows_are_put_in_the_order_of_time() {
    let row = |time: u64, input: u64| {
        format!("{{\"timestamp\": {time}, \"input_length\": {input}, \"output_length\": 1}}\n")
    };
    let trace = detected(&[row(20, 1), row(10, 2), row(30, 3), row(20, 4)].concat());
    let found: Vec<(u64, u64)> = trace
        .requests()
        .iter()
        .map(|request| (request.at_ns / 1_000_000, request.input_tokens))
        .collect();
    assert_eq!(
        found,
        [(0, 2), (10, 1), (10, 4), (20, 3)],
        "those of one time as in the file"
    );
    assert_eq!(
        trace.reading().remarks(),
        ["2 rows out of order: requests are played in the order of time"]
    );
}

#[test]
fn formats_and_units_are_named_alike_in_flags_scenarios_and_messages() {
    for format in TraceFormat::value_variants() {
        let value = format.to_possible_value().expect("none is hidden");
        assert_eq!(value.get_name(), format.as_str());
        let read: TraceFormat = serde_json::from_str(&format!("\"{format}\"")).expect("it is its name");
        assert_eq!(read, *format);
    }
    for unit in TimeUnit::value_variants() {
        let value = unit.to_possible_value().expect("none is hidden");
        assert_eq!(value.get_name(), unit.as_str());
        let read: TimeUnit = serde_json::from_str(&format!("\"{unit}\"")).expect("it is its name");
        assert_eq!(read, *unit);
    }
}

#[test]
fn a_summary_has_rates_lengths_and_what_a_cache_would_have() {
    // Two prompts in turn, then a third one that nothing has in common with them: a cache of 4 blocks holds both.
    let row = |time: u64, ids: [u64; 2]| {
        format!(
            "{{\"timestamp\": {time}, \"input_length\": 1024, \"output_length\": 3, \"hash_ids\": {ids:?}}}\n"
        )
    };
    let rows = [
        row(0, [1, 2]),
        row(1000, [3, 4]),
        row(2000, [1, 2]),
        row(3000, [3, 5]),
        row(6000, [6, 7]),
    ];
    let trace = detected(&rows.concat());
    let curve = HitCurve::of(&trace);
    let hits = |blocks| (curve.hit_ratio(blocks).expect("it has blocks") * 10.0).round();
    assert_eq!((curve.lookups(), curve.distinct()), (10, 7));
    assert_eq!([2, 3, 4, 100].map(hits), [0.0, 2.0, 3.0, 3.0]);
    let summary = Summary::of(&trace);
    assert_eq!((summary.requests, summary.span_seconds), (5, 6.0));
    assert_eq!(summary.mean_rate, Some(5.0 / 6.0));
    assert_eq!(summary.requests_over_time.iter().sum::<u64>(), 5);
    assert_eq!(
        (summary.requests_over_time[10], summary.requests_over_time[59]),
        (1, 1)
    );
    assert_eq!(summary.sharing_requests, 2);
    assert_eq!((summary.input_tokens.min, summary.output_tokens.p99), (1024, 3));
    assert_eq!(
        summary.cache.last().map(|size| (size.blocks, size.hit_ratio)),
        Some((None, 0.3))
    );
}
