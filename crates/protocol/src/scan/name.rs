//! [`Fields`]: the fields of an object, of which the names usually come in one order.

/// Bytes that a name has at most, with what follows it: four words of 64 bits.
const WINDOW: usize = 32;

/// The name of a field, prepared for a comparison of all its bytes at once.
#[derive(Debug)]
pub(crate) struct Name {
    text: &'static str,
    /// The name, its closing quotation mark and the colon.
    words: [u64; WINDOW / 8],
    /// All ones where `words` has something.
    masks: [u64; WINDOW / 8],
}

/// The names that are known in an object, and how far it has been read.
#[derive(Debug)]
pub(crate) struct Fields<const N: usize> {
    names: &'static [Name; N],
    next: usize,
    pub(super) is_first: bool,
}

/// What comes next in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// The value of the field with this place among the known names.
    Known(usize),
    /// The value of some other field.
    Other,
    /// Nothing more.
    End,
}

impl Name {
    /// Prepares the names, in the order in which they usually come. A name that is too long does not compile.
    pub(crate) const fn all<const N: usize>(texts: [&'static str; N]) -> [Self; N] {
        let mut names = [const { Self::new("") }; N];
        let mut at = 0;
        while at < N {
            names[at] = Self::new(texts[at]);
            at += 1;
        }
        names
    }

    const fn new(text: &'static str) -> Self {
        let (mut words, mut masks) = ([0; WINDOW / 8], [0; WINDOW / 8]);
        let mut at = 0;
        while at < text.len() + 2 {
            let byte = match at {
                _ if at < text.len() => text.as_bytes()[at],
                _ if at == text.len() => b'"',
                _ => b':',
            };
            words[at / 8] |= (byte as u64) << (at % 8 * 8);
            masks[at / 8] |= 0xff << (at % 8 * 8);
            at += 1;
        }
        Self { text, words, masks }
    }

    /// Whether the name and a colon are at the beginning of these bytes. It may not notice near the end of a message.
    #[inline]
    pub(super) fn is_at(&self, bytes: &[u8]) -> bool {
        let Some(window) = bytes.first_chunk::<WINDOW>() else {
            return false;
        };
        let (words, _) = window.as_chunks();
        let known = words.iter().zip(&self.words).zip(&self.masks);
        let difference =
            |((word, name), mask): ((&[u8; 8], &u64), &u64)| (u64::from_le_bytes(*word) ^ name) & mask;
        known.map(difference).fold(0, |all, one| all | one) == 0
    }

    /// With the quotation mark and the colon behind it.
    pub(super) const fn length(&self) -> usize {
        self.text.len() + 2
    }
}

impl<const N: usize> Fields<N> {
    /// An object with these fields, of which this one probably comes first.
    pub(crate) fn new(names: &'static [Name; N], next: usize) -> Self {
        Self {
            names,
            next,
            is_first: true,
        }
    }

    #[inline]
    pub(super) fn guess(&self) -> Option<&'static Name> {
        self.names.get(self.next)
    }

    /// The guess was right.
    #[inline]
    pub(super) fn guessed(&mut self) -> Field {
        self.next += 1;
        Field::Known(self.next - 1)
    }

    /// The guess was wrong, and this is the name; `None` where only the lenient readers know what it means.
    pub(super) fn find(&mut self, name: &str) -> Option<Field> {
        if is_private(name) {
            return None;
        }
        let found = self.names.iter().position(|known| known.text == name);
        self.next = found.map_or(self.next, |found| found + 1);
        Some(found.map_or(Field::Other, Field::Known))
    }
}

/// Whether the name has a meaning of its own to `serde_json`.
pub(super) fn is_private(name: &str) -> bool {
    name.starts_with("$serde_json::")
}
