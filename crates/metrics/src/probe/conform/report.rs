//! [`Report`]: a line for each check of each worker, with the remedy where it failed.

use std::fmt;

use clap::builder::styling::{AnsiColor, Style};
use protocol::text::Shown;
use serde::Serialize;

use super::Conformity;

/// Characters of a text that are shown.
const TEXT: usize = 1500;

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Check {
    Discovery,
    Subject,
    Ping,
    Info,
    Stats,
    ByName,
    Load,
    NoReply,
    Requests,
    Counters,
    Events,
    Drain,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Pass,
    Fail,
    Skipped,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) outcome: Outcome,
    pub(super) check: Check,
    /// The subject of the worker; `None` where it is about all of them.
    pub(super) worker: Option<String>,
    pub(super) text: String,
    /// What fixes it.
    pub(super) remedy: Option<String>,
}

/// All findings.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    target: String,
    workers: usize,
    failed: usize,
    findings: Vec<Finding>,
    #[serde(skip)]
    has_colours: bool,
}

impl Finding {
    pub(super) fn pass(check: Check, worker: Option<&str>, text: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, check, worker, text.into(), None)
    }

    pub(super) fn skipped(check: Check, worker: Option<&str>, text: impl Into<String>) -> Self {
        Self::new(Outcome::Skipped, check, worker, text.into(), None)
    }

    pub(super) fn fail(
        check: Check,
        worker: Option<&str>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(Outcome::Fail, check, worker, text.into(), Some(remedy.into()))
    }

    fn new(
        outcome: Outcome,
        check: Check,
        worker: Option<&str>,
        text: String,
        remedy: Option<String>,
    ) -> Self {
        Self {
            outcome,
            check,
            worker: worker.map(str::to_owned),
            text,
            remedy,
        }
    }
}

impl Report {
    pub(super) fn new(target: String, workers: usize, findings: Vec<Finding>, has_colours: bool) -> Self {
        let is_failure = |finding: &&Finding| finding.outcome == Outcome::Fail;
        Self {
            failed: findings.iter().filter(is_failure).count(),
            target,
            workers,
            findings,
            has_colours,
        }
    }

    pub(super) fn conformity(&self) -> Conformity {
        match (self.workers, self.failed) {
            // Nothing but the discovery failed.
            (0, 0 | 1) => Conformity::NoWorkers,
            (_, 0) => Conformity::Conforms,
            _ => Conformity::Fails,
        }
    }
}

impl Check {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Subject => "subject",
            Self::Ping => "ping",
            Self::Info => "info",
            Self::Stats => "stats",
            Self::ByName => "by name",
            Self::Load => "load",
            Self::NoReply => "no reply",
            Self::Requests => "requests",
            Self::Counters => "counters",
            Self::Events => "events",
            Self::Drain => "drain",
        }
    }
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Skipped => "-",
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Pass => AnsiColor::Green.on_default(),
            Self::Fail => AnsiColor::Red.on_default().bold(),
            Self::Skipped => Style::new(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = None;
        for finding in &self.findings {
            if finding.worker != shown {
                shown.clone_from(&finding.worker);
                if let Some(worker) = &finding.worker {
                    writeln!(f, "\n{}", Shown(worker).up_to(TEXT))?;
                }
            }
            let style = if self.has_colours {
                finding.outcome.style()
            } else {
                Style::new()
            };
            let (outcome, check) = (finding.outcome.as_str(), finding.check.as_str());
            let text = Shown(&finding.text).up_to(TEXT);
            writeln!(f, "{style}{outcome:<4}{style:#}  {check:<9}  {text}")?;
            for line in finding.remedy.iter().flat_map(|remedy| remedy.lines()) {
                writeln!(f, "{:17}{}", "", Shown(line).up_to(TEXT))?;
            }
        }
        match self.failed {
            0 => writeln!(f, "\nno check failed"),
            1 => writeln!(f, "\n1 check failed"),
            count => writeln!(f, "\n{count} checks failed"),
        }
    }
}
