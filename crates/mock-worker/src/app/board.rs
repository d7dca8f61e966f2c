//! [`Board`]: the tables of all pools of this process, below the log of a terminal.

use std::io::stderr;
use std::sync::{Arc, Mutex, PoisonError};

use program::log::Lines;
use program::{LogFormat, terminal};

use super::show::Glance;
use crate::args::Config;

/// Clones are the same board.
#[derive(Debug, Clone)]
pub struct Board {
    lines: Lines,
    tables: Arc<Mutex<Vec<String>>>,
}

impl Board {
    /// A board for so many pools; none where its lines could not be replaced, or are not wanted.
    pub fn new(config: &Config, lines: &Lines, pools: usize) -> Option<Self> {
        let is_wanted =
            !config.quiet && config.log_format == LogFormat::Text && terminal::has_cursor(&stderr());
        is_wanted.then(|| Self {
            lines: lines.clone(),
            tables: Arc::new(Mutex::new(vec![String::new(); pools])),
        })
    }

    /// Replaces the table of one pool.
    pub(super) fn show(&self, place: usize, glance: &Glance) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables[place] = glance.to_string();
        self.lines.keep_below(&tables.concat());
    }
}
