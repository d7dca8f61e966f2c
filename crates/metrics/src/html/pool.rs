//! The page of a pool: a cell for each worker, the outliers, the spread, and the table.

use maud::{Markup, html};

use super::figures::{amount, leveled, mark, members, ratio, tile};
use super::format::{self, shown};
use super::overview::empty;
use super::problems::{self, command, worker_href};
use super::{Part, svg};
use crate::view::{Ask, HeatKey, Kind, Level, PoolScreen, Sort, WorkerRow, filter_matches};

/// Up to so many cells are large, and from so many on they are small.
const FEW: usize = 64;
const LONG: usize = 601;

/// Cells, and rows where all are asked for, that a page has without a script. The script gets all workers as data and draws
/// those in the window, and a browser would take seconds to lay out ten thousand rows before it runs.
const CELLS: usize = 1_000;
const ROWS: usize = 1_000;

pub(super) fn parts(screen: &PoolScreen) -> Vec<Part> {
    vec![
        ("title", title(screen)),
        ("figures", figures(screen)),
        ("problems", problems_part(screen)),
        ("outliers", outliers(screen)),
        ("spread", spread(screen)),
        ("charts", charts(screen)),
    ]
}

fn title(screen: &PoolScreen) -> Markup {
    html! {
        nav class="crumbs" aria-label="Where this is" { a href="./" { "Pools" } span aria-hidden="true" { "›" } }
        h1 class="named" {
            (mark(screen.pool.severity)) " " span { (shown(&screen.name)) }
            @for (name, value) in &screen.pool.labels { " " span class="tag" { (shown(name)) "=" (shown(value)) } }
        }
    }
}

fn figures(screen: &PoolScreen) -> Markup {
    let pool = &screen.pool;
    html! {
        div class="tiles small" {
            (tile(if screen.is_service { "Instances" } else { "Fresh" }, members(pool.members), html! {
                (pool.changes_last_hour) " changes in the last hour"
            }))
            @if let Some(spread) = &pool.kv_spread {
                (tile("KV use", html! { (ratio(Some(spread.max))) small { " max" } }, html! {
                    "median " (format::percent(Some(spread.p50.value))) ", p99 " (format::percent(Some(spread.p99.value)))
                    ", target " (format::percent(Some(screen.kv_target)))
                }))
            }
            @if pool.waiting.is_some() {
                (tile("Waiting", html! { (format::count(pool.waiting)) }, html! {
                    "longest queue " (amount(pool.waiting_max)) ", target " (screen.queue_target)
                }))
            }
            @if pool.slots.is_some() {
                (tile("Slots", html! { (format::percent(pool.slots)) }, html! { "in use over all workers" }))
            }
            (tile("Requests/s", html! { (format::number(pool.requests_per_second)) }, html! {
                "errors " (format::fine_percent(pool.error_ratio))
                @if !screen.is_service { ", hits " (format::percent(pool.hit_ratio)) }
            }))
            @if pool.imbalance.is_some() {
                (tile("Uneven", html! { (format::number(pool.imbalance)) "×" }, html! { "largest by mean" }))
            }
        }
    }
}

fn problems_part(screen: &PoolScreen) -> Markup {
    if screen.problems.is_empty() {
        return html! {};
    }
    html! {
        section class="panel" aria-labelledby="problems-title" {
            h2 id="problems-title" { "Problems " span class="n" { (screen.problems.len()) } }
            (problems::list(&screen.problems, Some(&screen.name)))
        }
    }
}

fn outliers(screen: &PoolScreen) -> Markup {
    html! {
        section class="panel" aria-labelledby="outliers-title" {
            h2 id="outliers-title" { "Outliers " @if !screen.outliers.is_empty() { span class="n" { (screen.outliers.len()) } } }
            @if screen.outliers.is_empty() { p class="quiet" { "No worker differs much from the others." } }
            @else {
                ul class="outliers" {
                    @for outlier in &screen.outliers {
                        li {
                            a class="id" href=(worker_href(&screen.name, &outlier.id)) { (short_id(&outlier.hex, &outlier.id)) }
                            " " (leveled(&shown(&outlier.text), outlier.level))
                        }
                    }
                }
            }
        }
    }
}

fn spread(screen: &PoolScreen) -> Markup {
    if screen.histogram.is_empty() {
        return html! {};
    }
    html! {
        section class="panel" aria-labelledby="spread-title" {
            h2 id="spread-title" { "Workers by " (screen.histogram_key.title()) }
            (svg::histogram(&screen.histogram, screen.histogram_key))
        }
    }
}

fn charts(screen: &PoolScreen) -> Markup {
    if screen.charts.is_empty() {
        return html! {};
    }
    html! {
        section class="panel" aria-labelledby="charts-title" {
            h2 id="charts-title" { "The last 15 minutes" }
            div class="charts" { @for chart in &screen.charts { (svg::chart(chart)) } }
        }
    }
}

/// A worker as people call it.
pub(super) fn short_id(hex: &str, id: &str) -> String {
    match hex {
        "" => shown(id),
        hex => format!("0x{hex}"),
    }
}

/// The key that the strip shows unless another is asked for: the first of which anything is known.
fn key_of(screen: &PoolScreen, ask: &Ask) -> HeatKey {
    let is_known = |key: &HeatKey| screen.workers.iter().any(|row| key.of(row).0.is_some());
    let keys = [HeatKey::Kv, HeatKey::Waiting, HeatKey::Slots, HeatKey::Requests];
    ask.key
        .or_else(|| keys.into_iter().find(is_known))
        .unwrap_or(HeatKey::Age)
}

/// A cell for each worker, in the order of their ids, so that each has its place.
pub(super) fn strip(screen: &PoolScreen, ask: &Ask) -> Markup {
    if screen.workers.is_empty() {
        return html! {};
    }
    let key = key_of(screen, ask);
    let mut rows: Vec<&WorkerRow> = screen.workers.iter().collect();
    rows.sort_by(|a, b| Sort::Id.compare(a, b));
    let largest = rows.iter().filter_map(|row| key.of(row).0).fold(0.0, f64::max);
    let keys: &[HeatKey] = match screen.is_service {
        true => &[HeatKey::Requests, HeatKey::Errors, HeatKey::Age],
        false => &HeatKey::ALL,
    };
    html! {
        section class="panel" aria-labelledby="strip-title" {
            div class="head" {
                h2 id="strip-title" { (if screen.is_service { "Instances" } else { "Workers" }) " at a glance" }
                nav class="keys-of" aria-label="What the cells show" {
                    @for known in keys {
                        @let href = format!("./?{}", Ask { key: Some(*known), ..ask.clone() });
                        a href=(href) data-key=(known.as_str()) aria-current=[(*known == key).then_some("true")] { (known.title()) }
                    }
                }
            }
            p class="sr" id="strip-text" { (summary(&screen.workers)) }
            @let size = match rows.len() { 0..=FEW => "strip few", LONG.. => "strip many", _ => "strip" };
            div class=(size) id="strip" data-key=(key.as_str()) aria-hidden="true" {
                @for row in rows.iter().take(CELLS) { (cell(screen, row, key, largest)) }
            }
            @if rows.len() > CELLS { p class="rest dim" id="strip-rest" { (rows.len() - CELLS) " more workers are not drawn without the script" } }
            p class="legend dim" aria-hidden="true" {
                span { span class="cell lv-ok h3" {} " below 80 % of target" }
                span { span class="cell lv-warn h6" {} " from 80 %" }
                span { span class="cell lv-bad h8" {} " at target" }
                span { span class="cell lv-new h3" {} " younger than 60 s" }
                span { span class="cell lv-stale h8" {} " silent" }
                span { span class="cell lv-none h5" {} " no target: by share of the largest" }
            }
        }
    }
}

/// How many workers are in which level, in words.
fn summary(workers: &[WorkerRow]) -> String {
    let count = |level| workers.iter().filter(|row| row.level == level).count();
    format!(
        "{}: {} at the target or above, {} at 80 % or more, {} silent, {} new",
        format::counted(workers.len(), "worker"),
        count(Level::Bad),
        count(Level::Warn),
        count(Level::Stale),
        count(Level::New)
    )
}

/// The height of a cell says the same as its colour: eight steps up to the target, or up to the largest value.
fn cell(screen: &PoolScreen, row: &WorkerRow, key: HeatKey, largest: f64) -> Markup {
    let (value, level) = key.of(row);
    let target = match key {
        HeatKey::Kv => screen.kv_target,
        HeatKey::Waiting => screen.queue_target,
        HeatKey::Slots | HeatKey::Hits => 1.0,
        _ => largest,
    };
    let height = match (level, value) {
        (Level::Stale, _) => 8,
        (_, None) => 0,
        (_, Some(value)) => step(value, target),
    };
    let title = format!(
        "{} {}",
        short_id(&row.hex, &row.id),
        match level {
            Level::Stale => row.state.clone(),
            _ => svg::value(key, value),
        }
    );
    html! {
        a class={ "cell " (svg::class(level)) " h" (height) } href=(worker_href(&screen.name, &row.id)) title=(title) tabindex="-1" {}
    }
}

fn step(value: f64, target: f64) -> u8 {
    let share = if target > 0.0 { value / target } else { 0.0 };
    ((share * 8.0).round().clamp(0.0, 8.0)) as u8
}

/// The columns of the table: in which order a heading puts the rows, and what it is called.
const COLUMNS: [(Sort, &str, &str, &str); 11] = [
    (Sort::Id, "Worker", "id", ""),
    (Sort::Host, "Host", "low", "Where it runs, as its metadata says"),
    (Sort::Kv, "KV", "num", "KV-cache use"),
    (Sort::Slots, "Slots", "num", "Running requests ÷ request capacity"),
    (Sort::Waiting, "Waiting", "num", "Queued requests"),
    (Sort::Requests, "Req/s", "num", "Requests per second"),
    (Sort::Errors, "Errors", "num", "Failed requests ÷ all requests"),
    (Sort::Hits, "Hits", "num low", "Blocks found in the prefix cache"),
    (Sort::Seen, "Seen", "num", "Time since it was last heard"),
    (
        Sort::Uptime,
        "Uptime",
        "num low",
        "Time since its instance started",
    ),
    (Sort::Restarts, "Restarts", "num low", "How often it restarted"),
];

/// The table of all workers.
pub(super) fn table(screen: &PoolScreen, ask: &Ask) -> Markup {
    let mut rows: Vec<&WorkerRow> = screen.workers.iter().collect();
    if !ask.filter.is_empty() {
        rows.retain(|row| filter_matches(&ask.filter, row));
    }
    if ask.sort != Sort::default() {
        rows.sort_by(|a, b| ask.sort.compare(a, b));
    }
    let more = rows.len().saturating_sub(ask.top.unwrap_or(ROWS));
    let count = rows.len();
    rows.truncate(count - more);
    let noun = if screen.is_service { "instance" } else { "worker" };
    let by_severity = Ask {
        sort: Sort::Severity,
        ..ask.clone()
    };
    // Where even all rows are not all, their number is asked for, which is obeyed.
    let all = Ask {
        top: ask.top.is_none().then_some(count),
        ..ask.clone()
    };
    html! {
        section class="panel" aria-labelledby="workers-title" {
            div class="head" {
                h2 id="workers-title" { (if screen.is_service { "Instances" } else { "Workers" }) " " span class="n" id="matching" { (count) } }
                form class="filter" method="get" action="./" role="search" {
                    input type="hidden" name="pool" value=(screen.name);
                    @if ask.sort != Sort::default() { input type="hidden" name="sort" value=(ask.sort.as_str()); }
                    @if ask.top.is_none() { input type="hidden" name="top" value="all"; }
                    @let hint = format!("Filter by id, host, state or level of a {noun}");
                    input id="filter" type="search" name="filter" value=(ask.filter) placeholder="Filter: id, host, stale, bad" aria-label=(hint) autocomplete="off" spellcheck="false";
                }
            }
            @if screen.workers.is_empty() {
                (empty(&format!("This pool has no {noun}s now.")))
                p { (command(&super::worker::explain(&screen.name, screen.is_service))) }
            } @else {
                div class="scroll" {
                    table class="grid workers" id="workers" data-service=(screen.is_service) {
                        thead { tr {
                            th class="mark" aria-sort=[(ask.sort == Sort::Severity).then_some("descending")] {
                                a href={ "./?" (by_severity) } data-sort="severity" title="The worst first" { span class="sr" { "Level" } "●" }
                            }
                            @for (sort, name, class, title) in COLUMNS {
                                @let is_here = ask.sort == sort;
                                @let href = format!("./?{}", Ask { sort, ..ask.clone() });
                                @let direction = if matches!(sort, Sort::Id | Sort::Host | Sort::Hits | Sort::Uptime) { "ascending" } else { "descending" };
                                th scope="col" class=(class) aria-sort=[is_here.then_some(direction)] {
                                    a href=(href) data-sort=(sort.as_str()) title=[Some(title).filter(|title| !title.is_empty())] { (name) }
                                }
                            }
                        } }
                        tbody id="rows" { @for row in rows { (worker_row(screen, row)) } }
                    }
                }
                @if count == 0 { p class="quiet" id="none" { "No " (noun) " matches the filter." } }
                p class="rest" id="rest" hidden[more == 0] { a href={ "./?" (all) } data-top="all" { (more) " more" } }
            }
        }
    }
}

/// A row of the table. The script draws the same.
fn worker_row(screen: &PoolScreen, row: &WorkerRow) -> Markup {
    html! {
        tr data-id=(row.id) class={ "row " (svg::class(row.level)) } {
            td class="mark" { span class="dot" role="img" aria-label=(row.level.as_str()) title=(row.level.meaning()) {} }
            th scope="row" class="id" { a href=(worker_href(&screen.name, &row.id)) { (short_id(&row.hex, &row.id)) } }
            td class="low" { (row.host.as_deref().map_or_else(|| format::UNKNOWN.to_owned(), shown)) }
            td class="num" { @if let Some(kv) = row.kv { (svg::bar(kv, screen.kv_target)) } " " (ratio(row.kv)) }
            td class="num" {
                @match (row.running, row.capacity) {
                    (Some(running), Some(capacity)) => { (running) span class="dim" { "/" (capacity) } }
                    (running, _) => (format::count(running)),
                }
            }
            td class="num" { (amount(row.waiting)) }
            td class="num" { (format::number(row.requests_per_second)) }
            td class="num" { (format::fine_percent(row.error_ratio)) }
            td class="num low" { (format::percent(row.hit_ratio)) }
            td class="num" {
                (format::span(row.last_seen_seconds.map(|seconds| seconds as f64)))
                @if row.state != "fresh" { " " span class="tag lv-stale" { (row.state) } }
            }
            td class="num low" { (format::span(row.started_seconds.map(|started| screen.header.taken_seconds - started))) }
            td class="num low" { (row.restarts) }
        }
    }
}

/// The address of a pool that has this worker.
pub(super) fn crumbs(pool: &str) -> Markup {
    let ask = Ask {
        pool: pool.to_owned(),
        ..Ask::of(Kind::Pool)
    };
    html! {
        nav class="crumbs" aria-label="Where this is" {
            a href="./" { "Pools" } span aria-hidden="true" { "›" }
            a href={ "./?" (ask) } { (shown(pool)) } span aria-hidden="true" { "›" }
        }
    }
}
