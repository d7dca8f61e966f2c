//! Why a worker is not seen.

use super::{shown, text, title};
use crate::top::body::Row;
use crate::view::{Level, WhyScreen};

/// What is watched, what is there, and what nearly belongs together.
pub(in crate::top) fn why(screen: &WhyScreen, room: usize, rows: &mut Vec<Row<'_>>) {
    let facts = &screen.facts;
    text(&shown(&facts.round), Level::None, room, rows);
    for denied in &facts.denied {
        text(&shown(denied), Level::Bad, room, rows);
    }
    title("Watched", rows);
    for watched in &facts.watched {
        let level = match (watched.fresh, watched.workers) {
            (0, _) => Level::Bad,
            (fresh, workers) if fresh < workers => Level::Warn,
            _ => Level::Ok,
        };
        let line = format!("{}: {}", shown(&watched.name), shown(&watched.text));
        text(&line, level, room, rows);
        for miss in &watched.near_misses {
            let of = miss.of.as_deref().map(shown).unwrap_or_default();
            let line = format!("  {} nearly: {of} {}", miss.count, shown(&miss.reason));
            text(&line, Level::Warn, room, rows);
            if let Some(remedy) = &miss.remedy {
                text(&format!("  → {}", shown(remedy)), Level::None, room, rows);
            }
        }
        if let Some(command) = &watched.command {
            text(&format!("  $ {}", shown(command)), Level::None, room, rows);
        }
    }
    if facts.watched.is_empty() {
        text("nothing", Level::None, room, rows);
    }
    if !facts.found.is_empty() {
        title("Pools that are not watched", rows);
    }
    for found in &facts.found {
        let line = format!("{}: {} workers", shown(&found.path), found.workers);
        text(&line, Level::None, room, rows);
        text(&format!("  $ {}", shown(&found.command)), Level::None, room, rows);
    }
    if !facts.services.is_empty() {
        title("Plain services", rows);
    }
    for service in &facts.services {
        let watched = match service.is_watched {
            true => "watched".to_owned(),
            false => format!("$ {}", shown(&service.command)),
        };
        let line = format!(
            "{}: {} instances; {watched}",
            shown(&service.name),
            service.instances
        );
        text(&line, Level::None, room, rows);
    }
    if !facts.refused.is_empty() {
        title("Refused", rows);
    }
    for refused in &facts.refused {
        let line = format!(
            "{}: {} of {} workers, e.g. {}",
            shown(&refused.pool),
            shown(&refused.reason),
            refused.count,
            shown(&refused.example)
        );
        text(&line, Level::Warn, room, rows);
    }
    if !screen.duplicates.is_empty() {
        title("Ids that several instances report", rows);
    }
    for shared in &screen.duplicates {
        let line = format!(
            "{}: worker {}; {} is shown, {} is left out",
            shown(&shared.pool),
            shown(&shared.worker),
            shown(&shared.shown),
            shown(&shared.left_out)
        );
        text(&line, Level::Warn, room, rows);
    }
}
