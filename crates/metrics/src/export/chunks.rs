//! [`Chunks`]: a page under construction, in pieces that can be sent and shared without copying.

use std::io;

use bytes::Bytes;

/// Text that one piece of a small page holds.
const CHUNK: usize = 256 * 1024;

/// Room in one piece of a large page. The system maps an allocation of this size by itself, takes only what is written of
/// it, and gets it back when the page is dropped; smaller ones stay with the program.
const LARGE: usize = (32 << 20) + CHUNK;

/// Room for one more line; a longer one makes its piece grow.
const LINE: usize = 4 * 1024;

/// Takes bytes and cuts them into pieces.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Chunks {
    /// Where the next line goes.
    pub(crate) fn open(&mut self) -> &mut Vec<u8> {
        if self.open.len() + LINE > self.open.capacity() {
            self.seal();
            let is_first = self.full.is_empty();
            self.open = Vec::with_capacity(if is_first { CHUNK } else { LARGE });
        }
        &mut self.open
    }

    /// Nothing yet, with room for about so many bytes in the first piece.
    pub(crate) fn with_room(bytes: usize) -> Self {
        let room = bytes.saturating_add(LINE);
        Self {
            full: Vec::new(),
            open: Vec::with_capacity(if room <= CHUNK { room } else { LARGE }),
        }
    }

    /// Puts another text behind this one. A short one is copied, so that pieces do not become many and small.
    pub(crate) fn append(&mut self, other: Self) {
        if other.full.is_empty() && other.open.len() <= CHUNK / 8 {
            let short = other.open;
            short
                .chunks(LINE)
                .for_each(|part| self.open().extend_from_slice(part));
            return;
        }
        self.seal();
        self.full.extend(other.full);
        self.open = other.open;
    }

    fn seal(&mut self) {
        if !self.open.is_empty() {
            self.full.push(std::mem::take(&mut self.open).into());
        }
    }

    /// The pieces.
    pub(crate) fn finish(mut self) -> Vec<Bytes> {
        self.open.shrink_to_fit();
        self.seal();
        self.full
    }
}

impl io::Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let open = self.open();
        let taken = bytes.len().min(open.capacity() - open.len());
        open.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn nothing_is_lost_where_pieces_meet() {
        let mut chunks = Chunks::default();
        let mut expected = Vec::new();
        for number in 0..10_000_u32 {
            let line = vec![number as u8; (number % 100) as usize];
            chunks.open().extend_from_slice(&line);
            expected.extend(line);
        }
        let long = vec![7; 3 * CHUNK];
        chunks.write_all(&long).expect("memory takes all");
        chunks.open().extend_from_slice(&long);
        expected.extend([long.clone(), long].concat());
        for length in [0, 10, CHUNK / 8, CHUNK, 3 * CHUNK, 10] {
            let text = vec![length as u8 ^ 3; length];
            let mut other = Chunks::with_room(length / 2);
            other.write_all(&text).expect("memory takes all");
            chunks.append(other);
            expected.extend(text);
        }
        let pieces = chunks.finish();
        assert!(pieces.len() > 4 && pieces.iter().all(|piece| !piece.is_empty()));
        assert_eq!(pieces.concat(), expected);
        assert!(Chunks::default().finish().is_empty());
    }
}
