//! A screen read from JSON, and brought up to date by a [`Delta`], as whoever follows the stream does it.

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::{Delta, Kind, Screen, Sort};

impl Kind {
    /// Reads a screen of this kind.
    ///
    /// # Errors
    /// Where the text is not one.
    pub fn read(self, json: &[u8]) -> serde_json::Result<Screen> {
        fn read<S: DeserializeOwned>(json: &[u8]) -> serde_json::Result<Box<S>> {
            serde_json::from_slice(json).map(Box::new)
        }
        Ok(match self {
            Self::Overview => Screen::Overview(read(json)?),
            Self::Pool => Screen::Pool(read(json)?),
            Self::Worker => Screen::Worker(read(json)?),
            Self::Why => Screen::Why(read(json)?),
            Self::Collector => Screen::Collector(read(json)?),
        })
    }

    /// Reads what has changed of a screen of this kind.
    ///
    /// # Errors
    /// Where the text is not that.
    pub fn read_delta(self, json: &[u8]) -> serde_json::Result<Delta<Screen>> {
        fn read<S: DeserializeOwned>(
            json: &[u8],
            screen: impl FnOnce(Box<S>) -> Screen,
        ) -> serde_json::Result<Delta<Screen>> {
            let delta: Delta<S> = serde_json::from_slice(json)?;
            Ok(Delta {
                since: delta.since,
                gone: delta.gone,
                screen: screen(Box::new(delta.screen)),
            })
        }
        match self {
            Self::Overview => read(json, Screen::Overview),
            Self::Pool => read(json, Screen::Pool),
            Self::Worker => read(json, Screen::Worker),
            Self::Why => read(json, Screen::Why),
            Self::Collector => read(json, Screen::Collector),
        }
    }
}

impl Screen {
    /// This screen with what has changed since; `None` where the change is from another one.
    #[must_use]
    pub fn with(&self, delta: Delta<Self>) -> Option<Self> {
        let Delta {
            since,
            gone,
            mut screen,
        } = delta;
        if since != self.snapshot() {
            return None;
        }
        match (&mut screen, self) {
            (Self::Overview(now), Self::Overview(before)) => {
                merge(&mut now.pools, &before.pools, |row| &row.name, &gone);
                merge(&mut now.services, &before.services, |row| &row.name, &gone);
                now.pools.sort_by_key(|row| row.rank);
                now.services.sort_by_key(|row| row.rank);
            }
            (Self::Pool(now), Self::Pool(before)) => {
                merge(&mut now.workers, &before.workers, |row| &row.id, &gone);
                Sort::default().apply(&mut now.workers);
            }
            (Self::Worker(_), Self::Worker(_))
            | (Self::Why(_), Self::Why(_))
            | (Self::Collector(_), Self::Collector(_)) => {}
            _ => return None,
        }
        Some(screen)
    }
}

/// Adds to the rows that changed those that did not.
fn merge<R: Clone>(changed: &mut Vec<R>, before: &[R], name: impl Fn(&R) -> &String, gone: &[String]) {
    let kept: Vec<R> = {
        let left_out: HashSet<&str> = changed
            .iter()
            .map(|row| name(row).as_str())
            .chain(gone.iter().map(String::as_str))
            .collect();
        let is_kept = |row: &&R| !left_out.contains(name(row).as_str());
        before.iter().filter(is_kept).cloned().collect()
    };
    changed.extend(kept);
}
