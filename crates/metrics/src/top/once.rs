//! `metrics top --once`: the overview as text, for a pipe, a ticket, or a terminal that cannot move its cursor.

use std::fmt;

use super::body::{sentence, wrapped};
use super::columns;
use super::figures::age;
use crate::view::{Header, Overview};

/// An overview as text.
pub(super) struct Once<'a> {
    pub(super) overview: &'a Overview,
    /// Columns of the terminal; `None` for as many as it takes.
    pub(super) room: Option<usize>,
}

impl fmt::Display for Once<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overview {
            header,
            problems,
            pools,
            services,
        } = self.overview;
        let room = self.room.unwrap_or(usize::MAX);
        let sentences = problems.iter().map(|problem| sentence(problem, ""));
        for text in std::iter::once(summary(header)).chain(sentences) {
            for line in wrapped(&text, room) {
                writeln!(f, "{line}")?;
            }
        }
        match pools.is_empty() {
            true => writeln!(f, "no pool of workers")?,
            false => {
                writeln!(f)?;
                columns::pools(pools).write(f, self.room)?;
            }
        }
        if !services.is_empty() {
            writeln!(f)?;
            columns::services(services).write(f, self.room)?;
        }
        Ok(())
    }
}

/// Whether the figures can be trusted, and how large the fleet is.
pub(super) fn summary(header: &Header) -> String {
    let nats = match header.nats.connected {
        true => "NATS connected",
        false => "NATS NOT CONNECTED",
    };
    let round = match header.round_age_seconds {
        Some(seconds) => format!("last round {} ago", age(seconds)),
        None => "no round yet".to_owned(),
    };
    let counted = |count: usize, one: &str, more: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    };
    let mut text = format!(
        "{nats}; {round}; {}; {}, {}/{} workers fresh",
        counted(header.problems, "problem", "problems"),
        counted(header.pools, "pool", "pools"),
        header.fresh,
        header.workers,
    );
    if header.services > 0 {
        let services = counted(header.services, "service endpoint", "service endpoints");
        text.push_str(&format!("; {services}"));
    }
    text
}
