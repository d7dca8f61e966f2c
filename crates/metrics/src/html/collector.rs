//! The page of the collector itself.

use maud::{Markup, html};

use super::figures::tile;
use super::format::{self, shown};
use super::problems::{pool_href, worker_href};
use crate::view::{CollectorScreen, SenderRow, SettingRow};

/// Pools that are shown.
const POOLS: usize = 200;

/// Results and finishes that are no fault.
const FINE: [&str; 5] = ["ok", "foreign", "complete", "stall", "no_responders"];

pub(super) fn part(screen: &CollectorScreen) -> Markup {
    let resources = &screen.resources;
    let now = screen.header.taken_seconds;
    html! {
        h1 { "Collector" }
        div class="tiles small" {
            (tile("Version", html! { (screen.header.version) }, html! { "revision " (shown(&screen.revision)) }))
            (tile("Uptime", html! { (format::span(resources.started_seconds.map(|started| now - started))) }, html! { "processor time " (format::span(resources.cpu_seconds)) }))
            (tile("Memory", html! { (format::bytes(resources.resident_bytes)) }, html! { "history " (format::bytes(Some(resources.history_bytes))) }))
            (tile("Open files", html! { (format::count(resources.open_files)) }, html! { (format::count(resources.threads)) " threads, " (format::counted(resources.streams as usize, "open page")) }))
            (tile("Rounds left out", html! { (screen.rounds_skipped) }, html! { "the previous one had not ended" }))
            (tile("NATS", html! { (if screen.header.nats.connected { "connected" } else { "lost" }) }, html! {
                (screen.header.nats.reconnects) " reconnects, " (screen.permission_violations) " denials, " (screen.server_errors) " errors, " (screen.dropped_messages) " dropped"
            }))
        }
        section class="panel" aria-labelledby="rounds-title" {
            h2 id="rounds-title" { "Rounds and replies" }
            @if screen.pools.is_empty() { p class="quiet" { "There is no pool yet." } }
            @else { div class="scroll" { table class="grid" {
                thead { tr {
                    th scope="col" { "Pool" }
                    th scope="col" { "Rounds by how they ended" }
                    th scope="col" class="num" { "Mean" }
                    th scope="col" class="num" { abbr title="99 % of rounds take at most about this long" { "p99" } }
                    th scope="col" class="num" { "Missing" }
                    th scope="col" { "Replies by result" }
                } }
                tbody { @for pool in screen.pools.iter().take(POOLS) {
                    tr {
                        th scope="row" class="name" { a href=(pool_href(&pool.pool)) { (shown(&pool.pool)) } }
                        td { (counts(&pool.rounds)) }
                        td class="num" { (format::short_time(pool.round_seconds_mean)) }
                        td class="num" { (format::short_time(pool.round_seconds_p99)) }
                        td class="num" { (pool.missing) }
                        td { (counts(&pool.replies)) }
                    }
                } }
            } } }
            @if screen.pools.len() > POOLS { p class="rest dim" { (screen.pools.len() - POOLS) " more pools" } }
        }
        @if !screen.worst_senders.is_empty() { (senders(&screen.worst_senders)) }
        @if !screen.sinks.is_empty() {
            section class="panel" aria-labelledby="sinks-title" {
                h2 id="sinks-title" { "Pushes" }
                div class="scroll" { table class="grid" {
                    thead { tr {
                        th scope="col" { "To" } th scope="col" class="num" { "Last success" } th scope="col" class="num" { "Succeeded" }
                        th scope="col" class="num" { "Failed" } th scope="col" class="num" { "Refused" } th scope="col" class="num" { "Waiting" } th scope="col" class="num" { "Dropped" }
                    } }
                    tbody { @for sink in &screen.sinks {
                        tr {
                            th scope="row" { (sink.name) }
                            td class="num" { @match sink.last_success_seconds { Some(at) => { (format::span(Some(now - at))) " ago" } None => "never" } }
                            td class="num" { (sink.succeeded) } td class="num" { (sink.failed) } td class="num" { (sink.refused) }
                            td class="num" { (sink.waiting) } td class="num" { (sink.dropped) }
                        }
                    } }
                } }
            }
        }
        section class="panel" aria-labelledby="settings-title" {
            h2 id="settings-title" { "Configuration in force" }
            @let defaults = screen.settings.iter().filter(|row| row.is_default).count();
            (settings(screen.settings.iter().filter(|row| !row.is_default)))
            @if defaults > 0 {
                details {
                    summary { (format::counted(defaults, "default")) }
                    (settings(screen.settings.iter().filter(|row| row.is_default)))
                }
            }
        }
    }
}

fn senders(rows: &[SenderRow]) -> Markup {
    html! {
        section class="panel" aria-labelledby="senders-title" {
            h2 id="senders-title" { "Worst senders " span class="n" { (rows.len()) } }
            p class="dim" { "Instances with the most replies that were late, duplicate or refused. A reply that cannot be read at all names no instance." }
            div class="scroll" { table class="grid" {
                thead { tr {
                    th scope="col" { "Service" } th scope="col" { "Instance" } th scope="col" { "Worker" }
                    th scope="col" class="num" { "Replies" } th scope="col" { "By result" }
                } }
                tbody { @for row in rows {
                    tr {
                        th scope="row" class="name" { (shown(&row.service)) }
                        td { code { (shown(&row.instance)) } }
                        td { @match (&row.pool, &row.worker) {
                            (Some(pool), Some(worker)) => a href=(worker_href(pool, worker)) { (shown(worker)) },
                            _ => span class="dim" { (format::UNKNOWN) },
                        } }
                        td class="num" { (row.faults) }
                        td { (counts(&row.replies)) }
                    }
                } }
            } }
        }
    }
}

fn settings<'a>(rows: impl Iterator<Item = &'a SettingRow>) -> Markup {
    html! {
        div class="scroll" {
            table class="grid settings" {
                thead { tr { th scope="col" { "Key" } th scope="col" { "Value" } th scope="col" { "From" } } }
                tbody {
                    @for row in rows {
                        tr class=[row.is_default.then_some("is-default")] {
                            th scope="row" { code { (row.key) } }
                            td { @if row.value.is_empty() { span class="dim" { "not set" } } @else { code { (shown(&row.value)) } } }
                            td { (shown(&row.source)) }
                        }
                    }
                }
            }
        }
    }
}

/// Counts that are not zero; those that are a fault stand out.
fn counts(counts: &std::collections::BTreeMap<String, u64>) -> Markup {
    let known = || counts.iter().filter(|(_, count)| **count > 0);
    html! {
        @if known().next().is_none() { span class="dim" { (format::UNKNOWN) } }
        @for (name, count) in known() {
            span class=(if FINE.contains(&name.as_str()) { "pair" } else { "pair fault" }) { (name.replace('_', " ")) " " b { (count) } } " "
        }
    }
}
