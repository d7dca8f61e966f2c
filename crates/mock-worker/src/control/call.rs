//! `mock-worker ctl`: calls workers that run, and prints what they answer.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use link::{Grants, Link, Options};
use program::nats::Nats;
use sim::nanos::Nanos;

use super::{ALL, Answer, Status, counted, subject_of};
use crate::args::Call;

/// After so long a pause no other process answers.
const QUIET: Duration = Duration::from_millis(300);

/// Calls workers that run, and returns what they answer as it is printed.
///
/// # Errors
/// Where no process answers, or what was asked is refused.
pub async fn call(nats: &Nats, call: &Call) -> anyhow::Result<String> {
    let Some(name) = &call.name else {
        return list(nats, call).await;
    };
    let options = Options {
        grants: Grants::new([subject_of(name)], [format!("{}.>", nats.servers.inbox_prefix())]),
        ..Options::named("mock-worker ctl")
    };
    let link = Link::new(nats.servers.clone(), options);
    let client = link.connect_now().await?;
    let payload = serde_json::to_vec(&call.request)?;
    let asking = client.request(subject_of(name), payload.into());
    let Ok(answered) = tokio::time::timeout(call.timeout, asking).await else {
        bail!(
            "no answer within {:?}; the workers may be too busy: try a longer --timeout",
            call.timeout
        );
    };
    let message = answered.with_context(|| {
        format!(
            "failed to find workers named {name:?}; `mock-worker ctl list` names those that run, and `mock-worker run` \
             takes --name"
        )
    })?;
    let answer: Answer = serde_json::from_slice(&message.payload).context("failed to read the answer")?;
    let text = match answer {
        Answer::Refused(reason) => bail!("refused, and nothing is changed: {reason}"),
        Answer::Done(status) if call.json => serde_json::to_string(&status)? + "\n",
        Answer::Done(status) => status.describe(),
    };
    link.close(Duration::from_millis(500)).await;
    Ok(text)
}

/// Finds all processes, and returns them as they are printed.
async fn list(nats: &Nats, call: &Call) -> anyhow::Result<String> {
    let options = Options {
        grants: Grants::new([ALL], [format!("{}.>", nats.servers.inbox_prefix())]),
        ..Options::named("mock-worker ctl")
    };
    let link = Link::new(nats.servers.clone(), options);
    let client = link.connect_now().await?;
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    let payload = serde_json::to_vec(&call.request)?;
    client.publish_with_reply(ALL, inbox, payload.into()).await?;
    let mut found = Vec::new();
    let mut patience = call.timeout;
    // Without one that listens the server says so, in a message with a status.
    while let Ok(Some(message)) = tokio::time::timeout(patience, answers.next()).await {
        if message.status.is_some() {
            break;
        }
        match serde_json::from_slice(&message.payload).context("failed to read an answer")? {
            Answer::Done(status) => found.push(status),
            Answer::Refused(reason) => bail!("a process refused to report its status: {reason}"),
        }
        patience = QUIET.min(call.timeout);
    }
    link.close(Duration::from_millis(500)).await;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    match (call.json, found.is_empty()) {
        (true, _) => Ok(serde_json::to_string(&found)? + "\n"),
        (false, true) => bail!("no process of `mock-worker run` answers on this server"),
        (false, false) => Ok(table(&found)),
    }
}

fn table(processes: &[Status]) -> String {
    let mut text = format!(
        "{:<16}  {:>8}  {:>8}  {:<14}  {}\n",
        "name", "up", "down", "time", "path"
    );
    for status in processes {
        let time = Nanos(status.time_ns / 1_000_000_000 * 1_000_000_000).to_string();
        let Status {
            name,
            path,
            workers_up,
            workers_down,
            ..
        } = status;
        let _ = writeln!(
            text,
            "{name:<16}  {workers_up:>8}  {workers_down:>8}  {time:<14}  {path}"
        );
    }
    text
}

impl Status {
    fn describe(&self) -> String {
        let mut text = format!("{}\n", self.text);
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<9} {value}");
        };
        line("time", Nanos(self.time_ns / 1_000_000 * 1_000_000).to_string());
        line(
            "lag",
            format!(
                "{:.3} s, at most {:.3} s",
                self.lag_seconds, self.largest_lag_seconds
            ),
        );
        line(
            "workers",
            format!("{} up, {} down", self.workers_up, self.workers_down),
        );
        line(
            "requests",
            format!(
                "{} running, {} waiting, {} from outside",
                self.running, self.waiting, self.callers
            ),
        );
        line(
            "messages",
            format!(
                "{} replies and {} events of a version of Dynamo sent, {} messages lost",
                self.replies_sent, self.events_sent, self.messages_lost
            ),
        );
        for (number, kind, workers) in &self.faults {
            line(
                "fault",
                format!("{number}: {} with {}", kind.as_str(), counted(*workers, "worker")),
            );
        }
        text
    }
}
