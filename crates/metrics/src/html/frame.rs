//! What every page has: its head, the bar with the state of the collector, and the banner over old figures.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use maud::{DOCTYPE, Markup, html};

use super::format::{self, shown};
use super::problems::command;
use super::{Part, overview, parts, pool};
use crate::view::{Ask, Header, Kind, Screen};

/// The style sheet.
pub(crate) const STYLE: &str = include_str!("../../assets/style.css");

/// The script.
pub(crate) const SCRIPT: &str = include_str!("../../assets/live.js");

/// The icon.
pub(crate) const ICON: &str = include_str!("../../assets/icon.svg");

/// A text that changes with the assets, so that a browser may keep each version of them for good.
pub(crate) fn edition() -> &'static str {
    static EDITION: OnceLock<String> = OnceLock::new();
    EDITION.get_or_init(|| {
        let mut hasher = DefaultHasher::new();
        (STYLE, SCRIPT, ICON).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    })
}

/// The page of a screen.
pub(crate) fn page(screen: &Screen, ask: &Ask) -> String {
    let parts = parts(screen, ask);
    let body = html! {
        @match screen {
            Screen::Pool(screen) => {
                (part(&parts, "title"))
                (part(&parts, "figures"))
                (part(&parts, "problems"))
                (pool::strip(screen, ask))
                div class="columns" { (part(&parts, "outliers")) (part(&parts, "spread")) }
                (part(&parts, "charts"))
                (pool::table(screen, ask))
            }
            Screen::Overview(screen) => (overview::layout(screen, ask, &|id| part(&parts, id))),
            _ => { @for (id, _) in &parts { @if *id != "state" { (part(&parts, id)) } } }
        }
    };
    frame(ask, Some(screen.header()), &part(&parts, "state"), &body)
}

/// The page that says that something is not there.
pub(crate) fn missing(ask: &Ask, text: &str) -> String {
    let body = html! {
        section class="panel" {
            h1 { "Not here" }
            p { (shown(text)) "." }
            p { "It may have left, or have another name: look at "
                a href="./" { "all pools" } " or at " a href="why" { "why a worker is not seen" } "." }
        }
    };
    frame(ask, None, &html! {}, &body)
}

fn part(parts: &[Part], id: &str) -> Markup {
    let markup = parts
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, markup)| markup);
    html! { @if let Some(markup) = markup { div class="part" id={ "part-" (id) } { (markup) } } }
}

/// What the page is called, in a window's title and a history.
fn title(ask: &Ask) -> String {
    match ask.kind {
        Kind::Overview => "Pools · metrics".to_owned(),
        Kind::Pool => format!("{} · metrics", shown(&ask.pool)),
        Kind::Worker => format!("{} · {} · metrics", shown(&ask.worker), shown(&ask.pool)),
        Kind::Why => "Why · metrics".to_owned(),
        Kind::Collector => "Collector · metrics".to_owned(),
    }
}

fn frame(ask: &Ask, header: Option<&Header>, state: &Markup, body: &Markup) -> String {
    let link = |kind: &[Kind], href: &str, text: &str| {
        let is_here = kind.contains(&ask.kind);
        html! { a href=(href) aria-current=[is_here.then_some("page")] { (text) } }
    };
    let edition = edition();
    let live = header.is_some_and(|header| header.is_live);
    html! {
        (DOCTYPE)
        html lang="en" data-live=(live) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title(ask)) }
                link rel="icon" type="image/svg+xml" href={ "assets/icon.svg?v=" (edition) };
                link rel="stylesheet" href={ "assets/style.css?v=" (edition) };
                script src={ "assets/live.js?v=" (edition) } defer {}
            }
            body data-screen=(ask.kind.name()) data-pool=[some(&ask.pool)] data-worker=[some(&ask.worker)]
                data-snapshot=[header.map(|header| header.snapshot)]
                data-round-age=[header.and_then(|header| header.round_age_seconds)]
                data-round-limit=[header.map(|header| header.round_limit_seconds)]
                data-connected=[header.map(|header| header.nats.connected)] {
                a class="skip" href="#main" { "Skip to the figures" }
                header class="top" {
                    a class="brand" href="./" { img src={ "assets/icon.svg?v=" (edition) } width="16" height="16" alt=""; "metrics" }
                    nav aria-label="Screens" {
                        (link(&[Kind::Overview, Kind::Pool, Kind::Worker], "./", "Pools"))
                        (link(&[Kind::Why], "why", "Why don’t I see my worker?"))
                        (link(&[Kind::Collector], "collector", "Collector"))
                    }
                    (state_frame(state))
                    button id="pause" type="button" hidden aria-pressed="false" title="Keep what is shown as it is (p)" { "Pause" }
                }
                (banner(header))
                main id="main" tabindex="-1" { (body) }
                footer {
                    p { "metrics " (crate::VERSION) " · "
                        a href="metrics" { "/metrics" } " for Prometheus · "
                        a href="api/v1/overview" { "JSON" } " · "
                        a href="healthz" { "health" } " · " a href="readyz" { "readiness" } }
                    p class="keys dim" hidden { kbd { "/" } " filter · " kbd { "p" } " pause · " kbd { "g" } " pools · " kbd { "w" } " why · " kbd { "c" } " collector" }
                }
            }
        }
    }
    .into_string()
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn state_frame(state: &Markup) -> Markup {
    html! { @if state.0.is_empty() { div class="state" {} } @else { (state) } }
}

/// The state of the collector in a few words.
pub(super) fn state(header: &Header) -> Markup {
    let connected = header.nats.connected;
    html! {
        div class="state" {
            span class={ "chip " (if connected { "fine" } else { "wrong" }) } {
                span class="dot" aria-hidden="true" {}
                "NATS " (if connected { "connected" } else { "not connected" })
            }
            span class={ "chip " (if header.is_live { "fine" } else { "wrong" }) } {
                span class="dot" aria-hidden="true" {}
                "last round "
                span id="age" { (age(header.round_age_seconds)) }
            }
            @if !header.ready {
                a class="chip wrong" href="readyz" title=(header.not_ready.join("; ")) { "not ready" }
            }
        }
    }
}

fn age(seconds: Option<f64>) -> String {
    match seconds {
        None => "none yet".to_owned(),
        Some(seconds) if seconds < 60.0 => format!("{seconds:.0} s ago"),
        Some(seconds) => format!("{} ago", format::span(Some(seconds))),
    }
}

/// What covers figures that are not current.
fn banner(header: Option<&Header>) -> Markup {
    let old = header.filter(|header| !header.is_live);
    html! {
        div id="banner" role="alert" hidden[old.is_none()] {
            strong id="banner-text" {
                @if let Some(header) = old {
                    @if !header.nats.connected { "The connection to NATS is lost. " }
                    @match header.round_age_seconds {
                        Some(seconds) => { "These figures are " (format::span(Some(seconds))) " old." }
                        None => "There are no figures yet.",
                    }
                }
            }
            " " (command("metrics doctor"))
        }
    }
}
