//! [`Shown`]: text from outside, made safe for a log line or a terminal. [`causes`]: an error without repetition.

mod causes;

use std::fmt::{self, Write};

pub use causes::{causes, without_repeats};

/// A text that another program wrote, for a log line or a terminal.
///
/// `Display` escapes line breaks and other control characters, and the invisible characters that change the direction
/// or the lines of a text. It writes at most [`LIMIT`](Self::LIMIT) characters; a longer text ends with `…`.
///
/// ```
/// use protocol::text::Shown;
/// assert_eq!(Shown("a\nERROR \u{1b}[31m\u{202e}b").to_string(), r"a\nERROR \u{1b}[31m\u{202e}b");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a str);

impl<'a> Shown<'a> {
    /// How many characters are written, escapes included.
    pub const LIMIT: usize = 120;

    /// The same with another limit.
    pub fn up_to(self, limit: usize) -> impl fmt::Display + 'a {
        UpTo(self.0, limit)
    }
}

struct UpTo<'a>(&'a str, usize);

impl fmt::Display for UpTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_shown(self.0, self.1, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_shown(self.0, Self::LIMIT, f)
    }
}

fn write_shown(text: &str, limit: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut left = limit;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_misleading = is_misleading(character);
        let length = if is_misleading {
            character.escape_default().len()
        } else {
            1
        };
        // A text that goes on needs room for the ellipsis.
        let needed = length + usize::from(characters.peek().is_some());
        if needed > left {
            return f.write_char('…');
        }
        match is_misleading {
            true => write!(f, "{}", character.escape_default())?,
            false => f.write_char(character)?,
        }
        left -= length;
    }
    Ok(())
}

fn is_misleading(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_mislead_a_reader_is_escaped_and_the_rest_is_not() {
        fn check(text: &str, expected: &str) {
            assert_eq!(Shown(text).to_string(), expected);
        }
        check("", "");
        check("Größe 値 \"x\" \\", "Größe 値 \"x\" \\");
        check("a\r\n\tb\0", r"a\r\n\tb\u{0}");
        check("\u{1b}[2J\u{7f}\u{9b}", r"\u{1b}[2J\u{7f}\u{9b}");
        check(
            "\u{202a}\u{202e}\u{2066}\u{2069}",
            r"\u{202a}\u{202e}\u{2066}\u{2069}",
        );
        check("\u{200e}\u{200f}\u{61c}", r"\u{200e}\u{200f}\u{61c}");
        check("\u{2028}\u{2029}", r"\u{2028}\u{2029}");
    }

    #[test]
    fn a_text_above_the_limit_ends_with_an_ellipsis() {
        fn check(text: &str, limit: usize, expected: &str) {
            assert_eq!(Shown(text).up_to(limit).to_string(), expected);
        }
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        check("äöüß", 3, "äö…");
        check("ab\n", 4, r"ab\n");
        check("ab\nc", 4, "ab…");
        check("abc", 1, "…");
        let long = "\n".repeat(1000);
        assert!(Shown(&long).to_string().chars().count() <= Shown::LIMIT);
    }
}
