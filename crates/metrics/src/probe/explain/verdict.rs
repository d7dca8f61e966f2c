//! [`Verdict`]: what is so, what to do, and the command to copy.

use std::fmt;

use fleet::{Inspection, PoolName};
use protocol::EndpointPath;
use protocol::text::Shown;
use serde::Serialize;

use super::super::conclusion::Conclusion;
use super::super::copied::{self, Copied};
use super::super::pools::{self, Duplicate};
use super::super::reading::counted;
use super::super::similar;
use super::group::Group;

/// Other pools that are named where none is similar.
const NAMED_POOLS: usize = 5;

/// Characters of the text that are shown.
const TEXT: usize = 1500;

/// The first thing that `explain` says.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    #[serde(rename = "verdict")]
    text: String,
    /// The pool that may have been meant.
    did_you_mean: Option<String>,
    /// What to run next.
    command: Option<String>,
    /// Whether it is worth showing which settings make workers visible.
    #[serde(skip)]
    pub(super) needs_settings: bool,
}

impl Verdict {
    pub(super) fn new(
        path: &EndpointPath,
        seen: &Inspection,
        groups: &[Group],
        duplicates: &[Duplicate],
        conclusion: &Conclusion,
        copied: &Copied,
    ) -> Self {
        let count = pools::view_of(path, seen).map_or(0, |pool| pool.workers.len());
        // What did not come need not be absent.
        let no_workers = match seen.in_turn {
            None => "has no workers",
            Some(_) => "has no workers among the instances that were seen, which may not be all",
        };
        let watch = |path: &EndpointPath| Some(copied.command(&["--target", &path.to_string()]));
        if count > 0 {
            let twice: Vec<String> = duplicates
                .iter()
                .map(|duplicate| format!(" {duplicate}."))
                .collect();
            return Self {
                text: format!(
                    "{path} has {}. {}.{}",
                    counted(count, "worker"),
                    conclusion.text,
                    twice.concat()
                ),
                did_you_mean: None,
                command: watch(path),
                needs_settings: false,
            };
        }
        let others = others(path, seen);
        let meant = similar::closest(path, others.iter().map(|(path, _)| *path));
        if let Some((meant, count)) = others.iter().find(|(other, _)| Some(*other) == meant) {
            return Self {
                text: format!(
                    "{path} {no_workers}. Did you mean {meant}, which has {}?",
                    counted(*count, "worker")
                ),
                did_you_mean: Some(meant.to_string()),
                command: watch(meant),
                needs_settings: false,
            };
        }
        let near = |group: &&Group| matches!(group.outcome, "near miss" | "unusable");
        if let Some(group) = groups.iter().find(near) {
            let verb = if group.count == 1 { "is" } else { "are" };
            let reason = group.reason.as_deref().unwrap_or_default();
            let remedy = group
                .remedy
                .as_ref()
                .map_or_else(String::new, |remedy| format!("; {remedy}"));
            return Self {
                text: format!(
                    "{path} {no_workers}. {} of {} {verb} close ({reason}){remedy}.",
                    counted(group.count, "endpoint"),
                    group.of
                ),
                did_you_mean: None,
                command: match (&group.pool, group.outcome) {
                    (Some(other), "near miss") => watch(other),
                    _ => Some(copied.command(&["explain", &path.to_string(), "--all"])),
                },
                needs_settings: group.outcome != "unusable",
            };
        }
        Self {
            text: format!("{path} {no_workers}{}.", there(&others)),
            did_you_mean: None,
            command: (!others.is_empty()).then(|| copied.command(&["list"])),
            needs_settings: seen.in_turn.is_none(),
        }
    }
}

impl Verdict {
    /// The same with a sentence more.
    pub(super) fn with(mut self, sentence: Option<String>) -> Self {
        self.text.extend(sentence);
        self
    }
}

/// The other pools that have workers, and how many.
fn others<'a>(path: &EndpointPath, seen: &'a Inspection) -> Vec<(&'a EndpointPath, usize)> {
    let other = |pool: &'a std::sync::Arc<fleet::PoolView>| match &pool.name {
        PoolName::Workers(other) if other != path && !pool.workers.is_empty() => {
            Some((other, pool.workers.len()))
        }
        _ => None,
    };
    seen.pools.iter().filter_map(other).collect()
}

fn there(others: &[(&EndpointPath, usize)]) -> String {
    let named: Vec<String> = others
        .iter()
        .take(NAMED_POOLS)
        .map(|(path, _)| path.to_string())
        .collect();
    match others.len() {
        0 => ", and no other pool has any".to_owned(),
        1 => format!(", and no similar pool has any. There is {}", named[0]),
        n if n <= NAMED_POOLS => format!(", and no similar pool has any. There are {}", named.join(", ")),
        n => format!(
            ", and no similar pool has any. There are {} and {} more",
            named.join(", "),
            n - NAMED_POOLS
        ),
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Shown(&self.text).up_to(TEXT))?;
        match &self.command {
            Some(command) => writeln!(f, "\n  {}\n", copied::shown(command)),
            None => writeln!(f),
        }
    }
}
