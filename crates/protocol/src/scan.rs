//! [`Scanner`]: reads JSON that is in memory without an allocation, and leaves what is unusual to the lenient readers.
//!
//! Whatever it reads, `serde_json` reads with the same values. It is faster because it is asked for what comes next:
//! the name of a field is compared with the one that usually follows, and texts are looked at eight bytes at a time.

mod name;
mod number;
#[cfg(test)]
mod tests;

pub(crate) use name::{Field, Fields, Name};
use number::Number;

/// How many brackets may be open in what is passed over.
pub(crate) const LEVELS: usize = 120;

/// A text of JSON, and how far it has been read. Its methods return `None` where the text is not JSON, or not what is
/// asked for.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// What is asked of a value that is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// It is JSON.
    Json,
    /// `serde_json` makes a value of it: no number is beyond a float, and no text has half a character.
    Value,
}

/// What a text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Whole,
    /// Half of a UTF-16 pair may be among them.
    MaybeHalf,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of the text.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Checks that nothing follows.
    pub(crate) fn end(mut self) -> Option<()> {
        check(self.token().is_none())
    }

    /// How far the text has been read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// What has been read since.
    pub(crate) fn since(&self, position: usize) -> &'a str {
        self.text.get(position..self.at).unwrap_or_default()
    }

    /// Reads a text without escapes.
    #[inline]
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        self.plain_text()
    }

    /// Reads a whole number of 64 bits, or `null`.
    #[inline]
    pub(crate) fn count(&mut self) -> Option<Option<u64>> {
        match self.token()? {
            b'n' => self.literal("ull").map(|()| None),
            first => match self.number(first)? {
                Number::Natural(number) => Some(Some(number)),
                Number::Other(_) => None,
            },
        }
    }

    /// Reads a number of any kind, or `null`.
    pub(crate) fn float(&mut self) -> Option<Option<f64>> {
        match self.token()? {
            b'n' => self.literal("ull").map(|()| None),
            first => self.number(first)?.float().map(Some),
        }
    }

    /// Reads the beginning of an object; `false` where there is `null` instead.
    #[inline]
    pub(crate) fn opens_object(&mut self) -> Option<bool> {
        match self.token()? {
            b'{' => Some(true),
            b'n' => self.literal("ull").map(|()| false),
            _ => None,
        }
    }

    /// Reads the beginning of a list.
    pub(crate) fn open_list(&mut self) -> Option<()> {
        self.expect(b'[')
    }

    /// Reads up to the value of the next field.
    #[inline]
    pub(crate) fn field<const N: usize>(&mut self, fields: &mut Fields<N>) -> Option<Field> {
        if !self.has_field(&mut fields.is_first)? {
            return Some(Field::End);
        }
        if let Some(name) = fields.guess()
            && name.is_at(self.rest())
        {
            self.at += name.length();
            return Some(fields.guessed());
        }
        let name = self.plain_text()?;
        self.expect(b':')?;
        fields.find(name)
    }

    /// Reads up to the next item; `false` at the end of the list.
    pub(crate) fn has_item(&mut self, is_first: &mut bool) -> Option<bool> {
        match (self.token()?, std::mem::take(is_first)) {
            (b']', _) => Some(false),
            (b',', false) => Some(true),
            (_, true) => {
                // The item begins with this byte.
                self.at -= 1;
                Some(true)
            }
            _ => None,
        }
    }

    /// Passes over a value in which at most so many brackets are open.
    #[inline]
    pub(crate) fn pass(&mut self, levels: usize, pass: Pass) -> Option<()> {
        match self.token()? {
            b'"' => {
                let (_, escapes) = self.written()?;
                check(pass == Pass::Json || escapes != Escapes::MaybeHalf)
            }
            bracket @ (b'{' | b'[') => self.pass_brackets(bracket, levels, pass),
            b'n' => self.literal("ull"),
            b't' => self.literal("rue"),
            b'f' => self.literal("alse"),
            first => {
                let number = self.number(first)?;
                check(pass == Pass::Json || number.float().is_some())
            }
        }
    }

    fn pass_brackets(&mut self, bracket: u8, levels: usize, pass: Pass) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        let mut is_first = true;
        if bracket == b'[' {
            while self.has_item(&mut is_first)? {
                self.pass(levels, pass)?;
            }
            return Some(());
        }
        while self.has_field(&mut is_first)? {
            let (name, escapes) = self.written()?;
            check(pass == Pass::Json || (escapes == Escapes::None && !name::is_private(name)))?;
            self.expect(b':')?;
            self.pass(levels, pass)?;
        }
        Some(())
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = *self.text.as_bytes().get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The first byte that is no white space.
    #[inline]
    fn token(&mut self) -> Option<u8> {
        loop {
            match self.next()? {
                b' ' | b'\n' | b'\t' | b'\r' => {}
                byte => return Some(byte),
            }
        }
    }

    #[inline]
    fn expect(&mut self, expected: u8) -> Option<()> {
        check(self.token()? == expected)
    }

    /// Reads the rest of `null`, `true` or `false`.
    fn literal(&mut self, rest: &str) -> Option<()> {
        check(self.rest().starts_with(rest.as_bytes()))?;
        self.at += rest.len();
        Some(())
    }

    /// Reads up to the name of the next field, its opening quotation mark included; `false` at the end of the object.
    #[inline]
    fn has_field(&mut self, is_first: &mut bool) -> Option<bool> {
        match (self.token()?, std::mem::take(is_first)) {
            (b'}', _) => Some(false),
            (b'"', true) => Some(true),
            (b',', false) => self.expect(b'"').map(|()| true),
            _ => None,
        }
    }

    /// Reads a text of which the opening quotation mark has been read; `None` where it has escapes.
    #[inline]
    fn plain_text(&mut self) -> Option<&'a str> {
        let start = self.at;
        let end = start + plain_bytes(self.rest());
        check(self.text.as_bytes().get(end) == Some(&b'"'))?;
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// The same for any text, as it is written.
    fn written(&mut self) -> Option<(&'a str, Escapes)> {
        let (start, mut escapes) = (self.at, Escapes::None);
        loop {
            self.at += plain_bytes(self.rest());
            match self.next()? {
                b'"' => break,
                b'\\' => escapes = self.escape(escapes)?,
                _ => return None,
            }
        }
        Some((self.text.get(start..self.at - 1)?, escapes))
    }

    #[cold]
    fn escape(&mut self, before: Escapes) -> Option<Escapes> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
            b'u' => {
                let digits = self.rest().first_chunk::<4>()?;
                self.at += digits.len();
                check(digits.iter().all(u8::is_ascii_hexdigit))?;
                if matches!(digits, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]) {
                    return Some(Escapes::MaybeHalf);
                }
            }
            _ => return None,
        }
        Some(match before {
            Escapes::MaybeHalf => before,
            _ => Escapes::Whole,
        })
    }

    /// Reads the number that begins with the byte that was read last.
    #[inline]
    fn number(&mut self, first: u8) -> Option<Number<'a>> {
        let (number, length) = Number::read(self.text, self.at - 1, first)?;
        self.at += length - 1;
        Some(number)
    }
}

/// How many bytes come before a quotation mark, an escape or a control character, looked at eight by eight.
#[inline]
fn plain_bytes(bytes: &[u8]) -> usize {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = EACH << 7;
    let (words, rest) = bytes.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The high bit of each byte of that kind is set. It may be set by mistake only behind a byte where it is right.
        let [quote, escape] = [b'"', b'\\'].map(|byte| word ^ (EACH * u64::from(byte)));
        let found = (quote.wrapping_sub(EACH) & !quote)
            | (escape.wrapping_sub(EACH) & !escape)
            | (word.wrapping_sub(EACH * 0x20) & !word);
        if found & HIGH != 0 {
            return at * 8 + (found & HIGH).trailing_zeros() as usize / 8;
        }
    }
    let is_other = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    words.len() * 8 + rest.iter().position(is_other).unwrap_or(rest.len())
}

#[inline]
fn check(holds: bool) -> Option<()> {
    holds.then_some(())
}
