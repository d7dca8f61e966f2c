//! Cells and figures that several screens have.

use maud::{Markup, html};

use super::format;
use super::svg::class;
use crate::view::{Figure, Level, Members, Severity};

/// A figure in its level, with a sign for those that do not see colours.
pub(super) fn leveled(text: &str, level: Level) -> Markup {
    html! {
        span class={ "fig " (class(level)) } {
            (text)
            @match level {
                Level::Bad => span class="sign" title=(level.meaning()) aria-label=(level.meaning()) { "▲" },
                Level::Warn => span class="sign" title=(level.meaning()) aria-label=(level.meaning()) { "△" },
                _ => {}
            }
        }
    }
}

/// A ratio in its level.
pub(super) fn ratio(figure: Option<Figure>) -> Markup {
    match figure {
        Some(figure) => leveled(&format::percent(Some(figure.value)), figure.level),
        None => html! { span class="dim" { (format::UNKNOWN) } },
    }
}

/// A count in its level.
pub(super) fn amount(figure: Option<Figure>) -> Markup {
    match figure {
        Some(figure) => leveled(&format!("{}", figure.value), figure.level),
        None => html! { span class="dim" { (format::UNKNOWN) } },
    }
}

/// A mark for a row: its gravest problem, or its level.
pub(super) fn mark(severity: Option<Severity>) -> Markup {
    match severity {
        Some(severity) => super::problems::mark(severity),
        None => html! { span class="sev sev-fine" role="img" aria-label="no problem" { "✓" } },
    }
}

/// `7/8`, with what is missing.
pub(super) fn members(members: Members) -> Markup {
    let silent = members.stale + members.late;
    html! {
        span class=[(members.fresh == 0).then_some("fig lv-bad")] { (members.fresh) }
        span class="dim" { "/" (members.total) }
        @if silent > 0 {
            " " span class="tag lv-stale" title={ (members.stale) " stale, " (members.late) " late" } { (silent) " silent" }
        }
    }
}

/// A number of a heading with its name.
pub(super) fn tile(name: &str, value: Markup, more: Markup) -> Markup {
    html! {
        div class="tile" {
            div class="name" { (name) }
            div class="value" { (value) }
            div class="more dim" { (more) }
        }
    }
}
