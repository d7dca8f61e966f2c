//! [`Turns`]: services of which one instance at a time answers a request for all, and why that is so.
//!
//! Of instances whose subscriptions share a queue group, one hears each request: one reply comes for each service. A
//! service export of the default response type passes one reply to each request, whichever services there are. Either
//! way, an instance that did not answer the request for all does answer when it is asked alone.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use protocol::ServicePrefix;

/// Rounds that are remembered of a service.
const REMEMBERED: usize = 8;

/// Rounds in which instances answered in turn, after which that is sure.
pub(crate) const SURE: usize = 2;

/// Rounds in a row in which several instances answered together, after which they no longer answer in turn. An export now
/// and then passes two replies that come at the same time.
const MENDED_AFTER: usize = 5;

/// Why the instances of a service answer in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InTurn {
    /// Their subscriptions share a queue group.
    QueueGroup,
    /// One of the two; as long as nothing else answers, both look the same.
    Either,
    /// They are in another account, whose export passes one reply to each request.
    Export,
}

impl InTurn {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueGroup => "queue_group",
            Self::Either => "queue_group_or_export",
            Self::Export => "export",
        }
    }

    /// What is so.
    pub fn text(self, prefix: &ServicePrefix) -> String {
        let all = prefix.all();
        match self {
            Self::QueueGroup => format!(
                "instances of a service answer in turn, because their subscriptions to {all} share a queue group"
            ),
            Self::Either => format!(
                "each request brings one reply, and not always of the same instance: either the subscriptions of a service to {all} share a queue group, or the services are in another account whose export passes one reply to each request"
            ),
            Self::Export => "each request brings one reply of all services together: they are in another account, whose service export passes one reply to each request".to_owned(),
        }
    }

    /// What fixes it. Under another prefix it is not known which subject the account of the services exports.
    pub fn remedy(self, prefix: &ServicePrefix) -> String {
        let queue = "subscribe without a queue group";
        let export = match *prefix == ServicePrefix::default() {
            true => format!(
                "give the export a response type: exports: [{{service: \"{}\", response_type: \"Stream\"}}] in the account of the services, and reload the NATS server",
                prefix.all()
            ),
            false => "add response_type: \"Stream\" to the service export in the account of the services, and reload the NATS server".to_owned(),
        };
        match self {
            Self::QueueGroup => queue.to_owned(),
            Self::Either => format!("in the first case, {queue}; in the second, {export}"),
            Self::Export => export,
        }
    }
}

/// What a round has shown of one service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// Instances that answered the request for all.
    pub(crate) together: usize,
    /// Instances that answered only when they were asked alone.
    pub(crate) alone: usize,
}

/// What a round means for one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    /// One instance answered, and others did alone; other services answered the same request.
    BesideOthers,
    /// One instance answered, and others did alone; no other service answered.
    OnlyReply,
    /// None answered, and some did alone: something else had the only reply.
    Displaced,
    /// Nothing suggests that instances take turns.
    Together,
}

/// Remembers the last rounds of services whose instances may answer in turn.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    services: HashMap<Arc<str>, VecDeque<Sample>>,
    said: HashMap<Arc<str>, InTurn>,
}

/// What has changed for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TurnNews {
    InTurn(Arc<str>, InTurn),
    Together(Arc<str>),
}

impl Turns {
    /// Whether no service's instances seem to answer in turn.
    pub(crate) fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.services.len().max(self.said.len())
    }

    /// Takes in a round: what it has shown of each service that answered.
    pub(crate) fn round(&mut self, answers: &HashMap<Arc<str>, Answers>) {
        let together: usize = answers.values().map(|answers| answers.together).sum();
        for (service, answers) in answers {
            let sample = match (answers.together, answers.alone) {
                (0, 1..) => Sample::Displaced,
                (1, 1..) if together == 1 => Sample::OnlyReply,
                (1, 1..) => Sample::BesideOthers,
                (2.., _) => Sample::Together,
                (1, 0) if together > 1 => Sample::Together,
                (_, 0) => continue,
            };
            self.sample(service, sample);
        }
    }

    /// Takes in a round in which all services were asked repeatedly, one reply came each time, and not always of the same
    /// instance: the services that answered.
    pub(crate) fn repeated(&mut self, services: &HashSet<Arc<str>>) {
        let sample = match services.len() {
            1 => Sample::OnlyReply,
            _ => Sample::Displaced,
        };
        for service in services {
            self.sample(service, sample);
        }
    }

    fn sample(&mut self, service: &Arc<str>, sample: Sample) {
        if sample == Sample::Together && !self.services.contains_key(service) {
            return;
        }
        let samples = self.services.entry(service.clone()).or_default();
        samples.push_back(sample);
        if samples.len() > REMEMBERED {
            samples.pop_front();
        }
        let is_together = |sample: &Sample| *sample == Sample::Together;
        let lately = samples
            .iter()
            .rev()
            .take_while(|sample| is_together(sample))
            .count();
        if lately >= MENDED_AFTER {
            self.services.remove(service);
        }
    }

    /// Why the instances of a service answer in turn, if that has been seen as often.
    pub(crate) fn of(&self, service: &str, sure: usize) -> Option<InTurn> {
        let samples = self.services.get(service)?;
        let is_in_turn = samples
            .iter()
            .filter(|sample| **sample != Sample::Together)
            .count()
            >= sure;
        let count =
            |samples: &VecDeque<Sample>, kind| samples.iter().filter(|sample| **sample == kind).count();
        let mut services = self.services.values();
        is_in_turn.then(|| {
            if services.any(|samples| count(samples, Sample::Displaced) >= sure) {
                InTurn::Export
            } else if count(samples, Sample::BesideOthers) >= sure {
                InTurn::QueueGroup
            } else {
                InTurn::Either
            }
        })
    }

    /// The gravest of all services.
    pub(crate) fn any(&self, sure: usize) -> Option<InTurn> {
        self.services
            .keys()
            .filter_map(|service| self.of(service, sure))
            .max()
    }

    /// What is new since it was last asked for.
    pub(crate) fn news(&mut self) -> Vec<TurnNews> {
        let mut news = Vec::new();
        let is_displaced = |samples: &VecDeque<Sample>| samples.contains(&Sample::Displaced);
        let may_be_export = self.services.values().any(is_displaced);
        for service in self.services.keys() {
            if let Some(cause) = self.of(service, SURE)
                && self.said.get(service) != Some(&cause)
                // Soon it is surely one of the two.
                && !(cause == InTurn::Either && may_be_export)
            {
                news.push(TurnNews::InTurn(service.clone(), cause));
            }
        }
        let fixed = self
            .said
            .keys()
            .filter(|service| !self.services.contains_key(*service));
        news.extend(fixed.cloned().map(TurnNews::Together));
        for news in &news {
            match news {
                TurnNews::InTurn(service, cause) => self.said.insert(service.clone(), *cause),
                TurnNews::Together(service) => self.said.remove(service),
            };
        }
        news
    }

    /// Forgets services of which no instance is left.
    pub(crate) fn forget(&mut self, services: &HashSet<&str>) {
        self.services.retain(|service, _| services.contains(&**service));
        self.said.retain(|service, _| services.contains(&**service));
    }
}
