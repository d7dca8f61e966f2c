//! The first page: four answers, problems, pools, services.

use maud::{Markup, html};

use super::Part;
use super::figures::{amount, leveled, mark, members, ratio, tile};
use super::format::{self, shown};
use super::problems::{self, pool_href};
use super::svg;
use crate::view::{Ask, Level, Overview, PoolRow, ServiceRow};

pub(super) fn parts(screen: &Overview, ask: &Ask) -> Vec<Part> {
    vec![
        ("answers", answers(screen)),
        ("problems", problems_part(screen)),
        ("pools", pools(screen, ask)),
        ("services", services(screen, ask)),
    ]
}

/// The page, of which the filter stays as it is while parts of it are replaced.
pub(super) fn layout(screen: &Overview, ask: &Ask, part: &dyn Fn(&str) -> Markup) -> Markup {
    let only_services = screen.pools.is_empty() && !screen.services.is_empty();
    html! {
        (part("answers"))
        (part("problems"))
        section class="panel" aria-labelledby="pools-title" {
            div class="head" {
                h2 id="pools-title" { "Pools" }
                (filter(ask, if only_services { "services" } else { "pools and services" }))
            }
            (part("pools"))
        }
        (part("services"))
    }
}

/// Is anything down, which pool is saturated, are workers uneven, can the page be trusted.
fn answers(screen: &Overview) -> Markup {
    let header = &screen.header;
    let silent = header.workers - header.fresh;
    let down = screen.pools.iter().filter(|row| row.members.fresh == 0).count();
    let busiest = screen.pools.iter().filter(|row| row.saturation_max.is_some());
    let busiest = busiest.max_by(|a, b| saturation(a).total_cmp(&saturation(b)));
    let saturated: usize = screen.pools.iter().filter_map(|row| row.saturated).sum();
    let uneven = screen
        .pools
        .iter()
        .filter(|row| row.imbalance.is_some() && row.members.fresh > 1);
    let uneven = uneven.max_by(|a, b| imbalance(a).total_cmp(&imbalance(b)));
    html! {
        h1 class="sr" { "Pools" }
        div class="tiles" {
            (tile("Is anything down?", html! {
                @if header.workers == 0 { span class="dim" { "no workers yet" } }
                @else {
                    span class=[(down > 0 || silent > 0).then_some(if down > 0 { "fig lv-bad" } else { "fig lv-warn" })] { (header.fresh) }
                    span class="dim" { " / " (header.workers) }
                    small { " fresh" }
                }
            }, html! {
                @if down > 0 { (format::counted(down, "pool")) " without a fresh worker" }
                @else if silent > 0 { (format::counted(silent, "worker")) " silent" }
                @else { "every worker answers" }
            }))
            (tile("Which pool is saturated?", html! {
                @match busiest {
                    Some(row) => (leveled(&format::percent(row.saturation_max.map(|figure| figure.value)),
                        row.saturation_max.map_or(Level::None, |figure| figure.level))),
                    None => span class="dim" { (format::UNKNOWN) },
                }
                @if busiest.is_some() { small { " of target" } }
            }, html! {
                @match busiest {
                    Some(row) => {
                        a href=(pool_href(&row.name)) { (shown(&row.name)) }
                        @if saturated > 0 { ", " (format::counted(saturated, "worker")) " in all" }
                    }
                    None => "no load is reported",
                }
            }))
            (tile("Are workers uneven?", html! {
                @match uneven {
                    Some(row) => { (format::number(row.imbalance)) "×" small { " max by mean" } }
                    None => span class="dim" { (format::UNKNOWN) },
                }
            }, html! {
                @if let Some(row) = uneven { a href=(pool_href(&row.name)) { (shown(&row.name)) } }
                @else { "one worker, or no load" }
            }))
            (tile("Can I trust this page?", html! {
                @if header.is_live { span class="fig lv-ok" { "live" } }
                @else { span class="fig lv-bad" { "old" } }
                small { " snapshot " (header.snapshot) }
            }, html! {
                @if header.ready { "NATS is connected and rounds are recent" }
                @else { (shown(&header.not_ready.join("; "))) }
            }))
        }
    }
}

fn saturation(row: &PoolRow) -> f64 {
    row.saturation_max.map_or(-1.0, |figure| figure.value)
}

fn imbalance(row: &PoolRow) -> f64 {
    row.imbalance.unwrap_or(0.0)
}

fn problems_part(screen: &Overview) -> Markup {
    html! {
        section class="panel" aria-labelledby="problems-title" {
            h2 id="problems-title" { "Problems" @if !screen.problems.is_empty() { " " span class="n" { (screen.problems.len()) } } }
            (problems::list(&screen.problems, None))
        }
    }
}

/// The rows that a filter leaves, and how many more there are than fit.
fn rows<'a, R>(rows: &'a [R], name: impl Fn(&R) -> &str, ask: &Ask) -> (Vec<&'a R>, usize) {
    let filter = ask.filter.to_lowercase();
    let mut left: Vec<&R> = rows
        .iter()
        .filter(|row| name(row).to_lowercase().contains(&filter))
        .collect();
    let more = left.len().saturating_sub(ask.top.unwrap_or(usize::MAX));
    left.truncate(left.len() - more);
    (left, more)
}

/// The form that filters a table without a script.
fn filter(ask: &Ask, what: &str) -> Markup {
    html! {
        form class="filter" method="get" action="./" role="search" {
            @if ask.top.is_none() { input type="hidden" name="top" value="all"; }
            input id="filter" type="search" name="filter" value=(ask.filter) placeholder={ "Filter " (what) } aria-label={ "Filter " (what) } autocomplete="off" spellcheck="false";
        }
    }
}

fn more(more: usize, ask: &Ask) -> Markup {
    let all = Ask {
        top: None,
        ..ask.clone()
    };
    html! { @if more > 0 { p class="rest" { a href={ "./?" (all) } { (more) " more" } } } }
}

fn pools(screen: &Overview, ask: &Ask) -> Markup {
    let (rows, hidden) = rows(&screen.pools, |row| &row.name, ask);
    html! {
            @if screen.pools.is_empty() && screen.services.is_empty() {
                (empty("There is no pool of workers yet."))
            } @else if screen.pools.is_empty() {
                p class="quiet" { "No pool of workers is watched, or none has been found. " a href="why" { "Why?" } }
            } @else if rows.is_empty() {
                p class="quiet" { "No pool matches the filter." }
            } @else {
                div class="scroll" {
                    table class="grid" id="pools" {
                        thead { tr {
                            th class="mark" { span class="sr" { "State" } }
                            th scope="col" { "Pool" }
                            th scope="col" class="num" { "Fresh" }
                            th scope="col" class="num" { abbr title="KV-cache use: median, 99th percentile, largest" { "KV p50 · p99 · max" } }
                            th scope="col" class="wide" { span class="sr" { "KV use as a bar" } }
                            th scope="col" class="num" { abbr title="Queued requests in all, and the largest queue of a worker" { "Waiting · max" } }
                            th scope="col" class="num" { "Req/s" }
                            th scope="col" class="num" { "Errors" }
                            th scope="col" class="num low" { abbr title="Blocks found in the prefix cache" { "Hits" } }
                            th scope="col" class="num low" { abbr title="The largest KV use by the mean" { "Uneven" } }
                            th scope="col" class="num low" { abbr title="Changes of workers in the last hour" { "Changes" } }
                            th scope="col" { "15 min" }
                        } }
                        tbody { @for row in rows { (pool_row(row)) } }
                    }
                }
                (more(hidden, ask))
            }
    }
}

fn pool_row(row: &PoolRow) -> Markup {
    let labels = row.labels.iter();
    html! {
        tr class=[(row.members.fresh == 0).then_some("is-stale")] {
            td class="mark" { (mark(row.severity)) }
            th scope="row" class="name" {
                a href=(pool_href(&row.name)) { (shown(&row.name)) }
                @for (name, value) in labels { " " span class="tag" { (shown(name)) "=" (shown(value)) } }
            }
            td class="num" { (members(row.members)) }
            td class="num" {
                @match &row.kv_spread {
                    Some(spread) => {
                        (ratio(Some(spread.p50))) span class="dim" { " · " }
                        (ratio(Some(spread.p99))) span class="dim" { " · " }
                        (ratio(Some(spread.max)))
                    }
                    None => span class="dim" { (format::UNKNOWN) },
                }
            }
            td class="wide" { @if let Some(spread) = &row.kv_spread { (svg::spread(spread)) } }
            td class="num" {
                (format::count(row.waiting)) @if row.waiting_max.is_some() { span class="dim" { " · " } (amount(row.waiting_max)) }
            }
            td class="num" { (format::number(row.requests_per_second)) }
            td class="num" { (format::fine_percent(row.error_ratio)) }
            td class="num low" { (format::percent(row.hit_ratio)) }
            td class="num low" { @match row.imbalance { Some(_) => { (format::number(row.imbalance)) "×" } None => (format::UNKNOWN) } }
            td class="num low" { (row.changes_last_hour) }
            td { (svg::spark(&row.spark)) }
        }
    }
}

fn services(screen: &Overview, ask: &Ask) -> Markup {
    if screen.services.is_empty() {
        return html! {};
    }
    let (rows, hidden) = rows(&screen.services, |row| &row.name, ask);
    html! {
        section class="panel" aria-labelledby="services-title" {
            div class="head" {
                h2 id="services-title" { "Services " span class="n" { (screen.header.services) } }
            }
            @if rows.is_empty() { p class="quiet" { "No service matches the filter." } }
            @else {
                div class="scroll" {
                    table class="grid" id="services" {
                        thead { tr {
                            th class="mark" { span class="sr" { "State" } }
                            th scope="col" { "Service" }
                            th scope="col" class="num" { "Fresh" }
                            th scope="col" class="num" { "Req/s" }
                            th scope="col" class="num" { "Errors" }
                            th scope="col" class="num" { abbr title="Mean time spent on a request" { "Time" } }
                            th scope="col" class="num low" { "Changes" }
                            th scope="col" { "15 min" }
                        } }
                        tbody { @for row in rows { (service_row(row)) } }
                    }
                }
                (more(hidden, ask))
            }
        }
    }
}

fn service_row(row: &ServiceRow) -> Markup {
    html! {
        tr class=[(row.members.fresh == 0).then_some("is-stale")] {
            td class="mark" { (mark(row.severity)) }
            th scope="row" class="name" {
                a href=(pool_href(&row.name)) { (shown(&row.name)) }
                @for (name, value) in &row.labels { " " span class="tag" { (shown(name)) "=" (shown(value)) } }
            }
            td class="num" { (members(row.members)) }
            td class="num" { (format::number(row.requests_per_second)) }
            td class="num" { (format::fine_percent(row.error_ratio)) }
            td class="num" { (format::short_time(row.processing_seconds)) }
            td class="num low" { (row.changes_last_hour) }
            td { (svg::spark(&row.spark)) }
        }
    }
}

/// What is said where there is nothing: where to find out why.
pub(super) fn empty(text: &str) -> Markup {
    html! {
        div class="empty" {
            p { (text) }
            p { a class="button" href="why" { "Why don’t I see my worker?" } }
        }
    }
}
