//! Rows, files and options that are refused, with the place and the remedy.

use super::*;

#[test]
fn rows_that_cannot_be_played_are_counted_and_the_first_three_are_named() {
    let bad = "{\"timestamp\": 5, \"input_length\": 0, \"output_length\": 1}\n";
    let good = "{\"timestamp\": 5, \"input_length\": 9, \"output_length\": 1}\n";
    let trace = detected(&[good, bad, bad, good, bad, bad].concat());
    assert_eq!((trace.requests().len(), trace.reading().skipped), (2, 4));
    let fault = "input_length is 0; expected a whole number from 1 to 10000000";
    assert_eq!(
        trace.reading().remarks(),
        [format!(
            "4 rows left out that cannot be played: line 2: {fault}; line 3: {fault}; line 5: {fault}"
        )]
    );
    let text = bad.repeat(4);
    assert_eq!(
        refused(&TraceOptions::default(), text.as_bytes()),
        format!(
            "none of its rows can be played (4 in all): line 1: {fault}; line 2: {fault}; line 3: {fault}"
        )
    );
    assert_eq!(
        refused(&strict(), [good, bad].concat().as_bytes()),
        format!("line 2: {fault}")
    );
}

#[test]
fn a_mooncake_field_that_cannot_be_is_an_error_with_its_line_where_that_is_wanted() {
    let good = r#"{"timestamp": 5, "input_length": 1, "output_length": 1, "hash_ids": [0]}"#;
    let check = |wrong: &str, expected: &str| {
        let text = format!("{good}\n{wrong}\n");
        let found = refused(&strict(), text.as_bytes());
        assert_eq!(found, format!("line 2: {expected}"), "{text}");
    };
    check(
        "[1]",
        "it is not a JSON object: invalid type: sequence, expected a map at column 0",
    );
    check(
        "{",
        "it is not a JSON object: EOF while parsing an object at column 1",
    );
    check(
        r#"{"input_length": 1, "output_length": 1, "hash_ids": [0]}"#,
        "timestamp is missing; expected a number of milliseconds from 0 to 1e15",
    );
    check(
        r#"{"delay": 3, "input_length": 1, "output_length": 1, "hash_ids": [0]}"#,
        "timestamp is missing; expected a number of milliseconds from 0 to 1e15",
    );
    check(
        r#"{"timestamp": -1, "input_length": 1, "output_length": 1, "hash_ids": [0]}"#,
        "timestamp is -1; expected a number of milliseconds from 0 to 1e15",
    );
    check(
        r#"{"session_id": "x", "delay": -1, "input_length": 1, "output_length": 1}"#,
        "delay is -1; expected a number of milliseconds from 0 to 1e15",
    );
    check(
        r#"{"session_id": "x", "delay": 1, "input_length": 1, "output_length": 1}"#,
        "session_id is \"x\", and the turn before it in this session is missing or cannot be played",
    );
    check(
        r#"{"session_id": [], "timestamp": 1, "input_length": 1, "output_length": 1}"#,
        "session_id is []; expected a text or a number",
    );
    check(
        r#"{"timestamp": 5, "input_length": 10000001, "output_length": 1, "hash_ids": []}"#,
        "input_length is 10000001; expected a whole number from 1 to 10000000",
    );
    check(
        r#"{"timestamp": 5, "input_length": 1, "output_length": "7", "hash_ids": [0]}"#,
        "output_length is \"7\"; expected a whole number from 0 to 10000000",
    );
    check(
        r#"{"timestamp": 5, "input_length": 1, "output_length": 1, "hash_ids": 7}"#,
        "hash_ids is 7; expected a list of whole numbers",
    );
    check(
        r#"{"timestamp": 5, "input_length": 1, "output_length": 1, "hash_ids": [-3]}"#,
        "hash_ids is a list with -3; expected ids that are whole numbers",
    );
}

#[test]
fn an_azure_cell_that_cannot_be_is_an_error_with_its_line_where_that_is_wanted() {
    let check = |wrong: &str, expected: &str| {
        let text = format!("{HEADER}\n2023-11-16 18:17:03.97,5,6\n\n{wrong}\n");
        let found = refused(&strict(), text.as_bytes());
        assert_eq!(found, format!("line 4: {expected}"), "{text}");
    };
    let time = "expected a time such as 2023-11-16 18:17:03.9799600 or 2024-05-10 00:00:00.009930+00:00";
    check(
        "2023-11-16 18:17:04,5",
        "it has 2 cells; expected 3, as in the header",
    );
    check("2023-11-16,5,6", &format!("TIMESTAMP is 2023-11-16; {time}"));
    check(
        "2023-13-16 18:17:04,5,6",
        &format!("TIMESTAMP is 2023-13-16 18:17:04; {time}"),
    );
    check(",5,6", &format!("TIMESTAMP is empty; {time}"));
    check(
        "2023-11-16 18:17:04,0,6",
        "ContextTokens is 0; expected a whole number from 1 to 10000000",
    );
    check(
        "2023-11-16 18:17:04,5,-6",
        "GeneratedTokens is -6; expected a whole number from 0 to 10000000",
    );
    check(
        "2923-11-16 18:17:03.96,5,6",
        "TIMESTAMP is too far away; expected less than 584 years after the first request",
    );
}

#[test]
fn what_is_in_no_known_format_is_refused_with_those_that_are() {
    let error = refused(&TraceOptions::default(), b"\ntime,tokens\n1,2\n");
    for part in [
        "line 2",
        "time,tokens",
        "mooncake",
        "TIMESTAMP,ContextTokens",
        "Timestamp,Request tokens",
    ] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
    let azure = TraceOptions::from(TraceFormat::Azure);
    assert_eq!(
        refused(&azure, b"TIMESTAMP,ContextTokens\n2023-11-16 18:17:03.97,5\n"),
        "line 1: the header has no column GeneratedTokens, it is \"TIMESTAMP,ContextTokens\"; \
         expected TIMESTAMP,ContextTokens,GeneratedTokens"
    );
}

#[test]
fn an_option_that_means_nothing_is_refused() {
    let text = format!("{HEADER}\n2023-11-16 18:17:03.97,5,6\n");
    let options = TraceOptions {
        time_unit: Some(TimeUnit::S),
        ..TraceOptions::default()
    };
    assert!(refused(&options, text.as_bytes()).contains("--trace-time-unit s has no meaning"));
    let options = TraceOptions {
        block_tokens: Some(16),
        ..TraceOptions::default()
    };
    assert!(refused(&options, text.as_bytes()).contains("--trace-block-size 16 has no meaning"));
}

#[test]
fn a_trace_without_requests_is_refused() {
    for text in ["", "\n\n", HEADER] {
        let error = refused(&TraceOptions::default(), text.as_bytes());
        assert_eq!(error, "the trace has no requests", "{text:?}");
    }
}

#[test]
fn what_is_no_text_or_too_long_is_refused() {
    let options = TraceOptions::from(TraceFormat::Mooncake);
    assert_eq!(refused(&options, b"\n\xff\n"), "line 2 is not UTF-8 text");
    let long = vec![b'x'; crate::lines::MAX_LINE_BYTES + 1];
    assert_eq!(refused(&options, &long), "line 1 is longer than 4194304 bytes");
}
