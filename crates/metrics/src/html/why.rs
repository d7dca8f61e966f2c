//! The page that says why a worker is not seen.

use maud::{Markup, html};
use protocol::text::Shown;

use super::format::{self, shown};
use super::problems::{command, pool_href, worker_href};
use crate::view::{Watched, WhyScreen};

/// Characters of a sentence that are shown.
const SENTENCE: usize = 800;

fn sentence(text: &str) -> String {
    Shown(text).up_to(SENTENCE).to_string()
}

pub(super) fn part(screen: &WhyScreen) -> Markup {
    let facts = &screen.facts;
    let (missing, there): (Vec<_>, Vec<_>) = facts.watched.iter().partition(|pool| pool.fresh == 0);
    html! {
        h1 { "Why don’t I see my worker?" }
        p class="lead dim" { (sentence(&facts.round)) ". What answers is compared with what is to be watched." }
        @if !facts.denied.is_empty() {
            section class="panel wrong" aria-labelledby="denied-title" {
                h2 id="denied-title" { "NATS denies permissions" }
                ul { @for line in &facts.denied { li { (sentence(line)) } } }
            }
        }
        section class="panel" aria-labelledby="missing-title" {
            h2 id="missing-title" { "Watched, and without a fresh worker " span class="n" { (missing.len()) } }
            @if missing.is_empty() { p class="quiet" { span class="sev sev-fine" aria-hidden="true" { "✓" } " Everything that is watched has workers." } }
            @else { ul class="problems" { @for pool in &missing { (watched(pool)) } } }
        }
        section class="panel" aria-labelledby="found-title" {
            h2 id="found-title" { "On NATS, and not watched " span class="n" { (facts.found.len() + facts.services.iter().filter(|service| !service.is_watched).count()) } }
            @if facts.found.is_empty() && facts.services.iter().all(|service| service.is_watched) {
                p class="quiet" { "Nothing else answers." }
            }
            @if !facts.found.is_empty() {
                div class="scroll" { table class="grid" {
                    thead { tr { th scope="col" { "Pool of workers" } th scope="col" class="num" { "Workers" } th scope="col" { "Watch it with" } } }
                    tbody { @for pool in &facts.found {
                        tr { th scope="row" class="name" { (shown(&pool.path)) } td class="num" { (pool.workers) } td { (command(&pool.command)) } }
                    } }
                } }
            }
            @if facts.services.iter().any(|service| !service.is_watched) {
                div class="scroll" { table class="grid" {
                    thead { tr { th scope="col" { "Service" } th scope="col" class="num" { "Instances" } th scope="col" { "Watch it with" } } }
                    tbody { @for service in facts.services.iter().filter(|service| !service.is_watched) {
                        tr { th scope="row" class="name" { (shown(&service.name)) } td class="num" { (service.instances) } td { (command(&service.command)) } }
                    } }
                } }
            }
        }
        @if !facts.refused.is_empty() {
            section class="panel" aria-labelledby="refused-title" {
                h2 id="refused-title" { "Refused fields " span class="n" { (facts.refused.len()) } }
                p class="dim" { "Invalid values in what workers report. The rest of each report is kept." }
                div class="scroll" { table class="grid" {
                    thead { tr { th scope="col" { "Pool" } th scope="col" class="num" { "Workers" } th scope="col" { "What is wrong" } th scope="col" { "For example" } } }
                    tbody { @for refused in &facts.refused {
                        tr {
                            th scope="row" class="name" { a href=(pool_href(&refused.pool)) { (shown(&refused.pool)) } }
                            td class="num" { (refused.count) } td class="text" { (sentence(&refused.reason)) } td { code { (shown(&refused.example)) } }
                        }
                    } }
                } }
            }
        }
        @if !screen.duplicates.is_empty() {
            section class="panel" aria-labelledby="duplicates-title" {
                h2 id="duplicates-title" { "Ids that several instances report " span class="n" { (screen.duplicates.len()) } }
                div class="scroll" { table class="grid" {
                    thead { tr { th scope="col" { "Pool" } th scope="col" { "Worker" } th scope="col" { "Shown" } th scope="col" { "Left out" } } }
                    tbody { @for shared in &screen.duplicates {
                        tr {
                            th scope="row" class="name" { a href=(pool_href(&shared.pool)) { (shown(&shared.pool)) } }
                            td { a href=(worker_href(&shared.pool, &shared.worker)) { (shown(&shared.worker)) } }
                            td { code { (shown(&shared.shown)) } } td { code { (shown(&shared.left_out)) } }
                        }
                    } }
                } }
            }
        }
        @if !there.is_empty() {
            section class="panel" aria-labelledby="there-title" {
                h2 id="there-title" { "Watched, with workers " span class="n" { (there.len()) } }
                ul class="plain" { @for pool in &there { li { a href=(pool_href(&pool.name)) { (shown(&pool.name)) } ": " (sentence(&pool.text)) } } }
            }
        }
    }
}

fn watched(pool: &Watched) -> Markup {
    html! {
        li {
            span class="sev sev-critical" role="img" aria-label="without workers" { "✕" }
            div {
                p { a href=(pool_href(&pool.name)) { (shown(&pool.name)) } " " (sentence(&pool.text)) }
                @if !pool.near_misses.is_empty() {
                    ul class="misses" {
                        @for miss in &pool.near_misses {
                            li {
                                (format::counted(miss.count as usize, "endpoint"))
                                @if let Some(of) = &miss.of { " of " code { (shown(of)) } }
                                ": " (sentence(&miss.reason))
                                @if let Some(remedy) = &miss.remedy { " — " strong { (sentence(remedy)) } }
                            }
                        }
                    }
                }
                @if let Some(text) = &pool.command { p class="remedy" { (command(text)) } }
            }
        }
    }
}
