//! The checks of one worker: what it answers, each rule on its own.

use anyhow::Context;
use fleet::matching::{Outcome, Target};
use protocol::{StatsReply, WorkerStats};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::asking::{Answer, Asking, WORK};
use super::found::{Worker, description_of};
use super::report::{Check, Finding};
use crate::args::ConformArgs;

/// How often a counter is looked at again that has not moved yet.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(50);

/// All checks of a worker; those with requests only where there is one to send.
pub(super) async fn of(
    asking: &Asking,
    target: &Target,
    worker: &Worker,
    args: &ConformArgs,
) -> anyhow::Result<Vec<Finding>> {
    let subjects = Subjects::of(asking, worker);
    let mut findings = Vec::new();
    let reply = async |verb: usize| -> anyhow::Result<Option<Value>> {
        let answer = asking.one(subjects.alone(verb)).await?.into_payload();
        Ok(answer.and_then(|payload| serde_json::from_slice(&payload).ok()))
    };
    findings.push(ping(worker, &subjects, reply(PING).await?.as_ref()));
    findings.push(info(target, worker, &subjects, reply(INFO).await?.as_ref()));
    let first = asking.one(subjects.alone(STATS)).await?.into_payload();
    let second = asking.one(subjects.alone(STATS)).await?.into_payload();
    findings.push(stats(worker, &subjects, first.as_deref(), second.as_deref()));
    findings.push(by_name(asking, worker, &subjects).await?);
    findings.push(load(worker, first.as_deref()));
    findings.push(match args.without_reply {
        true => no_reply(asking, worker, &subjects).await?,
        false => Finding::skipped(
            Check::NoReply,
            Some(&worker.subject),
            "no message without a reply subject was sent: --without-reply sends some",
        ),
    });
    match args.request.as_deref() {
        Some(payload) => findings.extend(requests(asking, worker, &subjects, payload).await?),
        None => findings.push(Finding::skipped(
            Check::Requests,
            Some(&worker.subject),
            "no request was sent: --request TEXT sends one to each worker",
        )),
    }
    Ok(findings)
}

const PING: usize = 0;
const INFO: usize = 1;
const STATS: usize = 2;
const VERBS: [&str; 3] = ["PING", "INFO", "STATS"];

/// The nine subjects that ask for a worker.
pub(super) struct Subjects(Vec<String>);

impl Subjects {
    pub(super) fn of(asking: &Asking, worker: &Worker) -> Self {
        Self(asking.prefix.asked_of(&worker.service, &worker.instance))
    }

    fn by_name(&self, verb: usize) -> String {
        self.0[3 * verb + 1].clone()
    }

    fn alone(&self, verb: usize) -> String {
        self.0[3 * verb + 2].clone()
    }

    /// What asks for the statistics of this worker alone.
    pub(super) fn stats(&self) -> String {
        self.alone(STATS)
    }
}

/// What is wrong with the head that all replies have.
fn head(worker: &Worker, reply: &Value, kind: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |field: &str, expected: &str| {
        let found = &reply[field];
        if found != expected {
            wrong.push(format!("`{field}` is {found} and not {expected:?}"));
        }
    };
    must("type", &format!("io.nats.micro.v1.{kind}_response"));
    must("name", &worker.service);
    must("id", &worker.instance);
    if reply["version"]
        .as_str()
        .is_none_or(|version| version.split('.').count() < 3)
    {
        wrong.push(format!(
            "`version` is {} and not a semantic version",
            reply["version"]
        ));
    }
    wrong
}

fn silent(check: Check, worker: &Worker, subjects: &Subjects, verb: usize) -> Finding {
    let (subject, verb) = (subjects.alone(verb), VERBS[verb]);
    Finding::fail(
        check,
        Some(&worker.subject),
        format!("this instance does not answer {verb} with a JSON object"),
        format!("answer {subject} with JSON"),
    )
}

fn verdict(check: Check, worker: &Worker, wrong: &[String], right: &str, remedy: &str) -> Finding {
    match wrong {
        [] => Finding::pass(check, Some(&worker.subject), right),
        wrong => Finding::fail(check, Some(&worker.subject), wrong.join("; "), remedy),
    }
}

fn ping(worker: &Worker, subjects: &Subjects, reply: Option<&Value>) -> Finding {
    let Some(reply) = reply.filter(|reply| reply.is_object()) else {
        return silent(Check::Ping, worker, subjects, PING);
    };
    let wrong = head(worker, reply, "ping");
    verdict(
        Check::Ping,
        worker,
        &wrong,
        "it answers PING",
        "write the fields as ADR-32 has them",
    )
}

fn info(target: &Target, worker: &Worker, subjects: &Subjects, reply: Option<&Value>) -> Finding {
    let Some(reply) = reply.filter(|reply| reply.is_object()) else {
        return silent(Check::Info, worker, subjects, INFO);
    };
    let mut wrong = head(worker, reply, "info");
    let expected = description_of(target).to_string();
    let description = reply["description"].as_str().unwrap_or_default();
    let is_described = description.parse().is_ok_and(|description| {
        matches!(
            target.classify(&worker.subject, Some(&description)),
            Outcome::Matched { .. }
        )
    });
    if !is_described {
        wrong.push(format!("`description` is {description:?} and not {expected:?}"));
    }
    let endpoints = reply["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    match endpoints
        .iter()
        .find(|endpoint| endpoint["subject"] == worker.subject)
    {
        None => wrong.push("its endpoint is not in `endpoints`".to_owned()),
        Some(endpoint) if endpoint["queue_group"] != protocol::subject::QUEUE_GROUP => wrong.push(format!(
            "`queue_group` is {} and not {:?}",
            endpoint["queue_group"],
            protocol::subject::QUEUE_GROUP
        )),
        Some(_) => {}
    }
    verdict(
        Check::Info,
        worker,
        &wrong,
        "it describes itself",
        "give the service this description, and the endpoint this queue group; see \"The service\" in docs/protocol.md",
    )
}

fn stats(worker: &Worker, subjects: &Subjects, first: Option<&[u8]>, second: Option<&[u8]>) -> Finding {
    let read = |reply: Option<&[u8]>| reply.and_then(|reply| serde_json::from_slice::<Value>(reply).ok());
    let has_start =
        first.is_some_and(|reply| StatsReply::decode(reply).is_ok_and(|reply| reply.started.is_some()));
    let (Some(first), Some(second)) = (read(first), read(second)) else {
        return silent(Check::Stats, worker, subjects, STATS);
    };
    let mut wrong = head(worker, &first, "stats");
    if !has_start {
        wrong.push(format!(
            "`started` is {} and not an RFC 3339 time",
            first["started"]
        ));
    } else if second["started"] != first["started"] {
        wrong.push("`started` changes from reply to reply, so each looks like a restart".to_owned());
    }
    let endpoints = first["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    match endpoints
        .iter()
        .find(|endpoint| endpoint["subject"] == worker.subject)
    {
        None => wrong.push("its endpoint is not in `endpoints`".to_owned()),
        Some(endpoint) => {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let name = endpoint["name"].as_str().unwrap_or_default();
            if name.is_empty() || !name.chars().all(is_allowed) {
                wrong.push(format!(
                    "the endpoint's `name` is {} and not made of A-Z a-z 0-9 _ -",
                    endpoint["name"]
                ));
            }
            for counter in ["num_requests", "num_errors"] {
                // Java leaves zeros out.
                if !endpoint[counter].is_null() && !endpoint[counter].is_u64() {
                    wrong.push(format!("`{counter}` is {} and not a count", endpoint[counter]));
                }
            }
        }
    }
    verdict(
        Check::Stats,
        worker,
        &wrong,
        "its statistics are complete",
        "write the fields as in the example of docs/protocol.md, \"The service\"",
    )
}

/// Whether the worker also answers to the name of its service, by which monitoring asks.
async fn by_name(asking: &Asking, worker: &Worker, subjects: &Subjects) -> anyhow::Result<Finding> {
    let mut missing = Vec::new();
    for verb in [PING, INFO, STATS] {
        let replies = asking.all(subjects.by_name(verb)).await?;
        let is_this = |payload: &[u8]| {
            let reply: Value = serde_json::from_slice(payload).unwrap_or_default();
            reply["id"] == worker.instance
        };
        if !replies.iter().any(|reply| is_this(&reply.payload)) {
            missing.push(format!("it does not answer {}", subjects.by_name(verb)));
        }
    }
    Ok(verdict(
        Check::ByName,
        worker,
        &missing,
        "it answers to its service's name",
        "subscribe to each verb for all services, for the service's name, and for the instance; without a queue group",
    ))
}

fn load(worker: &Worker, reply: Option<&[u8]>) -> Finding {
    let subject = Some(worker.subject.as_str());
    let endpoint = reply
        .and_then(|reply| StatsReply::decode(reply).ok())
        .and_then(|reply| {
            let mut endpoints = reply.endpoints.into_iter();
            endpoints.find(|endpoint| endpoint.subject == worker.subject)
        });
    let data = match endpoint.map(|endpoint| endpoint.data) {
        None => return Finding::skipped(Check::Load, subject, "there are no statistics to read it from"),
        Some(Err(error)) => {
            return Finding::fail(
                Check::Load,
                subject,
                error.to_string(),
                "write `data` as a JSON object",
            );
        }
        Some(Ok(data)) => data,
    };
    let example = "write `data` as docs/protocol.md, \"The load\", has it, e.g. {\"kv_stats\": {\"kv_active_blocks\": 42}}";
    match WorkerStats::read(&data) {
        Err(error) => Finding::fail(Check::Load, subject, error.to_string(), example),
        Ok(reading) if !reading.refused.is_empty() => {
            let refused: Vec<String> = reading.refused.iter().map(ToString::to_string).collect();
            let remedy = "counts are whole numbers from 0, ratios lie in 0 to 1, and nothing active is above its capacity";
            Finding::fail(Check::Load, subject, refused.join("; "), remedy)
        }
        Ok(reading) if !reading.other_fields.is_empty() => {
            let fields = reading.other_fields.join(", ");
            Finding::fail(
                Check::Load,
                subject,
                format!("`data` has no field of the load, but {fields}"),
                example,
            )
        }
        Ok(reading) if reading.stats.is_none() => Finding::skipped(
            Check::Load,
            subject,
            "it reports no load in `data`; a collector sees it without one",
        ),
        Ok(_) => Finding::pass(Check::Load, subject, "its load is in range"),
    }
}

/// Whether requests without a reply subject, which some clients send, leave the worker as it is.
async fn no_reply(asking: &Asking, worker: &Worker, subjects: &Subjects) -> anyhow::Result<Finding> {
    for verb in [PING, INFO, STATS] {
        asking
            .client
            .publish(subjects.alone(verb), Vec::new().into())
            .await?;
    }
    asking.client.flush().await?;
    let mut silent = Vec::new();
    for verb in [PING, INFO, STATS] {
        if asking.one(subjects.alone(verb)).await?.into_payload().is_none() {
            silent.push(format!(
                "it does not answer {} after a message without a reply subject",
                VERBS[verb]
            ));
        }
    }
    Ok(verdict(
        Check::NoReply,
        worker,
        &silent,
        "messages without a reply subject do no harm",
        "ignore a request without a reply subject; it must not stop the worker from answering. Restart this worker",
    ))
}

async fn num_requests(asking: &Asking, worker: &Worker, subjects: &Subjects) -> anyhow::Result<Option<u64>> {
    let reply = asking.one(subjects.stats()).await?.into_payload();
    let reply = reply.and_then(|reply| StatsReply::decode(&reply).ok());
    let endpoint = reply.and_then(|reply| {
        let mut endpoints = reply.endpoints.into_iter();
        endpoints.find(|endpoint| endpoint.subject == worker.subject)
    });
    Ok(endpoint.map(|endpoint| endpoint.requests.unwrap_or(0)))
}

/// Whether a request is answered and counted.
async fn requests(
    asking: &Asking,
    worker: &Worker,
    subjects: &Subjects,
    payload: &str,
) -> anyhow::Result<Vec<Finding>> {
    let subject = Some(worker.subject.as_str());
    let before = num_requests(asking, worker, subjects)
        .await?
        .context("the worker no longer answers")?;
    let answered = match asking.serve(worker.subject.clone(), payload).await? {
        Answer::Message(message) => match message
            .headers
            .as_ref()
            .and_then(|headers| headers.get("Nats-Service-Error"))
        {
            Some(error) => Finding::pass(
                Check::Requests,
                subject,
                format!("a request is answered, with the error {error}"),
            ),
            None => Finding::pass(
                Check::Requests,
                subject,
                format!(
                    "a request is answered; size of the answer: {} B",
                    message.payload.len()
                ),
            ),
        },
        Answer::NobodyThere => Finding::fail(
            Check::Requests,
            subject,
            "nothing serves the endpoint's subject",
            "subscribe to the subject that the statistics name, in the queue group `q`",
        ),
        Answer::Silence => Finding::fail(
            Check::Requests,
            subject,
            format!("a request is not answered within {} s", WORK.as_secs()),
            "answer each request, with the headers Nats-Service-Error and Nats-Service-Error-Code where it fails",
        ),
    };
    let deadline = Instant::now() + asking.timeout;
    let counted = loop {
        let after = num_requests(asking, worker, subjects).await?;
        if after.is_some_and(|after| after > before) {
            break true;
        }
        if Instant::now() > deadline {
            break false;
        }
        sleep(AGAIN).await;
    };
    let counters = if counted {
        Finding::pass(Check::Counters, subject, "`num_requests` counts it")
    } else {
        let text = format!("`num_requests` is still {before} after a request");
        Finding::fail(
            Check::Counters,
            subject,
            text,
            "count each request, including those that fail, and never decrease the count",
        )
    };
    Ok(vec![answered, counters])
}
