//! Fields of protobuf that are written one after the other, and labels that are encoded once.
//!
//! A message in memory would need a string for each label of each sample, millions of them in a large fleet. The samples
//! of one worker have the same labels in every family of a page.

use bytes::BufMut;
use hashbrown::HashMap;
use prost::encoding::{encode_varint, encoded_len_varint};

use super::lines::Sample;

/// The wire types of protobuf that are used.
const FIXED_64: u8 = 1;
const WITH_LENGTH: u8 = 2;

/// The length of a message, or of a text, within another message, whose number is less than 16.
pub(super) fn field_length(length: usize) -> usize {
    1 + encoded_len_varint(length as u64) + length
}

/// Begins a field that has a length: a message or a text, which must follow.
pub(super) fn begin(out: &mut Vec<u8>, number: u8, length: usize) {
    out.put_u8(number << 3 | WITH_LENGTH);
    encode_varint(length as u64, out);
}

/// Writes a field that is a message, which is encoded, or a text.
pub(super) fn field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    begin(out, number, content.len());
    out.put_slice(content);
}

/// Writes a field that is a floating-point number.
pub(super) fn double(out: &mut Vec<u8>, number: u8, value: f64) {
    out.put_u8(number << 3 | FIXED_64);
    out.put_u64_le(value.to_bits());
}

/// Writes a field that is an integer, of which a negative one takes ten bytes.
pub(super) fn integer(out: &mut Vec<u8>, number: u8, value: i64) {
    out.put_u8(number << 3);
    encode_varint(value as u64, out);
}

/// The labels of samples, as they are on the page, and encoded.
pub(super) struct Encoded<T> {
    known: HashMap<Box<str>, T>,
}

impl<T> Encoded<T> {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::new(),
        }
    }

    /// The encoded labels of a sample. They are encoded if no sample before had them.
    pub(super) fn of(&mut self, sample: Sample<'_>, encode: impl FnOnce(Sample<'_>) -> T) -> &T {
        self.known
            .entry_ref(sample.labels_text())
            .or_insert_with(|| encode(sample))
    }
}
