//! [`Answers`]: answers of the JSON API for one snapshot. Clients that ask the same within a second share one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::jobs::Slots;
use crate::api::{Query, Resource};
use crate::view::Ask;

/// Different answers that are kept. Of more, those that were asked for first are made again.
const MAX_ANSWERS: usize = 16;

/// The answers of one snapshot.
#[derive(Default)]
pub(super) struct Answers(Mutex<VecDeque<(Asked, Arc<Slots>)>>);

/// What was asked, and how old the snapshot was, in whole seconds: an answer says the age.
#[derive(PartialEq)]
struct Asked {
    what: What,
    age: u64,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// A resource of the JSON API.
    Resource(Resource, Query),
    /// A screen.
    Screen(Ask, Form),
}

/// In which form a screen is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// As JSON.
    Json,
    /// As a page.
    Html,
}

impl Answers {
    /// The answer to a query about the snapshot, which is of this age now.
    pub(super) fn slots(&self, what: What, age: Duration) -> Arc<Slots> {
        let asked = Asked {
            what,
            age: age.as_secs(),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| known.age == asked.age);
        if let Some((_, slots)) = kept.iter().find(|(known, _)| *known == asked) {
            return Arc::clone(slots);
        }
        if kept.len() >= MAX_ANSWERS {
            kept.pop_front();
        }
        let slots = Arc::<Slots>::default();
        kept.push_back((asked, Arc::clone(&slots)));
        slots
    }
}
