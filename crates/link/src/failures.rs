//! [`Failures`]: which failures to restore a connection are news. The client keeps the last error of each server until it
//! connects to that very server, so its list also has errors of outages that are over.

use std::collections::HashMap;

/// How often each server had failed when it was looked at last.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// How often the connection had been made by then.
    connects: u64,
    attempts: HashMap<String, usize>,
}

impl Failures {
    /// Whether the last error of a server belongs to the outage that follows connection number `connects`, and was not
    /// returned before. `attempts` is how often in a row the server has failed.
    ///
    /// The list has to be looked at before the first attempt of an outage too.
    pub(crate) fn is_new(&mut self, connects: u64, server: &str, attempts: usize) -> bool {
        let is_known_outage = self.connects == connects;
        let before = self.attempts.insert(server.to_owned(), attempts);
        is_known_outage && attempts > before.unwrap_or_default()
    }

    /// The list was looked at.
    pub(crate) fn looked(&mut self, connects: u64) {
        self.connects = connects;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_an_outage_that_is_over_is_no_news() {
        let mut failures = Failures::default();
        let mut check = |connects, servers: &[(&str, usize)], expected: &[&str]| {
            let is_new = |(name, attempts): &&(&str, usize)| failures.is_new(connects, name, *attempts);
            let found: Vec<&str> = servers.iter().filter(is_new).map(|(name, _)| *name).collect();
            assert_eq!(found, expected, "{connects} {servers:?}");
            failures.looked(connects);
        };
        // A failed before B let the program in.
        check(1, &[("a", 1), ("b", 0)], &[]);
        check(1, &[("a", 1), ("b", 1)], &["b"]);
        check(1, &[("a", 2), ("b", 1)], &["a"]);
        check(1, &[("a", 2), ("b", 1)], &[]);
        // A failed once more, then B was there again, and is lost now.
        check(2, &[("a", 3), ("b", 0)], &[]);
        check(2, &[("a", 3), ("b", 1)], &["b"]);
        check(2, &[("a", 4), ("b", 2)], &["a", "b"]);
    }
}
