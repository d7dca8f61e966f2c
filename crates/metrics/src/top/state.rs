//! [`State`]: what a terminal shows, and what keys and updates make of it. It draws nothing and waits for nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::body::{self, Body};
use super::feed::Update;
use super::order::PoolSort;
use crate::view::{Ask, Header, HeatKey, Kind, Screen, Sort};

/// How a screen is looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    /// The key of the row that the cursor is on.
    pub(super) selected: Option<String>,
    /// The first row in sight.
    pub(super) first: usize,
    /// The order of workers.
    pub(super) sort: Sort,
    /// The order of pools.
    pub(super) pools: PoolSort,
    pub(super) is_reversed: bool,
    /// What a row must have.
    pub(super) filter: String,
    /// What the heat strip shows; `None` for what is known best.
    pub(super) key: Option<HeatKey>,
    /// Keys of rows in the order that is kept.
    pub(super) kept: Option<Vec<String>>,
    /// Whether all problems are listed.
    pub(super) has_all_problems: bool,
}

/// What the program is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    /// Follow another screen.
    Follow,
    Suspend,
    Quit,
}

/// A terminal.
#[derive(Debug)]
pub(super) struct State {
    /// Where screens come from.
    pub(super) origin: String,
    /// What is shown.
    pub(super) ask: Ask,
    /// What was shown before.
    trail: Vec<Ask>,
    looks: HashMap<Ask, Look>,
    pub(super) look: Look,
    /// `None` until the first answer, and where what it is about is not there.
    pub(super) screen: Option<Arc<Screen>>,
    /// Whether what is shown was there and is not any more, or never was.
    pub(super) is_gone: bool,
    /// The latest header, and when it came.
    header: Option<(Header, Instant)>,
    /// Why nothing comes, and since when.
    pub(super) silence: Option<(String, Instant)>,
    /// Whether a filter is being typed.
    pub(super) is_typing: bool,
    pub(super) has_help: bool,
    /// Something to say until the next key.
    pub(super) hint: Option<&'static str>,
    pool: Option<String>,
    worker: Option<(String, String)>,
    /// Rows and columns of the body, as it was drawn last.
    pub(super) room: (usize, usize),
    /// The line of the terminal on which the body begins.
    pub(super) body_at: usize,
}

/// Whether figures are current.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Currency {
    /// There is nothing yet.
    Waiting,
    /// They are.
    Live,
    /// They are not, for this reason.
    Old(String),
}

impl State {
    pub(super) fn new(origin: String) -> Self {
        Self {
            origin,
            ask: Ask::of(Kind::Overview),
            trail: Vec::new(),
            looks: HashMap::new(),
            look: Look::default(),
            screen: None,
            is_gone: false,
            header: None,
            silence: None,
            is_typing: false,
            has_help: false,
            hint: None,
            pool: None,
            worker: None,
            room: (20, 80),
            body_at: 3,
        }
    }

    /// The header as of now: figures grow old while nothing comes.
    pub(super) fn header(&self, now: Instant) -> Option<Header> {
        let (header, at) = self.header.as_ref()?;
        let mut header = header.clone();
        let elapsed = now.saturating_duration_since(*at).as_secs_f64();
        header.round_age_seconds = header.round_age_seconds.map(|age| age + elapsed);
        Some(header)
    }

    /// Whether figures are current.
    pub(super) fn currency(&self, now: Instant) -> Currency {
        let seconds = |duration: Duration| duration.as_secs();
        let Some(header) = self.header(now) else {
            return match &self.silence {
                None => Currency::Waiting,
                Some((reason, _)) => Currency::Old(format!("no answer from {}: {reason}", self.origin)),
            };
        };
        let age = match header.round_age_seconds {
            Some(age) => format!("the figures are {age:.0} s old"),
            None => "there are no figures yet".to_owned(),
        };
        if let Some((reason, since)) = &self.silence {
            let silent = seconds(now.saturating_duration_since(*since));
            return Currency::Old(format!(
                "no answer from {} for {silent} s ({reason}); {age}",
                self.origin
            ));
        }
        if !header.nats.connected {
            return Currency::Old(format!("the connection to NATS is lost; {age}"));
        }
        match header.round_age_seconds {
            None => Currency::Old("no round has ended yet".to_owned()),
            Some(age) if age > header.round_limit_seconds => Currency::Old(format!(
                "the last round ended {age:.0} s ago; the figures are from then"
            )),
            Some(_) => Currency::Live,
        }
    }

    /// Takes in what came.
    pub(super) fn update(&mut self, update: Update, now: Instant) {
        match update {
            Update::Screen(ask, screen) => {
                self.silence = None;
                self.header = Some((screen.header().clone(), now));
                if ask == self.ask {
                    self.screen = Some(screen);
                    self.is_gone = false;
                    self.settle();
                }
            }
            Update::Gone(ask) => {
                self.silence = None;
                if ask == self.ask {
                    self.screen = None;
                    self.is_gone = true;
                }
            }
            Update::Silent(reason) => {
                let since = self.silence.take().map_or(now, |(_, since)| since);
                self.silence = Some((reason, since));
            }
        }
    }

    /// What is in the body now.
    pub(super) fn body(&self) -> Option<Body<'_>> {
        let screen = self.screen.as_deref()?;
        Some(body::of(screen, &self.look, self.room.1))
    }

    /// Shows another screen. The one before can be gone back to.
    pub(super) fn open(&mut self, ask: Ask) -> Act {
        if ask == self.ask {
            return Act::Nothing;
        }
        let before = self.ask.clone();
        self.trail.retain(|known| *known != ask);
        self.trail.push(before);
        self.show(ask)
    }

    /// Shows the screen before; at the first one, the overview.
    pub(super) fn back(&mut self) -> Act {
        match self.trail.pop() {
            Some(ask) => self.show(ask),
            None if self.ask.kind != Kind::Overview => self.show(Ask::of(Kind::Overview)),
            None => Act::Nothing,
        }
    }

    fn show(&mut self, ask: Ask) -> Act {
        let before = std::mem::replace(&mut self.ask, ask);
        let look = self.looks.get(&self.ask).cloned().unwrap_or_default();
        self.looks.insert(before, std::mem::replace(&mut self.look, look));
        if !self.ask.pool.is_empty() {
            self.pool = Some(self.ask.pool.clone());
        }
        if !self.ask.worker.is_empty() {
            self.worker = Some((self.ask.pool.clone(), self.ask.worker.clone()));
        }
        self.screen = None;
        self.is_gone = false;
        self.is_typing = false;
        Act::Follow
    }

    /// Shows a screen by its kind: of the pool and the worker that the cursor is on, or that were shown last.
    pub(super) fn show_kind(&mut self, kind: Kind) -> Act {
        let selected = self.selected();
        match kind {
            Kind::Overview | Kind::Why | Kind::Collector => self.open(Ask::of(kind)),
            Kind::Pool => {
                let on_cursor = selected.map(|ask| ask.pool).filter(|pool| !pool.is_empty());
                let here = Some(self.ask.pool.clone()).filter(|pool| !pool.is_empty());
                let known = on_cursor.or(here).or_else(|| self.pool.clone());
                match known.or_else(|| self.first_pool()) {
                    Some(pool) => self.open(Ask {
                        pool,
                        ..Ask::of(kind)
                    }),
                    None => self.say("no pool is known yet; 4 shows why"),
                }
            }
            Kind::Worker => {
                let on_cursor = selected.filter(|ask| ask.kind == Kind::Worker);
                let on_cursor = on_cursor.map(|ask| (ask.pool, ask.worker));
                match on_cursor.or_else(|| self.worker.clone()) {
                    Some((pool, worker)) => self.open(Ask {
                        pool,
                        worker,
                        ..Ask::of(kind)
                    }),
                    None => self.say("choose a worker on the screen of its pool: 2, and then Enter"),
                }
            }
        }
    }

    fn first_pool(&self) -> Option<String> {
        match self.screen.as_deref()? {
            Screen::Overview(overview) => {
                let services = overview.services.first().map(|row| &row.name);
                overview.pools.first().map(|row| &row.name).or(services).cloned()
            }
            _ => None,
        }
    }

    /// What Enter opens.
    pub(super) fn selected(&self) -> Option<Ask> {
        let body = self.body()?;
        body.opens(body.place_of(self.look.selected.as_deref())?)
    }

    pub(super) fn say(&mut self, hint: &'static str) -> Act {
        self.hint = Some(hint);
        Act::Nothing
    }

    /// Moves the cursor by so many rows, or the text where there is nothing to choose.
    pub(super) fn step(&mut self, rows: isize) {
        let Some(body) = self.body() else { return };
        let places = body.places();
        let target = match (places.is_empty(), body.place_of(self.look.selected.as_deref())) {
            (false, Some(place)) => {
                let index = places.iter().position(|known| *known == place).unwrap_or(0);
                let index = index.saturating_add_signed(rows).min(places.len() - 1);
                Some((body.key(places[index]), places[index]))
            }
            _ => None,
        };
        let last = body.len().saturating_sub(self.room.0);
        match target {
            Some((key, _)) => self.look.selected = key,
            None => self.look.first = self.look.first.saturating_add_signed(rows).min(last),
        }
        self.settle();
    }

    /// Moves the cursor to this line of the terminal. Returns whether it was there already.
    pub(super) fn point_at(&mut self, line: usize) -> bool {
        let Some(place) = line.checked_sub(self.body_at) else {
            return false;
        };
        let Some(body) = self.body() else { return false };
        let place = place + self.look.first;
        let was_there = body.place_of(self.look.selected.as_deref()) == Some(place);
        let key = body.key(place);
        if key.is_some() {
            self.look.selected = key;
            self.settle();
        }
        was_there
    }

    /// Brings the cursor into sight.
    pub(super) fn settle(&mut self) {
        let height = self.room.0.max(1);
        let Some(body) = self.body() else { return };
        let (count, mut first) = (body.len(), self.look.first);
        if let Some(place) = body.place_of(self.look.selected.as_deref()) {
            // What explains the first row is above it, and a heading may cover the first row in sight.
            let is_first = body.places().first() == Some(&place);
            let top = if is_first { 0 } else { place.saturating_sub(1) };
            first = first.min(top).max((place + 1).saturating_sub(height));
        }
        self.look.first = first.min(count.saturating_sub(height));
    }

    /// Keeps the order of rows, or lets it change again.
    pub(super) fn pause(&mut self) {
        self.look.kept = match self.look.kept {
            Some(_) => None,
            None => self.body().map(|body| {
                let places = body.places().into_iter();
                places.filter_map(|place| body.key(place)).collect()
            }),
        };
    }
}
