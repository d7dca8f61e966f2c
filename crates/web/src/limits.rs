//! [`Limits`]: what clients may cost.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// File descriptors that are kept free of clients, for connections to NATS, names that are looked up, and files.
const RESERVED: u64 = 32;

/// Bytes of a request's line and headers.
pub(crate) const HEAD: usize = 16 * 1024;

/// What clients may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a client may take to send a request, TLS included.
    pub header: Duration,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// How long a client may take to read a response.
    pub response: Duration,
    /// Connections at the same time.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            response: Duration::from_secs(30),
            connections: 256,
        }
    }
}

impl Limits {
    /// The same, with no more connections than the limit on open files of this process has room for.
    #[must_use]
    pub fn within_open_files(self) -> Self {
        Self {
            connections: self.connections.min(room_for(open_files())),
            ..self
        }
    }
}

/// The limit on open files, if there is one.
pub(crate) fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many connections there is room for.
fn room_for(open_files: Option<u64>) -> usize {
    let Some(open_files) = open_files else {
        return usize::MAX;
    };
    let reserved = RESERVED.max(open_files / 4).min(open_files * 3 / 4);
    usize::try_from(open_files - reserved)
        .unwrap_or(usize::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_room_for_nats_and_files() {
        assert_eq!(room_for(None), usize::MAX);
        assert_eq!(room_for(Some(1024)), 768);
        assert_eq!(room_for(Some(64)), 32);
        assert_eq!(room_for(Some(40)), 10);
        assert_eq!(room_for(Some(0)), 1);
    }
}
