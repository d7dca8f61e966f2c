//! [`Group`]: instances of which the same is to be said, counted.

use std::collections::BTreeMap;

use protocol::EndpointPath;
use protocol::text::Shown;
use serde::Serialize;

use super::{Endpoint, Judgement, REASON, Service};

/// Examples of one group.
const EXAMPLES: usize = 3;

/// Endpoints that have one outcome for one reason.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) outcome: &'static str,
    /// The pool or the service that they are of.
    pub(super) of: String,
    #[serde(skip)]
    pub(super) pool: Option<EndpointPath>,
    pub(super) count: usize,
    /// Why they have this outcome, of one of them.
    pub(super) reason: Option<String>,
    pub(super) remedy: Option<String>,
    /// Subjects of some of them.
    pub(super) examples: Vec<String>,
}

/// All endpoints in groups: those of the target first, then near misses, then what is foreign; the largest first.
pub(super) fn of(services: &[Service]) -> Vec<Group> {
    let mut groups: BTreeMap<(u8, String, String), Group> = BTreeMap::new();
    for service in services {
        for endpoint in &service.endpoints {
            let (rank, group) = Group::of_one(service, endpoint);
            // What is wrong with the data or the id of one differs from the next.
            let code = match &endpoint.judgement {
                Judgement::NearMiss { code, .. } => (*code).to_owned(),
                Judgement::Matched { .. } => group.reason.clone().unwrap_or_default(),
                _ => String::new(),
            };
            let known = groups.entry((rank, group.of.clone(), code)).or_insert(group);
            known.count += 1;
            if known.examples.len() < EXAMPLES {
                known.examples.push(endpoint.subject.clone());
            }
        }
        if service.endpoints.is_empty() {
            let key = (u8::MAX, service.name.clone(), String::new());
            let none = Group {
                reason: Some("serves no endpoint".to_owned()),
                ..Group::new("foreign", service_of(service))
            };
            groups.entry(key).or_insert(none).count += 1;
        }
    }
    let mut groups: Vec<(u8, Group)> = groups.into_iter().map(|(key, group)| (key.0, group)).collect();
    groups.sort_by_key(|(rank, group)| (*rank, std::cmp::Reverse(group.count)));
    groups.into_iter().map(|(_, group)| group).collect()
}

fn service_of(service: &Service) -> String {
    format!("service {}", service.name)
}

impl Group {
    fn new(outcome: &'static str, of: String) -> Self {
        Self {
            outcome,
            of,
            pool: None,
            count: 0,
            reason: None,
            remedy: None,
            examples: Vec::new(),
        }
    }

    /// The group of this endpoint, and its place.
    fn of_one(service: &Service, endpoint: &Endpoint) -> (u8, Self) {
        let pool = endpoint.pool.as_ref();
        let of = pool.map_or_else(|| service_of(service), ToString::to_string);
        let (rank, group) = match &endpoint.judgement {
            Judgement::Matched { layout, load, .. } => {
                let reason = Some(format!("layout {layout}; {load}"));
                (
                    0,
                    Self {
                        reason,
                        ..Self::new("matched", of)
                    },
                )
            }
            Judgement::Duplicate { .. } => {
                let reason = Some("another instance is shown under this id".to_owned());
                (
                    1,
                    Self {
                        reason,
                        ..Self::new("duplicate", of)
                    },
                )
            }
            Judgement::DataUndecodable { reason, .. } => {
                let reason = Some(format!("data undecodable: {reason}"));
                (
                    2,
                    Self {
                        reason,
                        ..Self::new("unusable", of)
                    },
                )
            }
            Judgement::NearMiss { reason, remedy, .. } => {
                let (reason, remedy) = (Some(reason.clone()), remedy.clone());
                (
                    3,
                    Self {
                        reason,
                        remedy,
                        ..Self::new("near miss", of)
                    },
                )
            }
            Judgement::Foreign => (4, Self::new("foreign", of)),
        };
        let pool = pool.cloned();
        (rank, Self { pool, ..group })
    }

    pub(super) fn row(&self) -> [String; 3] {
        let mut text = Shown(&self.of).up_to(REASON).to_string();
        if let Some(reason) = &self.reason {
            text.push_str(&format!(": {}", Shown(reason).up_to(REASON)));
        }
        if let Some(remedy) = &self.remedy {
            text.push_str(&format!("; {}", Shown(remedy).up_to(REASON)));
        }
        if let Some(example) = self.examples.first() {
            let before = if self.count > 1 { "e.g. " } else { "" };
            text.push_str(&format!(" ({before}{})", Shown(example)));
        }
        [self.outcome.to_owned(), self.count.to_string(), text]
    }
}
