//! Requests from outside: each takes its turn in its worker's engine and is answered at the engine's pace.
//!
//! A request's text is its prompt, and the answer is its characters one by one, a token each. A JSON object
//! `{"prompt": TEXT, "max_tokens": N}` asks for another length. The caller is gone when the server says that no client
//! hears the answer; its request is cancelled then.

use std::collections::BTreeMap;

use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use serde::Deserialize;

use super::Out;

/// Characters that make a token of a prompt, on average.
const CHARACTERS_PER_TOKEN: u64 = 4;

/// The longest answer that can be asked for, in tokens, and the longest prompt, in characters.
const MOST_TOKENS: u64 = 131_072;

/// A request from outside that is being answered.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) worker: usize,
    pub(super) line: usize,
    /// How often its worker had been started when it came.
    pub(super) restarts: u64,
    reply: Option<Subject>,
    characters: Vec<Bytes>,
    tokens: u64,
    sent: u64,
}

/// All of them, by ticket.
pub(super) type Callers = BTreeMap<u64, Caller>;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    characters: Vec<Bytes>,
    /// Tokens of the prompt.
    pub(super) input: u64,
    /// Tokens of the answer.
    pub(super) output: u64,
}

#[derive(Deserialize)]
struct Long {
    prompt: String,
    max_tokens: u64,
}

impl Asked {
    /// Reads a payload.
    ///
    /// # Errors
    /// Says why it asks for nothing.
    pub(super) fn read(payload: &Bytes) -> Result<Self, String> {
        let text =
            std::str::from_utf8(payload).map_err(|error| format!("the payload is not UTF-8: {error}"))?;
        let long: Option<Long> = text
            .starts_with('{')
            .then(|| serde_json::from_str(text).ok())
            .flatten();
        let characters_of = |text: &str| -> Vec<Bytes> {
            let character = |(at, character): (usize, char)| {
                Bytes::copy_from_slice(&text.as_bytes()[at..at + character.len_utf8()])
            };
            text.char_indices().map(character).collect()
        };
        let (prompt, output) = match &long {
            Some(long) => (long.prompt.as_str(), long.max_tokens),
            None => (text, (text.chars().count() as u64).max(1)),
        };
        let (characters, most) = (prompt.chars().count() as u64, MOST_TOKENS);
        if characters > most {
            return Err(format!(
                "the prompt has {characters} characters, more than {most}"
            ));
        }
        if !(1..=most).contains(&output) {
            return Err(format!(
                "max_tokens is {output}; it must lie between 1 and {most}"
            ));
        }
        Ok(Self {
            characters: characters_of(prompt),
            input: characters.div_ceil(CHARACTERS_PER_TOKEN).max(1),
            output,
        })
    }
}

impl Caller {
    pub(super) fn new(
        asked: Asked,
        worker: usize,
        line: usize,
        restarts: u64,
        reply: Option<Subject>,
    ) -> Self {
        Self {
            worker,
            line,
            restarts,
            reply,
            tokens: asked.output,
            characters: asked.characters,
            sent: 0,
        }
    }

    /// The parts of its answer up to `made` tokens; `heard` is where the server may say that no client hears them.
    pub(super) fn parts(&mut self, made: u64, heard: &Subject, out: &mut Vec<Out>) {
        let Some(reply) = &self.reply else { return };
        // An empty text has an answer without parts.
        let made = if self.characters.is_empty() {
            0
        } else {
            made.min(self.tokens)
        };
        for token in self.sent..made {
            let at = (token % self.characters.len() as u64) as usize;
            out.push(Out {
                subject: reply.clone(),
                reply: Some(heard.clone()),
                headers: None,
                payload: self.characters[at].clone(),
            });
        }
        self.sent = self.sent.max(made);
    }

    /// The end of its answer: all that is left, and the empty message that ends a stream.
    pub(super) fn finish(mut self, heard: &Subject, out: &mut Vec<Out>) {
        self.parts(self.tokens, heard, out);
        if let Some(reply) = self.reply {
            out.push(Out {
                subject: reply,
                reply: None,
                headers: None,
                payload: Bytes::new(),
            });
        }
    }

    /// Its answer ends with an error.
    pub(super) fn fail(self, code: u16, reason: &str, out: &mut Vec<Out>) {
        out.extend(self.reply.map(|reply| failure(reply, code, reason)));
    }
}

/// What a caller hears when there is no answer, as NATS services say it.
pub(super) fn failure(reply: Subject, code: u16, reason: &str) -> Out {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Service-Error", reason);
    headers.insert("Nats-Service-Error-Code", code.to_string().as_str());
    Out {
        subject: reply,
        reply: None,
        headers: Some(headers),
        payload: Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_asks_for_its_characters_and_an_object_for_a_length() {
        let check = |payload: &str, input: u64, output: u64, first: &str| {
            let asked = Asked::read(&Bytes::copy_from_slice(payload.as_bytes())).expect(payload);
            assert_eq!((asked.input, asked.output), (input, output), "{payload}");
            let found = asked.characters.first().map_or("".as_bytes(), |bytes| bytes);
            assert_eq!(found, first.as_bytes(), "{payload}");
        };
        check("hello", 2, 5, "h");
        check("é!", 1, 2, "é");
        check("", 1, 1, "");
        check(r#"{"prompt": "ab", "max_tokens": 50}"#, 1, 50, "a");
        check(r#"{"prompt": 3}"#, 4, 13, "{");
        assert!(Asked::read(&Bytes::from_static(b"\xff")).is_err());
        let long = Bytes::from("x".repeat(200_000));
        assert!(Asked::read(&long).is_err_and(|error| error.contains("200000 characters")));
        let error =
            Asked::read(&Bytes::from_static(br#"{"prompt": "a", "max_tokens": 0}"#)).expect_err("nothing");
        assert!(error.contains("max_tokens is 0"), "{error}");
    }

    #[test]
    fn an_answer_is_sent_once_in_parts_and_ends_with_an_empty_message() {
        let asked =
            Asked::read(&Bytes::from_static(br#"{"prompt": "ab", "max_tokens": 5}"#)).expect("well-formed");
        let mut caller = Caller::new(asked, 0, 0, 0, Some("reply".into()));
        let (heard, mut out) = (Subject::from("heard"), Vec::new());
        caller.parts(0, &heard, &mut out);
        assert!(out.is_empty());
        caller.parts(2, &heard, &mut out);
        caller.parts(2, &heard, &mut out);
        caller.finish(&heard, &mut out);
        let text: Vec<&[u8]> = out.iter().map(|out| &*out.payload).collect();
        assert_eq!(text, [b"a".as_slice(), b"b", b"a", b"b", b"a", b""]);
    }
}
