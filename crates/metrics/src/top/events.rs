//! [`Events`]: server-sent events, as `/api/v1/stream` writes them: each has a name and one line of data.

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: Vec<u8>,
}

/// The stream carries more than any screen has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {} MiB", MAX >> 20)]
pub(super) struct TooLarge;

/// The largest event: 200,000 workers take half of it.
const MAX: usize = 128 << 20;

/// Puts events together from what arrives.
#[derive(Debug, Default)]
pub(super) struct Events {
    buffer: Vec<u8>,
    /// No line ends before this place of the buffer.
    searched: usize,
    name: String,
    data: Vec<u8>,
}

impl Events {
    /// The events that are complete with these bytes.
    ///
    /// # Errors
    /// Where one is too large.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLarge> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut start = 0;
        while let Some(length) = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let end = self.searched + length;
            let line = &self.buffer[start..end];
            if line.is_empty() {
                let data = std::mem::take(&mut self.data);
                let name = std::mem::take(&mut self.name);
                if !name.is_empty() {
                    events.push(Event { name, data });
                }
            } else if let Some(name) = line.strip_prefix(b"event: ") {
                self.name = String::from_utf8_lossy(name).into_owned();
            } else if let Some(data) = line.strip_prefix(b"data: ") {
                self.data = data.to_vec();
            }
            start = end + 1;
            self.searched = start;
        }
        self.buffer.drain(..start);
        self.searched = self.buffer.len();
        match self.buffer.len() > MAX {
            true => Err(TooLarge),
            false => Ok(events),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text =
            b":\n\nevent: view\nid: 1\ndata: {\"a\":1}\n\n:\n\nevent: delta\nid: 2\ndata: {}\n\nevent: vi";
        let event = |name: &str, data: &str| Event {
            name: name.to_owned(),
            data: data.into(),
        };
        let expected = [event("view", "{\"a\":1}"), event("delta", "{}")];
        for size in 1..=text.len() {
            let mut events = Events::default();
            let read: Vec<Event> = text
                .chunks(size)
                .flat_map(|chunk| events.push(chunk).expect("it is small"))
                .collect();
            assert_eq!(read, expected, "{size}");
        }
    }
}
