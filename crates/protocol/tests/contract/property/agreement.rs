//! The fast reader says what the lenient one says, for messages that are nearly those of real workers.

use std::borrow::Cow;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use protocol::{LoadReply, ReplyError, ReplyLimits, StatsReply};

use super::inputs::{json_text, load_data};
use super::{RECORDED, config};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_readers_agree_on_replies_that_are_nearly_real(text in near(replies()), limits in limits()) {
        assert_readers_agree(text.as_bytes(), limits)?;
        assert_readers_agree(text.as_bytes(), ReplyLimits::default())?;
    }

    #[test]
    fn both_readers_agree_on_any_load(data in load_data(), limits in limits()) {
        let text = format!(r#"{{"id": "a", "endpoints": [{{"subject": "s.e-1", "data": {data}}}]}}"#);
        assert_readers_agree(text.as_bytes(), limits)?;
        assert_readers_agree(text.as_bytes(), ReplyLimits::default())?;
    }

    #[test]
    fn both_readers_agree_on_damaged_bytes(
        which in any::<Index>(), damage in prop::collection::vec((any::<Index>(), any::<u8>()), 0..3),
    ) {
        let mut message = which.get(&RECORDED).clone();
        for (index, byte) in damage {
            let at = index.index(message.len());
            message[at] = byte;
        }
        assert_readers_agree(&message, ReplyLimits::default())?;
    }

    #[test]
    fn both_readers_agree_wherever_white_space_is(
        text in near(replies()), spaces in prop::collection::vec(spaces(), 1..8),
    ) {
        let spaced: String = tokens(&text).into_iter().zip(spaces.iter().cycle()).fold(
            String::new(),
            |text, (token, space)| text + &token + space,
        );
        assert_readers_agree(spaced.as_bytes(), ReplyLimits::default())?;
    }

    #[test]
    fn both_readers_agree_on_any_number(
        field in select(&["num_requests", "processing_time", "extra"][..]), count in number(), ratio in number(),
    ) {
        let text = format!(
            r#"{{"id": "a", "endpoints": [{{"subject": "s.e-1", "{field}": {count}, "data": {{
                "kv_active_blocks": {count}, "gpu_cache_usage_perc": {ratio}, "more": [{ratio}]
            }}}}]}}"#
        );
        assert_readers_agree(text.as_bytes(), ReplyLimits::default())?;
    }

    #[test]
    fn both_readers_cut_names_at_the_same_length(
        service in "[aé\"]{250,260}", id in "[aé]{120,260}", version in "[a日]{80,260}",
    ) {
        let reply = serde_json::json!({"name": service, "id": id, "version": version}).to_string();
        assert_readers_agree(reply.as_bytes(), ReplyLimits::default())?;
    }
}

#[test]
fn a_recorded_reply_is_borrowed_from_its_message() {
    let mut borrowed = 0;
    for text in replies() {
        let reply = LoadReply::read(text.as_bytes()).expect(text);
        let names = [&reply.service, &reply.id, &reply.version];
        assert!(
            names.iter().all(|name| matches!(name, Cow::Borrowed(_))),
            "{text}"
        );
        assert_eq!(reply.endpoints.spilled(), reply.endpoints.len() > 1, "{text}");
        borrowed += 1;
    }
    assert!(borrowed > 5, "only {borrowed} replies are recorded");
}

fn assert_readers_agree(payload: &[u8], limits: ReplyLimits) -> Result<(), TestCaseError> {
    let lenient: Result<LoadReply<'_>, ReplyError> =
        StatsReply::decode_within(payload, limits).map(LoadReply::from);
    prop_assert_eq!(
        LoadReply::read_within(payload, limits),
        lenient,
        "{}",
        String::from_utf8_lossy(payload)
    );
    Ok(())
}

fn replies() -> Vec<&'static str> {
    let texts = RECORDED.iter().filter_map(|message| str::from_utf8(message).ok());
    texts.filter(|text| text.contains("stats_response")).collect()
}

fn limits() -> impl Strategy<Value = ReplyLimits> {
    (500..900_usize, 0..3_usize, 0..4_usize).prop_map(|(bytes, endpoints, depth)| ReplyLimits {
        bytes,
        endpoints,
        depth,
    })
}

/// White space between two tokens; the last is none to JSON.
fn spaces() -> impl Strategy<Value = &'static str> {
    prop_oneof![20 => select(&["", " ", "\n", "\t\r\n  "][..]), 1 => Just("\u{b}")]
}

/// A number as JSON has it, or nearly.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,22}",
        "-?[0-9]{1,4}\\.[0-9]{0,20}",
        "0\\.[0-9]{1,20}",
        "[0-9](\\.[0-9]{1,3})?[eE][+-]?[0-9]{1,3}"
    ]
}

/// One of the messages with some of its JSON tokens replaced, doubled or removed.
fn near(messages: Vec<&'static str>) -> impl Strategy<Value = String> {
    let odd = select(
        &[
            "null",
            "true",
            "NaN",
            "-Infinity",
            "1e400",
            "-0",
            "-1",
            "7.0",
            "1.5",
            "1e3",
            "18446744073709551616",
            r#""""#,
            r#""7""#,
            r#""a\u0041""#,
            r#""\ud800""#,
            "{}",
            "[]",
            r#"{"a":[1,{}]}"#,
            "[[[]]]",
            r#"{"kv_active_blocks":3}"#,
            r#""kv_stats":null,"#,
            r#""worker_stats":{"data_parallel_rank":1},"#,
            r#""kvStats":{"x":["\n",1e400]},"#,
            r#""$serde_json::private::RawValue":"{}","#,
            r#""id":"b","#,
            r#""num_errors":-1,"#,
            r#""data":{"kv_active_blocks":1},"#,
            r#""last_error":"\"\\\u00e9\ud800","#,
            r#""metadata":{"a":"b","a":[null,true,-1.5e3]},"#,
            r#""a\"#,
            r#""2026-11-23T15:06:60Z""#,
            r#""2026-11-23T15:06:34.1234567891+01:00""#,
        ][..],
    );
    let odd = prop_oneof![4 => odd.prop_map(str::to_owned), 1 => json_text()];
    let change = (any::<Index>(), 0..3_u8, odd);
    (select(messages), prop::collection::vec(change, 1..4)).prop_map(|(message, changes)| {
        let mut tokens: Vec<String> = tokens(message);
        for (index, kind, odd) in changes {
            let at = index.index(tokens.len());
            let braces: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at] == "{").collect();
            match kind {
                // A field at the beginning of an object, with or without the comma that it needs.
                0 if odd.ends_with(',') && !braces.is_empty() => {
                    tokens.insert(index.get(&braces) + 1, odd);
                }
                0 => tokens[at] = odd,
                1 => double_field(&mut tokens, at),
                _ => {
                    let values: Vec<usize> = (1..tokens.len()).filter(|at| tokens[at - 1] == ":").collect();
                    if !values.is_empty() {
                        tokens[*index.get(&values)] = odd.trim_end_matches(',').to_owned();
                    }
                }
            }
        }
        tokens.concat()
    })
}

/// Repeats the field before which the next comma is, if it is a plain one.
fn double_field(tokens: &mut Vec<String>, at: usize) {
    let is_field = |field: &[String]| field[1] == ":" && field[3] == ",";
    let found = (at..tokens.len().saturating_sub(3)).find(|at| is_field(&tokens[*at..*at + 4]));
    if let Some(at) = found {
        let field: Vec<String> = tokens[at..at + 4].to_vec();
        tokens.splice(at..at, field);
    }
}

/// Cuts JSON without escapes into texts, words and punctuation.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut in_text = false;
    for c in text.chars() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        let goes_on = in_text || (is_word(c) && tokens.last().is_some_and(|last| last.ends_with(is_word)));
        match tokens.last_mut() {
            Some(last) if goes_on => last.push(c),
            _ => tokens.push(c.to_string()),
        }
        if c == '"' {
            in_text = !in_text;
        }
    }
    tokens
}
