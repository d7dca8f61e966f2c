//! The task that asks for descriptions. Its inbox stays open, so that an answer counts however late it comes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use anyhow::{Context, bail};
use async_nats::Client;
use bytes::Bytes;
use fleet::Question;
use link::{Inbox, Reply, ReplyKind};
use protocol::ServicePrefix;
use protocol::text::causes;
use tokio::sync::mpsc;
use tracing::debug;

use crate::engine::Report;

/// Requests whose answers are still recognised; that is as many as the largest fleet asked one by one.
const MAX_OPEN: usize = 1 << 17;

/// An answer to a request for a description.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The service that was asked.
    pub(crate) service: Arc<str>,
    /// The instance, if it was one alone.
    pub(crate) instance: Option<Arc<str>>,
    /// The reply, or `None` where nothing listens.
    pub(crate) payload: Option<Bytes>,
}

#[derive(Debug, Default)]
struct Open {
    asked: HashMap<u64, (Arc<str>, Option<Arc<str>>)>,
    order: VecDeque<u64>,
    last: u64,
}

/// Asks and passes on answers until no more questions come.
pub(crate) async fn run(
    client: Client,
    prefix: ServicePrefix,
    mut questions: mpsc::Receiver<Question>,
    reports: mpsc::Sender<Report>,
) -> anyhow::Result<()> {
    let mut inbox = Inbox::open(&client).await.context("failed to subscribe")?;
    let mut open = Open::default();
    let mut replies: Vec<Reply> = Vec::new();
    loop {
        tokio::select! {
            question = questions.recv() => match question {
                Some(question) => ask(&client, &prefix, &inbox, &mut open, question).await,
                None => return Ok(()),
            },
            count = inbox.next_batch(&mut replies) => {
                if count == 0 {
                    bail!("the client is closed");
                }
                let answers: Vec<Answer> = replies.drain(..).filter_map(|reply| open.answer(reply)).collect();
                let report = Report::Descriptions(answers);
                reports.send(report).await.context("nothing takes reports")?;
            }
        }
    }
}

async fn ask(client: &Client, prefix: &ServicePrefix, inbox: &Inbox, open: &mut Open, question: Question) {
    let Question { service, instances } = question;
    let whole = instances.is_empty().then_some(None);
    let targets = instances.into_iter().map(Some).chain(whole);
    for instance in targets {
        // A name that a subject cannot carry is not asked for.
        let subject = match &instance {
            Some(instance) => prefix.info_of(&service, instance),
            None => prefix.info_of_service(&service),
        };
        let Some(subject) = subject else { continue };
        let number = open.add(service.clone(), instance);
        let sent = client.publish_with_reply(subject, inbox.subject(number), "".into());
        if let Err(reason) = sent.await {
            debug!(reason = causes(&reason), "a description could not be requested");
        }
    }
}

impl Open {
    fn add(&mut self, service: Arc<str>, instance: Option<Arc<str>>) -> u64 {
        self.last += 1;
        self.asked.insert(self.last, (service, instance));
        self.order.push_back(self.last);
        if self.order.len() > MAX_OPEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.asked.remove(&oldest);
        }
        self.last
    }

    fn answer(&mut self, reply: Reply) -> Option<Answer> {
        let (service, instance) = self.asked.get(&reply.round?)?;
        Some(Answer {
            service: service.clone(),
            instance: instance.clone(),
            payload: (reply.kind == ReplyKind::Data).then_some(reply.payload),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(round: Option<u64>, kind: ReplyKind) -> Reply {
        Reply {
            round,
            payload: Bytes::from_static(b"{}"),
            kind,
        }
    }

    #[test]
    fn an_answer_belongs_to_the_request_whose_number_it_has() {
        let mut open = Open::default();
        let one = open.add("svc".into(), Some("a".into()));
        let all = open.add("svc".into(), None);
        let answer = open.answer(reply(Some(one), ReplyKind::Data)).expect("known");
        assert_eq!(
            (answer.instance.as_deref(), answer.payload.is_some()),
            (Some("a"), true)
        );
        let answer = open
            .answer(reply(Some(all), ReplyKind::NoResponders))
            .expect("known");
        assert_eq!((answer.instance, answer.payload), (None, None));
        assert!(open.answer(reply(Some(99), ReplyKind::Data)).is_none());
        assert!(open.answer(reply(None, ReplyKind::Data)).is_none());
    }

    #[test]
    fn old_requests_are_forgotten() {
        let mut open = Open::default();
        let first = open.add("svc".into(), None);
        for _ in 0..MAX_OPEN {
            open.add("svc".into(), None);
        }
        assert!(open.answer(reply(Some(first), ReplyKind::Data)).is_none());
        assert_eq!(open.asked.len(), MAX_OPEN);
    }
}
