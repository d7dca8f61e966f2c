//! What `explain` prints of a plain service for people.

use std::fmt;

use protocol::text::Shown;

use super::super::copied;
use super::super::reading::{Section, counted};
use super::super::services::{self, first_few, joined};
use super::{Endpoint, Instance, Report, SHOWN};
use crate::table::{NOTHING, Table};

/// Characters of the verdict that are shown.
const TEXT: usize = 1500;

/// Characters of a reason that are shown.
const REASON: usize = 400;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Shown(&self.verdict).up_to(TEXT))?;
        match &self.command {
            Some(command) => writeln!(f, "\n  {}\n", copied::shown(command))?,
            None => writeln!(f)?,
        }
        write!(f, "{}", self.denied)?;
        if let Some(in_turn) = &self.in_turn {
            writeln!(f, "{in_turn}\n")?;
        }
        writeln!(f, "{}", self.round)?;
        self.write_services(f)?;
        self.write_endpoints(f)?;
        self.write_instances(f)?;
        if self.unreadable_replies > 0 {
            writeln!(f, "replies that cannot be read: {}", self.unreadable_replies)?;
        }
        Ok(())
    }
}

impl Report {
    fn limit(&self) -> usize {
        if self.shows_all { usize::MAX } else { SHOWN }
    }

    fn write_services(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.services.is_empty() {
            return Ok(());
        }
        write!(
            f,
            "\n{}",
            services::table(self.services.iter().take(self.limit()))
        )?;
        match self.services.len().checked_sub(self.limit()) {
            Some(more @ 1..) => writeln!(f, "and {more} more; --all shows them"),
            _ => Ok(()),
        }
    }

    fn write_endpoints(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.endpoints.is_empty() {
            return Ok(());
        }
        let head = [
            "ENDPOINT",
            "INSTANCES",
            "REQUESTS",
            "ERRORS",
            "MEAN TIME",
            "VERSION",
            "SUBJECT",
        ];
        write!(
            f,
            "\n{}",
            Table::of_texts(head, self.endpoints.iter().map(Endpoint::row))
        )?;
        for endpoint in &self.endpoints {
            if let Some(complaint) = &endpoint.complaint {
                let name = Shown(&endpoint.endpoint);
                let instances = counted(endpoint.complaints, "instance");
                writeln!(f, "{name}: {instances}: {}", Shown(complaint).up_to(REASON))?;
            }
        }
        for endpoint in self.endpoints.iter().filter(|_| self.has_mappings) {
            let name = format!("{}/{}", self.service, endpoint.endpoint);
            write!(f, "\n{}", Section(&name, &endpoint.mappings))?;
        }
        Ok(())
    }

    fn write_instances(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.instances.is_empty() {
            return Ok(());
        }
        if self.instances.len() > self.limit() {
            let instances = counted(self.instances.len(), "instance");
            return writeln!(f, "\n--all shows the {instances}");
        }
        let head = ["INSTANCE", "VERSION", "REQUESTS", "ERRORS", "ENDPOINTS"];
        write!(
            f,
            "\n{}",
            Table::of_texts(head, self.instances.iter().map(Instance::row))
        )?;
        for instance in &self.instances {
            for unreadable in &instance.unreadable_endpoints {
                writeln!(f, "{}: {}", Shown(&instance.id), Shown(unreadable).up_to(REASON))?;
            }
        }
        Ok(())
    }
}

impl Endpoint {
    fn row(&self) -> [String; 7] {
        let mean = match self.requests > 0.0 && self.processing_seconds > 0.0 {
            true => format!("{:.3} ms", self.processing_seconds / self.requests * 1000.0),
            false => NOTHING.to_owned(),
        };
        [
            Shown(&self.endpoint).to_string(),
            self.instances.to_string(),
            self.requests.to_string(),
            self.errors.to_string(),
            mean,
            joined(self.versions.iter().map(String::as_str)),
            first_few(&self.subjects),
        ]
    }
}

impl Instance {
    fn row(&self) -> [String; 5] {
        let sum =
            |count: fn(&super::Served) -> f64| self.endpoints.iter().map(count).sum::<f64>().to_string();
        [
            Shown(&self.id).to_string(),
            Shown(&self.version).to_string(),
            sum(|served| served.requests),
            sum(|served| served.errors),
            joined(self.endpoints.iter().map(|served| served.endpoint.as_str())),
        ]
    }
}
