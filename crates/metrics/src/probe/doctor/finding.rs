//! [`Finding`]: what one check has shown, with its remedy.

use std::fmt;

use clap::builder::styling::Style;
use protocol::text::Shown;
use serde::Serialize;

use super::super::level::Level;

/// Characters of a text that are shown.
const TEXT: usize = 1500;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Check {
    Connection,
    Server,
    RoundTrip,
    Permission,
    Limits,
    Clocks,
    Replies,
    Services,
    Pool,
    Mapping,
    Target,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) check: Check,
    pub(super) text: String,
    /// What fixes it.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn new(level: Level, check: Check, text: impl Into<String>) -> Self {
        Self {
            level,
            check,
            text: text.into(),
            remedy: None,
        }
    }

    pub(super) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { remedy, ..self }
    }
}

/// All findings.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    findings: Vec<Finding>,
    errors: usize,
    warnings: usize,
    #[serde(skip)]
    has_colours: bool,
}

impl Report {
    pub(super) fn new(findings: Vec<Finding>, has_colours: bool) -> Self {
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        Self {
            errors: count(Level::Error),
            warnings: count(Level::Warning),
            has_colours,
            findings,
        }
    }

    /// Whether one of the findings is this grave.
    pub(super) fn has(&self, level: Level, check: Check) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.level == level && finding.check == check)
    }

    /// Whether nothing has to be fixed.
    pub(super) fn is_clean(&self) -> bool {
        self.errors == 0 && self.warnings == 0
    }
}

impl Check {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Server => "server",
            Self::RoundTrip => "round trip",
            Self::Permission => "permission",
            Self::Limits => "limits",
            Self::Clocks => "clocks",
            Self::Replies => "replies",
            Self::Services => "services",
            Self::Pool => "pool",
            Self::Mapping => "mapping",
            Self::Target => "target",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding {
            level,
            check,
            text,
            remedy,
        } in &self.findings
        {
            let style = if self.has_colours {
                level.style()
            } else {
                Style::new()
            };
            let (level, check) = (level.as_str(), check.as_str());
            writeln!(
                f,
                "{style}{level:<7}{style:#}  {check:<10}  {}",
                Shown(text).up_to(TEXT)
            )?;
            for line in remedy.iter().flat_map(|remedy| remedy.lines()) {
                writeln!(f, "{:21}{}", "", Shown(line).up_to(TEXT))?;
            }
        }
        let plural = |count: usize, noun: &str| match count {
            1 => format!("1 {noun}"),
            n => format!("{n} {noun}s"),
        };
        writeln!(
            f,
            "\n{}, {}",
            plural(self.errors, "error"),
            plural(self.warnings, "warning")
        )
    }
}
