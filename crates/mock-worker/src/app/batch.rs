//! [`Batch`]: many replies written one after the other into one buffer, which is used again and again.

use std::ops::Range;

use async_nats::Subject;
use bytes::Bytes;

use super::Out;

/// Replies to one request that are not sent yet.
#[derive(Debug, Default)]
pub struct Batch {
    /// Where the next reply is written.
    pub buffer: Vec<u8>,
    /// Where each reply is, and how many times it is sent.
    replies: Vec<(Range<usize>, u32)>,
}

impl Batch {
    /// Takes what was written from `start` on as a reply that is sent so many times.
    pub fn add(&mut self, start: usize, times: u32) {
        self.replies.push((start..self.buffer.len(), times));
    }

    /// How many replies it holds.
    pub fn len(&self) -> usize {
        self.replies.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    /// The messages to `subject`; afterwards it holds none. All of them share one piece of memory.
    pub fn take(&mut self, subject: &Subject) -> Vec<Out> {
        let bytes = Bytes::copy_from_slice(&self.buffer);
        self.buffer.clear();
        let mut out = Vec::with_capacity(self.replies.len());
        for (range, times) in self.replies.drain(..) {
            let reply = Out {
                subject: subject.clone(),
                reply: None,
                headers: None,
                payload: bytes.slice(range),
            };
            out.extend(std::iter::repeat_n(reply, times as usize));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reply_is_its_own_message_as_often_as_it_is_sent() {
        let mut batch = Batch::default();
        let write = |batch: &mut Batch, text: &str, times| {
            let start = batch.buffer.len();
            batch.buffer.extend_from_slice(text.as_bytes());
            batch.add(start, times);
        };
        write(&mut batch, "one", 1);
        write(&mut batch, "", 1);
        write(&mut batch, "two", 2);
        let out = batch.take(&"reply".into());
        let texts: Vec<&[u8]> = out.iter().map(|out| &*out.payload).collect();
        assert_eq!(texts, [b"one".as_slice(), b"", b"two", b"two"]);
        write(&mut batch, "three", 1);
        assert_eq!(batch.take(&"reply".into())[0].payload, "three");
        assert!(batch.is_empty());
    }
}
