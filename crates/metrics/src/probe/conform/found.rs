//! [`Found`]: the workers of the target, and what is nearly one, with the sentence that fixes it.

use std::collections::{BTreeMap, BTreeSet};

use fleet::matching::{NearMiss, Outcome, Reason, Target};
use protocol::subject::Instance;
use protocol::{Description, EndpointPath, InfoReply, ServicePrefix, StatsReply};

use super::asking::Asking;
use super::report::{Check, Finding};

/// One worker of the target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Worker {
    pub(super) subject: String,
    pub(super) service: String,
    pub(super) instance: String,
    /// `None` for a static worker.
    pub(super) id: Option<u64>,
}

/// What a look at all services has shown.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) workers: Vec<Worker>,
    near: BTreeSet<(String, NearMiss)>,
    replies: usize,
}

impl Found {
    /// Asks all services for statistics and descriptions.
    pub(super) async fn look(asking: &Asking, target: &Target) -> anyhow::Result<Self> {
        let infos = asking.all(asking.prefix.asked_of("", "")[3].clone()).await?;
        let stats = asking.all(asking.prefix.stats()).await?;
        let infos = infos
            .iter()
            .filter_map(|info| InfoReply::read(&info.payload).ok());
        let stats = stats
            .iter()
            .filter_map(|stats| StatsReply::decode(&stats.payload).ok());
        Ok(Self::of(target, infos.collect(), stats.collect()))
    }

    pub(super) fn of(target: &Target, infos: Vec<InfoReply>, stats: Vec<StatsReply>) -> Self {
        let mut descriptions: BTreeMap<&str, Option<Description>> = BTreeMap::new();
        // An endpoint may be in one of the replies alone, which a check then reports.
        let mut endpoints: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
        for info in &infos {
            descriptions.insert(&info.id, info.worker());
            for endpoint in &info.endpoints {
                endpoints.insert((&info.service, &info.id, &endpoint.subject));
            }
        }
        for reply in &stats {
            for endpoint in &reply.endpoints {
                endpoints.insert((&reply.service, &reply.id, &endpoint.subject));
            }
        }
        let mut found = Self {
            replies: infos.len().max(stats.len()),
            ..Self::default()
        };
        for (service, instance, subject) in endpoints {
            let description = descriptions.get(instance).and_then(Option::as_ref);
            match target.classify(subject, description) {
                Outcome::Matched { instance: worker, .. } => found.workers.push(Worker {
                    subject: subject.to_owned(),
                    service: service.to_owned(),
                    instance: instance.to_owned(),
                    id: match worker {
                        Instance::Worker(id) => Some(id.get()),
                        Instance::Static => None,
                    },
                }),
                Outcome::NearMiss(miss) => {
                    found.near.insert((subject.to_owned(), miss));
                }
                Outcome::Foreign => {}
            }
        }
        found.workers.sort();
        found
    }

    pub(super) fn findings(&self, target: &Target, prefix: &ServicePrefix) -> Vec<Finding> {
        let near = self.near.iter().filter_map(|(subject, miss)| {
            let remedy = remedy(target, miss)?;
            Some(Finding::fail(
                Check::Subject,
                Some(subject),
                miss.to_string(),
                remedy,
            ))
        });
        let near: Vec<Finding> = near.collect();
        let path = &target.path;
        let discovery = match self.workers.len() {
            0 => self.nothing(path, !near.is_empty(), prefix),
            1 => Finding::pass(Check::Discovery, None, format!("1 worker of {path} answers")),
            count => Finding::pass(
                Check::Discovery,
                None,
                format!("{count} workers of {path} answer"),
            ),
        };
        std::iter::once(discovery).chain(near).collect()
    }

    fn nothing(&self, path: &EndpointPath, has_near: bool, prefix: &ServicePrefix) -> Finding {
        let text = match self.replies {
            0 => format!("no worker of {path} answers, and no service does"),
            1 => format!("no worker of {path} answers; one instance of a service does"),
            count => format!("no worker of {path} answers; {count} instances of services do"),
        };
        let remedy = match has_near {
            true => "mend what is wrong with the subjects that follow".to_owned(),
            false => format!(
                "let the worker answer {}, and PING and INFO likewise, as client libraries do for micro services",
                prefix.stats()
            ),
        };
        Finding::fail(Check::Discovery, None, text, remedy)
    }
}

/// What to write in place of what is nearly right; `None` where it may well be another pool.
fn remedy(target: &Target, miss: &NearMiss) -> Option<String> {
    let path = &target.path;
    let services: Vec<&str> = target.services().collect();
    Some(match &miss.reason {
        Reason::BadId { .. } => {
            "write the id in lower-case hexadecimal without leading zeros, as `{id:x}` does in Python and Rust".to_owned()
        }
        Reason::NoId => format!("write `{}-` and the id, or `{}` alone for a static worker", path.endpoint, path.endpoint),
        Reason::HashDiffers => format!(
            "the hash is the last 8 digits of BLAKE3 of `{}_{}`, in its original case",
            path.namespace, path.component
        ),
        Reason::LetterCase
        | Reason::Punctuation
        | Reason::LetterCaseAndPunctuation
        | Reason::Spelling
        | Reason::SeveralNames
        | Reason::DividedElsewhere
        | Reason::UnknownLayout => format!(
            "the subject is one of these services, a dot, `{}-` and the id: {}; the description is `{}`",
            path.endpoint,
            services.join(", "),
            description_of(target)
        ),
        _ => return None,
    })
}

/// The description that workers of the target have.
pub(super) fn description_of(target: &Target) -> Description {
    Description {
        component: target.path.component.clone(),
        namespace: target.path.namespace.clone(),
    }
}
