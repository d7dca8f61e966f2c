//! Draws a [`State`]: the header, a banner where figures are old, the rows in sight, and which keys there are.

use protocol::text::Shown;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};
use tokio::time::Instant;
use unicode_width::UnicodeWidthStr;

use super::body::{self, Body, Of, Row};
use super::columns;
use super::help::{HELP, keys};
use super::once::summary;
use super::paint::Paint;
use super::state::{Currency, State};
use crate::table::{Cell, Layout, Table, cut};
use crate::view::{Kind, Screen};

/// Lines above the body, and one below it.
const ABOVE: u16 = 3;
const BELOW: u16 = 1;

/// Draws all of it.
pub(super) fn draw(state: &mut State, area: Rect, buffer: &mut Buffer, paint: Paint, now: Instant) {
    if area.height <= ABOVE + BELOW || area.width < 20 {
        write(buffer, area, 0, "too small".to_owned(), Style::new());
        return;
    }
    let currency = state.currency(now);
    header(state, &currency, area, buffer, paint, now);
    let mut above = ABOVE;
    if let Currency::Old(reason) = &currency {
        let banner = format!(" OLD: {reason} ");
        let banner = format!("{banner:<width$}", width = usize::from(area.width));
        write(buffer, area, above - 1, banner, paint.alarm());
        above += 1;
    }
    write(buffer, area, above - 1, subtitle(state), paint.title());
    let body = Rect {
        y: area.y + above,
        height: area.height - above - BELOW,
        ..area
    };
    let room = (usize::from(body.height), usize::from(body.width));
    if state.room != room {
        state.room = room;
        state.settle();
    }
    state.body_at = usize::from(body.y);
    if state.has_help {
        let lines = HELP.lines().enumerate().skip_while(|(_, line)| line.is_empty());
        for (y, line) in lines.take(room.0) {
            write(buffer, body, y as u16, format!(" {line}"), Style::new());
        }
    } else {
        match state.body() {
            Some(shown) => rows(state, &shown, body, buffer, paint),
            None => write(buffer, body, 0, nothing(state), Style::new()),
        }
        if matches!(currency, Currency::Old(_)) {
            buffer.set_style(body, paint.old());
        }
    }
    footer(state, area, buffer, paint);
}

fn write(buffer: &mut Buffer, area: Rect, y: u16, text: String, style: Style) {
    if y < area.height {
        let text = cut(&text, area.width.into());
        buffer.set_line(area.x, area.y + y, &Line::styled(text, style), area.width);
    }
}

fn header(state: &State, currency: &Currency, area: Rect, buffer: &mut Buffer, paint: Paint, now: Instant) {
    let (text, style) = match (state.header(now), currency) {
        (Some(header), Currency::Live) => (summary(&header), paint.title()),
        (Some(header), _) => (summary(&header), paint.alarm()),
        (None, _) => ("waiting for the first figures".to_owned(), paint.title()),
    };
    write(buffer, area, 0, text, style);
    let names = ["Pools", "Pool", "Worker", "Why", "Collector"];
    let mut tabs = Vec::new();
    for (index, (name, kind)) in names.into_iter().zip(Kind::ALL).enumerate() {
        let tab = format!("{} {name}", index + 1);
        tabs.push(match kind == state.ask.kind {
            true => Span::styled(format!("[{tab}]"), paint.cursor()),
            false => Span::raw(format!(" {tab} ")),
        });
    }
    let line = Line::from(tabs);
    let used = line.width();
    buffer.set_line(area.x, area.y + 1, &line, area.width);
    let room = usize::from(area.width).saturating_sub(used + 2);
    let origin = cut(&state.origin, room);
    let x = area.x + area.width - origin.width() as u16;
    buffer.set_line(x, area.y + 1, &Line::raw(origin), area.width);
}

/// What is shown, in which order, and what of it.
fn subtitle(state: &State) -> String {
    let mut parts = Vec::new();
    let about = match state.ask.kind {
        Kind::Overview => String::new(),
        Kind::Pool => named(&state.ask.pool),
        Kind::Worker => format!("{}, worker {}", named(&state.ask.pool), named(&state.ask.worker)),
        Kind::Why => "Why don't I see my worker?".to_owned(),
        Kind::Collector => "The collector itself".to_owned(),
    };
    if !about.is_empty() {
        parts.push(about);
    }
    let look = &state.look;
    if matches!(state.ask.kind, Kind::Overview | Kind::Pool) {
        let order = match state.ask.kind {
            Kind::Pool => look.sort.as_str(),
            _ => look.pools.as_str(),
        };
        parts.push(match look.is_reversed {
            true => format!("by {order}, reversed"),
            false => format!("by {order}"),
        });
        if look.kept.is_some() {
            parts.push("ORDER KEPT".to_owned());
        }
        if !look.filter.is_empty() && !state.is_typing {
            let filter = named(&look.filter);
            let found = state.body().and_then(|body| body.found);
            parts.push(match found {
                Some((found, all)) => format!("filter {filter:?}: {found} of {all}"),
                None => format!("filter {filter:?}"),
            });
        }
    }
    format!(" {}", parts.join("; "))
}

fn named(name: &str) -> String {
    Shown(name).to_string()
}

fn nothing(state: &State) -> String {
    match (state.is_gone, state.ask.kind) {
        (true, Kind::Worker) => " it is not there now; Esc goes back, 4 shows why".to_owned(),
        (true, _) => " there is no such pool now; Esc goes back, 4 shows why".to_owned(),
        (false, _) => String::new(),
    }
}

/// How wide columns are.
struct Layouts {
    pools: Layout<{ columns::POOL_COLUMNS }>,
    services: Layout<{ columns::SERVICE_COLUMNS }>,
    workers: Layout<{ columns::WORKER_COLUMNS }>,
}

/// The rows in sight.
fn rows(state: &State, body: &Body<'_>, area: Rect, buffer: &mut Buffer, paint: Paint) {
    let height = usize::from(area.height);
    let first = state.look.first.min(body.len().saturating_sub(1));
    let end = (first + height).min(body.len());
    let cursor = body.place_of(state.look.selected.as_deref());
    let room = usize::from(area.width).saturating_sub(2);
    let Layouts {
        pools,
        services,
        workers,
    } = layouts(body, first..end, room);
    let now = body.screen.header().taken_seconds;
    // A heading stays in sight as long as a row of its table does.
    let above = body.rows[first].table().filter(|_| first > 0);
    for (y, place) in (first..end).enumerate() {
        let row = match (&body.rows[place], above) {
            (_, Some(table)) if y == 0 => &Row::Heading(table),
            (row, _) => row,
        };
        let cells = match row {
            Row::Empty => Vec::new(),
            Row::Title(title) => vec![Cell::from(title.clone())],
            Row::Text(cells) => cells.clone(),
            Row::Heading(of) => vec![Cell::from(match of {
                Of::Pools => pools.heading(),
                Of::Services => services.heading(),
                Of::Workers => workers.heading(),
            })],
            Row::Problem(_, problem, line) => vec![Cell::new(line.clone(), body::level(problem.severity))],
            Row::Outlier(row) => body::outlier(row),
            Row::Pool(row) => in_columns(&columns::pools([*row]), &pools),
            Row::Service(row) => in_columns(&columns::services([*row]), &services),
            Row::Worker(row) => in_columns(&columns::workers([*row], now, 0), &workers),
        };
        let is_chosen = cursor == Some(place);
        let mark = if is_chosen { ">" } else { " " };
        let mut spans = vec![Span::raw(mark)];
        spans.extend(cells.into_iter().map(|cell| {
            let style = match row {
                Row::Title(_) | Row::Heading(_) => paint.title(),
                _ => paint.level(cell.level),
            };
            Span::styled(cell.text, style)
        }));
        let y = area.y + y as u16;
        buffer.set_line(area.x, y, &Line::from(spans), area.width);
        if is_chosen {
            let line = Rect { y, height: 1, ..area };
            buffer.set_style(line, paint.cursor());
        }
    }
}

fn in_columns<const COLUMNS: usize>(table: &Table<COLUMNS>, layout: &Layout<COLUMNS>) -> Vec<Cell> {
    table
        .rows()
        .first()
        .map_or_else(Vec::new, |row| layout.spaced(row))
}

/// Pools and services are few, so their columns fit all of them. Of workers only those in sight count.
fn layouts(body: &Body<'_>, sight: std::ops::Range<usize>, room: usize) -> Layouts {
    let (mut pools, mut services, mut workers) = (Vec::new(), Vec::new(), Vec::new());
    for (place, row) in body.rows.iter().enumerate() {
        match row {
            Row::Pool(row) => pools.push(*row),
            Row::Service(row) => services.push(*row),
            Row::Worker(row) if sight.contains(&place) => workers.push(*row),
            _ => {}
        }
    }
    let (mut host, mut now) = (0, 0.0);
    if let Screen::Pool(screen) = body.screen {
        let hosts = screen.workers.iter().filter_map(|row| row.host.as_deref());
        host = hosts.map(UnicodeWidthStr::width).max().unwrap_or(0);
        now = screen.header.taken_seconds;
    }
    Layouts {
        pools: columns::pools(pools).layout(Some(room)),
        services: columns::services(services).layout(Some(room)),
        workers: columns::workers(workers, now, host).layout(Some(room)),
    }
}

fn footer(state: &State, area: Rect, buffer: &mut Buffer, paint: Paint) {
    let y = area.height - 1;
    if state.is_typing {
        let text = format!(
            " filter: {}_   Enter keeps it, Esc clears it",
            named(&state.look.filter)
        );
        return write(buffer, area, y, text, paint.title());
    }
    if let Some(hint) = state.hint {
        return write(buffer, area, y, format!(" {hint}"), paint.title());
    }
    write(
        buffer,
        area,
        y,
        format!(" {}", keys(state.ask.kind)),
        Style::new(),
    );
}
