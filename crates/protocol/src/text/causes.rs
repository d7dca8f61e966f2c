//! An error and its sources as one line in which nothing is said twice.

use std::error::Error;

/// The messages of an error and of its sources, separated by `: `.
///
/// Many errors repeat their source in their own message, so `{:#}` of such a chain says the same two or three times.
/// Here a message is left out where the text so far ends with it, and replaces a text with which it begins.
///
/// ```
/// use std::io::{Error, ErrorKind};
/// let refused = Error::other(Error::from(ErrorKind::ConnectionRefused));
/// assert_eq!(protocol::text::causes(&refused), "connection refused");
/// ```
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let message = source.to_string();
        if message.starts_with(&format!("{text}: ")) {
            text = message;
        } else if !text.ends_with(&message) && !text.contains(&format!("{message}: ")) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = source.source();
    }
    without_repeats(&text)
}

/// A text without the parts between `: ` that repeat the part before them.
///
/// ```
/// use protocol::text::without_repeats;
/// assert_eq!(without_repeats("no responders: no responders: no responders"), "no responders");
/// assert_eq!(without_repeats("failed: a: b: a"), "failed: a: b: a");
/// ```
pub fn without_repeats(text: &str) -> String {
    let mut parts: Vec<&str> = text.split(": ").collect();
    parts.dedup();
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Fault {
        text: &'static str,
        source: Option<Box<Fault>>,
    }

    #[test]
    fn each_message_of_a_chain_is_written_once() {
        fn check(texts: &[&'static str], expected: &str) {
            let chain = texts
                .iter()
                .rev()
                .fold(None, |source, text| Some(Box::new(Fault { text, source })));
            assert_eq!(causes(&*chain.expect("an error")), expected);
        }
        check(&["a"], "a");
        check(&["a", "b", "c"], "a: b: c");
        check(&["a: b", "b", "c"], "a: b: c");
        check(&["IO error: refused", "refused", "refused"], "IO error: refused");
        check(
            &["failed to ask: no responders", "no responders", "no responders"],
            "failed to ask: no responders",
        );
        check(&["a: b: c", "b: c", "c"], "a: b: c");
        check(&["a: b", "a: b: c", "c"], "a: b: c");
    }
}
