//! [`HeldReplies`]: the bytes of replies that wait for a description, in large pieces, so that a fleet's first replies leave
//! no holes in memory.

use std::collections::HashMap;
use std::ops::Range;

/// Bytes that may be held in all.
const MAX_BYTES: usize = 64 << 20;

/// Bytes in one piece; a longer reply has a piece of its own.
const PIECE: usize = 4 << 20;

/// Bytes, by piece.
#[derive(Debug, Default)]
pub(crate) struct HeldReplies {
    pieces: HashMap<u32, Piece>,
    open: u32,
    bytes: usize,
}

#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    held: usize,
}

/// Where a reply is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    piece: u32,
    range: Range<usize>,
}

impl HeldReplies {
    /// Keeps a reply; `None` where there is no room.
    pub(crate) fn hold(&mut self, reply: &[u8]) -> Option<Place> {
        if self.bytes + reply.len() > MAX_BYTES {
            return None;
        }
        let has_room = |piece: &Piece| piece.bytes.len() + reply.len() <= piece.bytes.capacity();
        if !self.pieces.get(&self.open).is_some_and(has_room) {
            self.open = self.open.wrapping_add(1);
            let bytes = Vec::with_capacity(PIECE.max(reply.len()));
            self.pieces.insert(self.open, Piece { bytes, held: 0 });
        }
        let piece = self.pieces.get_mut(&self.open)?;
        let start = piece.bytes.len();
        piece.bytes.extend_from_slice(reply);
        piece.held += 1;
        self.bytes += reply.len();
        Some(Place {
            piece: self.open,
            range: start..start + reply.len(),
        })
    }

    /// Gives a reply back. A piece of which nothing is held any longer is dropped.
    pub(crate) fn take(&mut self, place: Place) -> Vec<u8> {
        let Some(piece) = self.pieces.get_mut(&place.piece) else {
            return Vec::new();
        };
        let reply = piece.bytes[place.range].to_vec();
        piece.held -= 1;
        self.bytes -= reply.len();
        if piece.held == 0 {
            self.pieces.remove(&place.piece);
        }
        reply
    }
}

#[cfg(test)]
impl HeldReplies {
    /// How many bytes are held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
impl Place {
    /// How many bytes the reply has.
    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_given_back_as_they_were_and_leave_nothing_behind() {
        let mut held = HeldReplies::default();
        let replies: Vec<Vec<u8>> = (0..100_u8).map(|n| vec![n; 100_000]).collect();
        let places: Vec<Place> = replies
            .iter()
            .map(|reply| held.hold(reply).expect("has room"))
            .collect();
        assert!(held.pieces.len() > 1);
        for (place, reply) in places.into_iter().zip(&replies).rev() {
            assert_eq!(held.take(place), *reply);
        }
        assert_eq!((held.pieces.len(), held.bytes), (0, 0));
    }

    #[test]
    fn no_more_is_held_than_there_is_room_for() {
        let mut held = HeldReplies::default();
        let large = vec![0; MAX_BYTES / 2 + 1];
        let place = held.hold(&large).expect("has room");
        assert_eq!(held.hold(&large), None);
        held.take(place);
        assert!(held.hold(&large).is_some());
    }
}
