//! Traces as they are published, and each way in which one can be wrong.

use super::*;

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens";

/// Reads a trace, and hands over its requests or the error's text.
fn read(format: TraceFormat, text: &[u8]) -> Result<Vec<TraceRequest>, String> {
    match Trace::read(format, text) {
        Ok(trace) => Ok(trace.requests),
        Err(error) => Err(error.to_string()),
    }
}

fn check_mooncake(text: &str, expected: &str) {
    assert_eq!(
        read(TraceFormat::Mooncake, text.as_bytes()),
        Err(expected.to_owned()),
        "{text}"
    );
}

fn check_azure(text: &str, expected: &str) {
    assert_eq!(
        read(TraceFormat::Azure, text.as_bytes()),
        Err(expected.to_owned()),
        "{text}"
    );
}

fn request(at_ns: u64, input_tokens: u64, output_tokens: u64, hash_ids: &[u64]) -> TraceRequest {
    TraceRequest {
        at_ns,
        input_tokens,
        output_tokens,
        hash_ids: hash_ids.into(),
    }
}

#[test]
fn a_mooncake_trace_is_counted_from_its_first_request() {
    let text = r#"{"timestamp": 3000, "input_length": 915, "output_length": 355, "hash_ids": [0, 462]}
{"timestamp": 3000, "input_length": 512, "output_length": 1, "hash_ids": [7], "session": "a field more"}

{"timestamp": 3000.5, "input_length": 513, "output_length": 2, "hash_ids": [0, 18446744073709551615]}
"#;
    let expected = vec![
        request(0, 915, 355, &[0, 462]),
        request(0, 512, 1, &[7]),
        request(500_000, 513, 2, &[0, u64::MAX]),
    ];
    assert_eq!(read(TraceFormat::Mooncake, text.as_bytes()), Ok(expected));
}

#[test]
fn an_azure_trace_is_read_by_its_header() {
    let text = "\u{feff}GeneratedTokens,Model,TIMESTAMP,ContextTokens\r\n\
                10,m,2024-05-10 00:00:00.009930+00:00,4808\r\n\
                11,m,2024-05-10 00:00:01+00:00,3180\r\n\
                12,m,2024-05-10 02:00:01.5+02:00,110\r\n\
                13,m,2024-05-10 00:00:02.1234567,1\r\n\r\n";
    let expected = vec![
        request(0, 4808, 10, &[]),
        request(990_070_000, 3180, 11, &[]),
        request(1_490_070_000, 110, 12, &[]),
        request(2_113_526_700, 1, 13, &[]),
    ];
    assert_eq!(read(TraceFormat::Azure, text.as_bytes()), Ok(expected));
}

#[test]
fn a_mooncake_field_that_cannot_be_is_told_with_its_line() {
    let good = r#"{"timestamp": 5, "input_length": 1, "output_length": 1, "hash_ids": [0]}"#;
    let check = |wrong: &str, expected: &str| {
        check_mooncake(&format!("{good}\n{wrong}\n"), &format!("line 2: {expected}"));
    };
    check(
        "[1]",
        "it is no JSON object: invalid type: sequence, expected a map at column 0",
    );
    check(
        "{",
        "it is no JSON object: EOF while parsing an object at column 1",
    );
    check(
        r#"{"input_length": 1, "output_length": 1, "hash_ids": [0]}"#,
        "timestamp is missing; expected a number of milliseconds from 0 to 1e15",
    );
    check(
        r#"{"timestamp": -1, "input_length": 1, "output_length": 1, "hash_ids": [0]}"#,
        "timestamp is -1; expected a number of milliseconds from 0 to 1e15",
    );
    check(
        r#"{"timestamp": 5, "input_length": 0, "output_length": 1, "hash_ids": []}"#,
        "input_length is 0; expected a whole number from 1 to 10000000",
    );
    check(
        r#"{"timestamp": 5, "input_length": 10000001, "output_length": 1, "hash_ids": []}"#,
        "input_length is 10000001; expected a whole number from 1 to 10000000",
    );
    check(
        r#"{"timestamp": 5, "input_length": 1, "output_length": "7", "hash_ids": [0]}"#,
        "output_length is \"7\"; expected a whole number from 1 to 10000000",
    );
    check(
        r#"{"timestamp": 5, "input_length": 1, "output_length": 0, "hash_ids": [0]}"#,
        "output_length is 0; expected a whole number from 1 to 10000000",
    );
    check(
        r#"{"timestamp": 5, "input_length": 513, "output_length": 1, "hash_ids": [0]}"#,
        "hash_ids is a list of 1; expected 2 ids, one for every 512 of the 513 tokens of input_length",
    );
    check(
        r#"{"timestamp": 5, "input_length": 1, "output_length": 1}"#,
        "hash_ids is missing; expected 1 ids, one for every 512 of the 1 tokens of input_length",
    );
    check(
        r#"{"timestamp": 5, "input_length": 1, "output_length": 1, "hash_ids": [-3]}"#,
        "hash_ids is a list with -3; expected ids that are whole numbers",
    );
    check(
        r#"{"timestamp": 4.5, "input_length": 1, "output_length": 1, "hash_ids": [0]}"#,
        "time goes backwards: timestamp is 4.5 ms, and 5 ms on line 1; expected lines in the order of time",
    );
}

#[test]
fn an_azure_cell_that_cannot_be_is_told_with_its_line() {
    let check = |wrong: &str, expected: &str| {
        check_azure(
            &format!("{HEADER}\n2023-11-16 18:17:03.97,5,6\n\n{wrong}\n"),
            &format!("line 4: {expected}"),
        );
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
        "GeneratedTokens is -6; expected a whole number from 1 to 10000000",
    );
    check(
        "2023-11-16 18:17:03.96,5,6",
        "time goes backwards: TIMESTAMP is 2023-11-16T18:17:03.96Z, and 2023-11-16T18:17:03.97Z on line 2; \
         expected lines in the order of time",
    );
    check(
        "2923-11-16 18:17:03.96,5,6",
        "TIMESTAMP is 2923-11-16T18:17:03.96Z; expected less than 584 years after the first request",
    );
}

#[test]
fn a_column_that_is_missing_is_told_by_name() {
    check_azure(
        "TIMESTAMP,ContextTokens\n2023-11-16 18:17:03.97,5\n",
        "line 1: the header has no column GeneratedTokens, it is \"TIMESTAMP,ContextTokens\"; \
         expected TIMESTAMP,ContextTokens,GeneratedTokens",
    );
}

#[test]
fn a_trace_without_requests_is_refused() {
    check_mooncake("", "the trace has no requests");
    check_mooncake("\n\n", "the trace has no requests");
    check_azure(HEADER, "the trace has no requests");
}

#[test]
fn what_is_no_text_or_too_long_is_refused() {
    assert_eq!(
        read(TraceFormat::Mooncake, b"\n\xff\n"),
        Err("line 2 is no text: it is not in UTF-8".to_owned())
    );
    let long = vec![b'x'; crate::lines::MAX_LINE_BYTES + 1];
    assert_eq!(
        read(TraceFormat::Mooncake, &long),
        Err("line 1 is longer than 4194304 bytes".to_owned())
    );
}

#[test]
fn a_format_is_named_alike_in_flags_scenarios_and_messages() {
    for format in TraceFormat::value_variants() {
        let value = format.to_possible_value().expect("none is hidden");
        assert_eq!(value.get_name(), format.as_str());
        let read: TraceFormat = serde_json::from_str(&format!("\"{format}\"")).expect("it is its name");
        assert_eq!(read, *format);
    }
}
