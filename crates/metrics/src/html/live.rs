//! [`Live`]: what keeps an open page up to date. It has the parts that differ from those that the page has, and the rows of
//! a pool's workers as data, because a page draws only those in its window.

use std::collections::BTreeMap;

use serde::Serialize;

use super::parts;
use crate::view::{Ask, Figure, Level, Screen, WorkerRow};

/// A page as the stream keeps it, to compare the next one with.
#[derive(Debug)]
pub(crate) struct Drawn {
    screen: Screen,
    parts: BTreeMap<&'static str, String>,
}

/// What a page is to change.
#[derive(Debug, Serialize)]
pub(crate) struct Live<'a> {
    snapshot: u64,
    taken: f64,
    round_age: Option<f64>,
    round_limit: f64,
    connected: bool,
    /// The parts that differ, as HTML.
    parts: BTreeMap<&'static str, &'a str>,
    /// A pool's targets.
    kv_target: Option<f64>,
    queue_target: Option<f64>,
    /// The workers that differ or are new.
    rows: Vec<Packed<'a>>,
    /// The ids of workers that are gone.
    gone: Vec<&'a str>,
}

/// A row in the order in which the script takes it apart. With names for ten thousand rows it would be twice as long.
#[derive(Debug, Serialize)]
struct Packed<'a>(
    (&'a str, &'a str, Option<&'a str>, Level, &'a str),
    [Option<(f64, Level)>; 3],
    [Option<u64>; 2],
    [Option<f64>; 5],
    (Option<u64>, u64),
);

impl<'a> Packed<'a> {
    fn new(row: &'a WorkerRow) -> Self {
        let figure = |figure: Option<Figure>| figure.map(|figure| (figure.value, figure.level));
        Self(
            (&row.id, &row.hex, row.host.as_deref(), row.level, &row.state),
            [figure(row.kv), figure(row.waiting), figure(row.slots)],
            [row.running, row.capacity],
            [
                row.saturation,
                row.requests_per_second,
                row.error_ratio,
                row.hit_ratio,
                row.started_seconds,
            ],
            (row.last_seen_seconds, row.restarts),
        )
    }
}

impl Drawn {
    /// Draws a screen.
    pub(crate) fn new(screen: Screen, ask: &Ask) -> Self {
        let parts = parts(&screen, ask).into_iter();
        Self {
            parts: parts.map(|(id, markup)| (id, markup.into_string())).collect(),
            screen,
        }
    }

    /// What a page that shows `before` is to change; all of it without one.
    pub(crate) fn since<'a>(&'a self, before: Option<&'a Self>) -> Live<'a> {
        let differs = |id: &&'static str, text: &String| {
            before.is_none_or(|before| before.parts.get(*id) != Some(text))
        };
        let parts = self.parts.iter().filter(|(id, text)| differs(id, text));
        let header = self.screen.header();
        let (rows, gone) = workers(&self.screen, before.map(|before| &before.screen));
        let targets = match &self.screen {
            Screen::Pool(screen) => Some((screen.kv_target, screen.queue_target)),
            _ => None,
        };
        Live {
            snapshot: header.snapshot,
            taken: header.taken_seconds,
            round_age: header.round_age_seconds,
            round_limit: header.round_limit_seconds,
            connected: header.nats.connected,
            parts: parts.map(|(id, text)| (*id, text.as_str())).collect(),
            kv_target: targets.map(|(kv, _)| kv),
            queue_target: targets.map(|(_, queue)| queue),
            rows,
            gone,
        }
    }
}

/// The workers that differ, and the ids of those that are gone.
fn workers<'a>(now: &'a Screen, before: Option<&'a Screen>) -> (Vec<Packed<'a>>, Vec<&'a str>) {
    let Screen::Pool(now) = now else {
        return (Vec::new(), Vec::new());
    };
    let before = match before {
        Some(Screen::Pool(before)) => before.workers.as_slice(),
        _ => &[],
    };
    let mut known: std::collections::HashMap<&str, &WorkerRow> =
        before.iter().map(|row| (row.id.as_str(), row)).collect();
    let is_changed = |row: &&WorkerRow| known.remove(row.id.as_str()) != Some(*row);
    let rows = now.workers.iter().filter(is_changed).map(Packed::new).collect();
    (rows, known.into_keys().collect())
}
