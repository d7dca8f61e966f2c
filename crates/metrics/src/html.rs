//! Screens as pages: HTML that is complete without a script.
//!
//! A page is a frame with parts in it. Each part is written by one function, for the page and for the stream that keeps an
//! open page up to date, so there is one way to draw everything but the rows of a pool's workers, which the script draws as
//! well because it draws only those that are in the window.

mod collector;
mod figures;
mod format;
mod frame;
mod live;
mod overview;
mod pool;
mod problems;
mod svg;
mod why;
mod worker;

#[cfg(test)]
mod tests;

use maud::Markup;

use crate::view::{Ask, Screen};

pub(crate) use frame::{ICON, SCRIPT, STYLE, edition, missing, page};
pub(crate) use live::Drawn;

/// A part of a page, by the id of its element.
pub(crate) type Part = (&'static str, Markup);

/// The parts of a screen that may change from one snapshot to the next.
pub(crate) fn parts(screen: &Screen, ask: &Ask) -> Vec<Part> {
    let mut parts = match screen {
        Screen::Overview(screen) => overview::parts(screen, ask),
        Screen::Pool(screen) => pool::parts(screen),
        Screen::Worker(screen) => vec![("worker", worker::part(screen))],
        Screen::Why(screen) => vec![("why", why::part(screen))],
        Screen::Collector(screen) => vec![("collector", collector::part(screen))],
    };
    parts.insert(0, ("state", frame::state(screen.header())));
    parts
}
