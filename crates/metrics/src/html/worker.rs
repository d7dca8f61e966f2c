//! The page of a worker.

use maud::{Markup, html};

use super::figures::{amount, leveled, ratio, tile};
use super::format::{self, shown};
use super::pool::{crumbs, short_id};
use super::problems::command;
use super::svg;
use crate::view::{Level, WorkerScreen, explain_command};

/// The command that explains a pool, or the service of an endpoint.
pub(super) fn explain(pool: &str, is_service: bool) -> String {
    let name = match is_service {
        true => pool.split('/').next().unwrap_or(pool),
        false => pool,
    };
    explain_command(name)
}

pub(super) fn part(screen: &WorkerScreen) -> Markup {
    let row = &screen.row;
    let is_silent = row.level == Level::Stale;
    let now = screen.header.taken_seconds;
    html! {
        (crumbs(&screen.pool))
        h1 class={ "row " (svg::class(row.level)) } {
            span class="dot" role="img" aria-label=(row.level.as_str()) title=(row.level.meaning()) {}
            " " (short_id(&row.hex, &row.id))
            @if row.state != "fresh" { " " span class="tag lv-stale" { (row.state) } }
            @if row.level == Level::New { " " span class="tag lv-new" { "new" } }
        }
        div class="tiles small" {
            (tile("Last seen", html! {
                (leveled(&format!("{} ago", format::span(row.last_seen_seconds.map(|seconds| seconds as f64))), if is_silent { Level::Bad } else { Level::None }))
            }, html! { "state " (row.state) }))
            (tile("KV use", ratio(row.kv), html! { @if let Some(saturation) = row.saturation { "saturation " (format::percent(Some(saturation))) " of target" } }))
            (tile("Waiting", amount(row.waiting), html! { "queued requests" }))
            (tile("Slots", html! {
                (format::count(row.running)) @if let Some(capacity) = row.capacity { span class="dim" { "/" (capacity) } }
            }, html! { "running requests" }))
            (tile("Requests/s", html! { (format::number(row.requests_per_second)) }, html! {
                "errors " (format::fine_percent(row.error_ratio)) ", hits " (format::percent(row.hit_ratio))
            }))
            (tile("Uptime", html! { (format::span(row.started_seconds.map(|started| now - started))) }, html! { (format::counted(row.restarts as usize, "restart")) }))
        }
        section class="panel" aria-labelledby="charts-title" {
            h2 id="charts-title" { "The last 15 minutes" }
            @if screen.charts.is_empty() { p class="quiet" { "No history is kept of this worker, or nothing is known yet; --history says for how many workers there is one." } }
            @else { div class="charts" { @for chart in &screen.charts { (svg::chart(chart)) } } }
        }
        div class="columns" {
            section class="panel" aria-labelledby="identity-title" {
                h2 id="identity-title" { "Identity" }
                dl class="facts" {
                    @for fact in &screen.identity {
                        dt { (shown(&fact.name)) }
                        dd {
                            code { (shown(&fact.value)) }
                            button class="copy" type="button" data-copy=(fact.value) aria-label={ "Copy: " (shown(&fact.name)) } { "Copy" }
                        }
                    }
                }
            }
            section class="panel" aria-labelledby="changes-title" {
                h2 id="changes-title" { "Last changes" }
                @if screen.changes.is_empty() { p class="quiet" { "None of the last 256 changes is of this worker." } }
                @else {
                    ol class="changes" {
                        @for change in &screen.changes {
                            li {
                                span class="dim" { (format::span(Some(now - change.at_seconds))) " ago" }
                                " " strong { (change.change) }
                                @if !change.detail.is_empty() { " " (shown(&change.detail)) }
                            }
                        }
                    }
                }
                h3 { "PromQL" }
                p { (command(&screen.promql)) }
                h3 { "Why it is, or is not, in its pool" }
                p { (command(&screen.explain)) }
            }
        }
    }
}
