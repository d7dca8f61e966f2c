//! Problems, and commands to copy.

use maud::{Markup, html};

use super::format::shown;
use crate::view::{Ask, Kind, Problem, Severity, Subject};

/// Problems of one screen that are shown at first.
const FIRST: usize = 8;

/// The address of a pool's screen.
pub(super) fn pool_href(pool: &str) -> String {
    let ask = Ask {
        pool: pool.to_owned(),
        ..Ask::of(Kind::Pool)
    };
    format!("./?{ask}")
}

/// The address of a worker's screen.
pub(super) fn worker_href(pool: &str, worker: &str) -> String {
    let ask = Ask {
        pool: pool.to_owned(),
        worker: worker.to_owned(),
        ..Ask::of(Kind::Worker)
    };
    format!("./?{ask}")
}

/// A command with a button that copies it.
pub(super) fn command(text: &str) -> Markup {
    html! {
        span class="command" {
            code { (shown(text)) }
            button class="copy" type="button" data-copy=(text) aria-label="Copy the command" { "Copy" }
        }
    }
}

/// A mark for a severity that does not depend on its colour.
pub(super) fn mark(severity: Severity) -> Markup {
    let (sign, class) = match severity {
        Severity::Critical => ("✕", "sev-critical"),
        Severity::Warning => ("!", "sev-warning"),
        Severity::Note => ("i", "sev-note"),
    };
    html! { span class={ "sev " (class) } role="img" aria-label=(severity.as_str()) title=(severity.as_str()) { (sign) } }
}

/// A list of problems; `of` is the pool whose screen this is.
pub(super) fn list(problems: &[Problem], of: Option<&str>) -> Markup {
    if problems.is_empty() {
        return html! { p class="quiet" { span class="sev sev-fine" aria-hidden="true" { "✓" } " No problems." } };
    }
    let (first, rest) = problems.split_at(problems.len().min(FIRST));
    html! {
        ul class="problems" { @for problem in first { (item(problem, of)) } }
        @if !rest.is_empty() {
            details {
                summary { (rest.len()) " more" }
                ul class="problems" { @for problem in rest { (item(problem, of)) } }
            }
        }
    }
}

fn item(problem: &Problem, of: Option<&str>) -> Markup {
    html! {
        li {
            (mark(problem.severity))
            div {
                p {
                    @match &problem.subject {
                        Subject::Collector => {}
                        Subject::Pool { pool } => {
                            @if of != Some(pool) { a href=(pool_href(pool)) { (shown(pool)) } " " }
                        }
                        Subject::Worker { pool, worker } => {
                            a href=(worker_href(pool, worker)) { (shown(pool)) } " "
                        }
                    }
                    (protocol::text::Shown(&problem.text).up_to(600).to_string())
                }
                p class="remedy" {
                    (protocol::text::Shown(&problem.remedy).up_to(600).to_string())
                    @if let Some(text) = &problem.command { " " (command(text)) }
                }
            }
        }
    }
}
