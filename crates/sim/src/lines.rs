//! Lines of a file from outside: numbered, and bounded in length.

use std::io::{self, BufRead, Read};

/// The longest line that is read, in bytes and without its end: 4 MiB.
pub const MAX_LINE_BYTES: usize = 4 << 20;

/// Why a line could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The file could not be read on.
    #[error("line {line} could not be read: {source}")]
    Read {
        /// The line that was to be read, counted from 1.
        line: usize,
        /// What the system says.
        source: io::Error,
    },
    /// The line does not end within 4 MiB.
    #[error("line {line} is longer than {MAX_LINE_BYTES} bytes")]
    TooLong {
        /// The line, counted from 1.
        line: usize,
    },
    /// The line is no text.
    #[error("line {line} is not UTF-8 text")]
    NotText {
        /// The line, counted from 1.
        line: usize,
    },
}

/// Reads line by line into one buffer, so that a file of any length takes no more room than its longest line.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: usize,
}

/// One line, without `\n` or `\r\n`.
#[derive(Debug)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: usize,
    /// Its text.
    pub bytes: &'a [u8],
    /// Whether a newline follows it; without one, its writer may not be done with it.
    pub is_ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads from wherever the lines come.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// The next line, or `None` at the end.
    ///
    /// # Errors
    /// [`LineError`] where the line cannot be read, or is too long.
    #[expect(clippy::should_implement_trait, reason = "a line borrows from its reader")]
    pub fn next(&mut self) -> Result<Option<Line<'_>>, LineError> {
        self.buffer.clear();
        self.number += 1;
        let number = self.number;
        let read = (&mut self.reader)
            .take(MAX_LINE_BYTES as u64 + 1)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| LineError::Read { line: number, source })?;
        if read == 0 {
            return Ok(None);
        }
        let unended = self.buffer.as_slice();
        let (bytes, is_ended) = match unended.strip_suffix(b"\n") {
            Some(line) => (line.strip_suffix(b"\r").unwrap_or(line), true),
            None if unended.len() > MAX_LINE_BYTES => return Err(LineError::TooLong { line: number }),
            None => (unended, false),
        };
        Ok(Some(Line {
            number,
            bytes,
            is_ended,
        }))
    }
}

impl<'a> Line<'a> {
    /// The line as text.
    ///
    /// # Errors
    /// [`LineError::NotText`] where it is not UTF-8.
    pub fn text(&self) -> Result<&'a str, LineError> {
        std::str::from_utf8(self.bytes).map_err(|_| LineError::NotText { line: self.number })
    }
}

/// What is wrong with a line of JSON, with the column and without the line: serde counts it from the beginning of
/// what it was given, which is always line 1.
pub fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line 1 ") {
        Some((reason, column)) => format!("{reason} at {column}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_lose_their_ends() {
        let mut lines = Lines::new("a\r\n\nb".as_bytes());
        let mut read = Vec::new();
        while let Some(line) = lines.next().expect("all is text") {
            let text = line.text().expect("all is text").to_owned();
            read.push((line.number, text, line.is_ended));
        }
        let expected = [(1, "a", true), (2, "", true), (3, "b", false)];
        assert_eq!(
            read,
            expected.map(|(number, text, ended)| (number, text.to_owned(), ended))
        );
    }

    #[test]
    fn a_line_of_the_greatest_length_is_read_and_a_longer_one_is_not() {
        let longest = vec![b'x'; MAX_LINE_BYTES];
        let with_end = [longest.as_slice(), b"\n"].concat();
        for text in [&longest, &with_end] {
            let mut lines = Lines::new(text.as_slice());
            assert_eq!(
                lines
                    .next()
                    .expect("it is short enough")
                    .map(|line| line.bytes.len()),
                Some(MAX_LINE_BYTES)
            );
        }
        let longer = [longest.as_slice(), b"x\n"].concat();
        let error = Lines::new(longer.as_slice()).next().expect_err("it is too long");
        assert_eq!(error.to_string(), "line 1 is longer than 4194304 bytes");
    }

    #[test]
    fn a_line_that_is_not_text_is_reported() {
        let mut lines = Lines::new(b"a\n\xff\n".as_slice());
        assert!(lines.next().is_ok());
        let error = lines.next().expect("it can be read").expect("it is there").text();
        assert_eq!(
            error.expect_err("it is no text").to_string(),
            "line 2 is not UTF-8 text"
        );
    }
}
