//! What the INFO reply of each service instance says about whose it is.
//!
//! Asked for once an instance, always with a reply subject, and kept: an instance never changes its description, and
//! a restarted service is a new instance.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, StatusCode};
use futures_util::StreamExt;
use protocol::{Description, StatsReply, subject};
use tokio::time::Instant;
use tracing::{debug, warn};

/// How long the answers are waited for; a service that takes longer is judged without, and asked again.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often an instance that does not answer is asked.
const MAX_ATTEMPTS: u8 = 3;

/// Rounds after which the description of an instance that is no longer seen is forgotten.
const KEEP_ROUNDS: u64 = 32;

/// Services of other names whose description is asked for in one round, to explain why nothing matches.
const MAX_STRANGERS: usize = 64;

/// Service names for which a description is kept to explain with.
const MAX_HINTS: usize = 4096;

/// The descriptions that are known.
#[derive(Debug, Default)]
pub struct Descriptions {
    entries: HashMap<InstanceId, Entry>,
    /// One description for each service name, for explanations only.
    hints: HashMap<String, Description>,
    round: u64,
}

/// A service may call itself anything, so its id alone does not tell it from another.
type InstanceId = (String, String);

#[derive(Debug)]
struct Entry {
    answer: Answer,
    last_used: u64,
}

#[derive(Debug)]
enum Answer {
    Told(Description),
    /// It answers, but says nothing in Dynamo's form.
    Nondescript,
    /// It has not answered yet.
    Silent {
        attempts: u8,
    },
}

impl Descriptions {
    /// What the instance of this reply says, or, where it was not asked, another one of the same service name.
    pub fn get(&self, reply: &StatsReply) -> Option<Description> {
        match self.entries.get(&id_of(reply)) {
            Some(Entry {
                answer: Answer::Told(description),
                ..
            }) => Some(description.clone()),
            Some(_) => None,
            None => self.hints.get(&reply.service).cloned(),
        }
    }

    /// Forgets instances that have not been seen for many rounds.
    pub fn begin_round(&mut self) {
        self.round += 1;
        let oldest = self.round.saturating_sub(KEEP_ROUNDS);
        self.entries.retain(|_, entry| entry.last_used >= oldest);
    }

    /// Asks for the descriptions of all instances that `decides` names and that are not known.
    ///
    /// With `explain`, one instance of each other service name is asked, too.
    pub async fn learn(
        &mut self,
        client: &Client,
        replies: impl IntoIterator<Item = &Arc<StatsReply>>,
        decides: impl Fn(&StatsReply) -> bool,
        explain: bool,
    ) {
        let mut wanted: Vec<InstanceId> = Vec::new();
        let mut strangers: HashSet<&str> = HashSet::new();
        for reply in replies {
            let id = id_of(reply);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.last_used = self.round;
                if !matches!(entry.answer, Answer::Silent { attempts } if attempts < MAX_ATTEMPTS) {
                    continue;
                }
            } else if !decides(reply) {
                let is_new = !self.hints.contains_key(&reply.service);
                if !(explain && is_new && strangers.len() < MAX_STRANGERS && strangers.insert(&reply.service))
                {
                    continue;
                }
            }
            wanted.push(id);
        }
        wanted.sort_unstable();
        wanted.dedup();
        if !wanted.is_empty() {
            self.ask(client, &wanted).await;
        }
    }

    async fn ask(&mut self, client: &Client, wanted: &[InstanceId]) {
        let inbox = client.new_inbox();
        let mut answers = match client.subscribe(format!("{inbox}.*")).await {
            Ok(answers) => answers,
            Err(reason) => return warn!(%reason, "descriptions cannot be asked for"),
        };
        let mut open: HashMap<String, &InstanceId> = HashMap::new();
        for (at, id) in wanted.iter().enumerate() {
            let attempts = match self.entries.get(id).map(|entry| &entry.answer) {
                Some(Answer::Silent { attempts }) => attempts + 1,
                _ => 1,
            };
            self.set(id, Answer::Silent { attempts });
            let reply_to = format!("{inbox}.{at}");
            match subject::info_of(&id.0, &id.1) {
                Some(info) => {
                    if client
                        .publish_with_reply(info, reply_to.clone(), "".into())
                        .await
                        .is_ok()
                    {
                        open.insert(reply_to, id);
                    }
                }
                // A name that cannot stand in a subject cannot be asked for; it is judged without.
                None => self.set(id, Answer::Nondescript),
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while !open.is_empty() {
            let Ok(Some(message)) = tokio::time::timeout_at(deadline, answers.next()).await else {
                break;
            };
            let Some(id) = open.remove(message.subject.as_str()) else {
                continue;
            };
            let answer = match Description::from_info_reply(&message.payload) {
                _ if message.status == Some(StatusCode::NO_RESPONDERS) => Answer::Nondescript,
                Ok(description) => {
                    if self.hints.len() < MAX_HINTS {
                        self.hints.insert(id.0.clone(), description.clone());
                    }
                    Answer::Told(description)
                }
                Err(_) => Answer::Nondescript,
            };
            self.set(id, answer);
        }
        if !open.is_empty() {
            debug!(
                unanswered = open.len(),
                "services did not describe themselves in time"
            );
        }
    }

    fn set(&mut self, id: &InstanceId, answer: Answer) {
        self.entries.insert(
            id.clone(),
            Entry {
                answer,
                last_used: self.round,
            },
        );
    }
}

fn id_of(reply: &StatsReply) -> InstanceId {
    (reply.service.clone(), reply.id.clone())
}
