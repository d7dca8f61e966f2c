//! What `explain` prints for people: the verdict, groups with counts, and every instance where all are asked for.

use std::fmt;

use fleet::matching::SubjectLayout;
use protocol::text::Shown;

use super::super::reading;
use super::group::Group;
use super::{Candidate, Endpoint, Instance, Judgement, REASON, Report, SHOWN, Sender, Service};
use crate::table::Table;

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(id) => write!(f, "worker {id}"),
            Self::Static => f.write_str("static worker"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.verdict, self.denied)?;
        if let Some(in_turn) = &self.in_turn {
            writeln!(f, "{in_turn}\n")?;
        }
        writeln!(f, "{}\n", self.counts())?;
        self.write_groups(f)?;
        self.write_senders(f)?;
        if self.has_mappings && self.has_workers() {
            writeln!(f, "{}", reading::Section(&self.target, &self.mappings))?;
        }
        for place in &self.heard_elsewhere {
            writeln!(f, "{}\n", Shown(place).up_to(REASON))?;
        }
        if self.shows_all {
            self.services
                .iter()
                .try_for_each(|service| write!(f, "{service}"))?;
        }
        self.write_subjects(f)?;
        if self.unreadable_replies > 0 {
            writeln!(f, "replies that cannot be read: {}", self.unreadable_replies)?;
        }
        if !self.shows_all && !self.services.is_empty() {
            writeln!(f, "\n--all shows every instance with its subjects")?;
        }
        if self.verdict.needs_settings {
            writeln!(f, "\n{}", self.conclusion.text)?;
        }
        Ok(())
    }
}

impl Report {
    fn counts(&self) -> String {
        format!(
            "{}: {} {}; {} near {}, {} foreign",
            self.round,
            self.matched,
            if self.matched == 1 {
                "worker matched"
            } else {
                "workers matched"
            },
            self.near_misses,
            if self.near_misses == 1 { "miss" } else { "misses" },
            self.foreign
        )
    }

    fn write_groups(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.groups.is_empty() {
            return Ok(());
        }
        let limit = if self.shows_all { usize::MAX } else { SHOWN };
        let mut rows: Vec<[String; 3]> = Vec::new();
        for groups in self.groups.chunk_by(|a, b| a.outcome == b.outcome) {
            let (shown, others) = groups.split_at(groups.len().min(limit));
            rows.extend(shown.iter().map(Group::row));
            if !others.is_empty() {
                let count: usize = others.iter().map(|group| group.count).sum();
                let text = format!("in {} more groups", others.len());
                rows.push([shown[0].outcome.to_owned(), count.to_string(), text]);
            }
        }
        writeln!(f, "{}", Table::of_texts(["OUTCOME", "COUNT", "OF"], rows))
    }

    fn write_senders(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.senders.is_empty() {
            return Ok(());
        }
        writeln!(f, "events of the target's workers:")?;
        let limit = if self.shows_all { usize::MAX } else { SHOWN };
        for sender in self.senders.iter().take(limit) {
            write!(f, "{sender}")?;
        }
        if let Some(more @ 1..) = self.senders.len().checked_sub(limit) {
            writeln!(f, "  and {more} more workers")?;
        }
        writeln!(f)
    }

    fn write_subjects(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "subjects tried:")?;
        for Candidate { layout, subject } in &self.candidates {
            // A template is its own description; its candidate says all.
            match layout {
                SubjectLayout::BuiltIn(layout) => writeln!(f, "  {:<12} {subject}", layout.as_str())?,
                SubjectLayout::Custom(_) => writeln!(f, "  {:<12} {subject}", "custom")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  worker {}", self.worker_id)?;
        if let Some(generation) = self.generation {
            write!(f, ", Dynamo {generation}")?;
        }
        let ages: Vec<String> = self
            .topics
            .iter()
            .map(|(topic, age)| format!("{topic} {age:.1} s ago"))
            .collect();
        writeln!(f, ": {}", ages.join(", "))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "service {} id {} version {}",
            Shown(&self.name),
            Shown(&self.id),
            Shown(&self.version)
        )?;
        match &self.description {
            Some(description) => writeln!(f, ": {}", Shown(description).up_to(REASON))?,
            None => writeln!(f, ": no description in Dynamo's form")?,
        }
        if self.endpoints.is_empty() && self.unreadable_endpoints.is_empty() {
            writeln!(f, "  serves no endpoint: not a worker")?;
        }
        for endpoint in &self.endpoints {
            write!(f, "{endpoint}")?;
        }
        for unreadable in &self.unreadable_endpoints {
            writeln!(f, "  {}", Shown(unreadable))?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  subject  {}", Shown(&self.subject))?;
        if let Some(parts) = &self.parts {
            write!(
                f,
                "  parts    service {} | endpoint {}",
                Shown(&parts.service),
                Shown(&parts.endpoint)
            )?;
            match (&parts.worker_id, &parts.worker_hex) {
                (Some(id), Some(hex)) => writeln!(f, " | worker id {id} (hex {hex})")?,
                _ => writeln!(f, " | no worker id")?,
            }
        }
        match &self.judgement {
            Judgement::Matched {
                layout,
                instance,
                load,
            } => writeln!(
                f,
                "  outcome  matched: {instance}, layout {layout}; {}",
                Shown(load).up_to(REASON)
            ),
            Judgement::Duplicate { layout, instance } => writeln!(
                f,
                "  outcome  duplicate: {instance}, layout {layout}; another instance is shown under this id"
            ),
            Judgement::NearMiss { reason, remedy, .. } => {
                write!(f, "  outcome  near miss: {}", Shown(reason).up_to(REASON))?;
                match remedy {
                    Some(remedy) => writeln!(f, ": {}", Shown(remedy).up_to(REASON)),
                    None => writeln!(f),
                }
            }
            Judgement::DataUndecodable { layout, reason } => {
                writeln!(
                    f,
                    "  outcome  near miss: data undecodable (layout {layout}): {}",
                    Shown(reason).up_to(REASON)
                )
            }
            Judgement::Foreign => writeln!(f, "  outcome  foreign: nothing in common with the target"),
        }
    }
}
