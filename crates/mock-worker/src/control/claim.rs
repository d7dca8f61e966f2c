//! The name of a process, which no other one on the same server has.

use std::time::Duration;

use anyhow::{Context, anyhow};
use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use link::Link;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Answer, Request, counted, subject_of};
use crate::args::InvalidInput;

/// How long a process that has a name may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long another process may take to say that it wants the same name: some times as long as the server takes to answer,
/// within these bounds.
const WINDOW: (Duration, Duration) = (Duration::from_millis(50), PATIENCE);
const ANSWERS: u32 = 4;

/// A name that this process has. It listens at it without answering until this is dropped, which must not be before it
/// listens there as the name's owner.
pub(crate) struct Claimed {
    pub(crate) name: String,
    _listening: Subscriber,
}

/// Takes `name` for this process, or where it may be `numbered` the first of `name`, `name-2`, `name-3` that is free.
///
/// # Errors
/// [`InvalidInput`] where another process has this name, with the workers it has; else why NATS cannot be asked.
pub(crate) async fn claim(
    link: &Link,
    client: &Client,
    name: &str,
    numbered: bool,
) -> anyhow::Result<Claimed> {
    let workers = match take(link, client, name).await? {
        Ok(claimed) => return Ok(claimed),
        Err(workers) => workers,
    };
    let mut number = 2;
    loop {
        let next = format!("{name}-{number}");
        if let Ok(claimed) = take(link, client, &next).await? {
            return match numbered {
                true => Ok(claimed),
                false => Err(InvalidInput(anyhow!(
                    "another process on this server is named {name:?}, with {workers}; give this one another --name, or let it \
                     be {next:?} with --share-name"
                ))
                .into()),
            };
        }
        number += 1;
    }
}

/// Takes a name, unless a process has it; then it says which workers that process has.
///
/// Of processes that want a name at the same time none has it yet, so each says under which id it wants it, and the one
/// with the first id in their order gets it.
async fn take(link: &Link, client: &Client, name: &str) -> anyhow::Result<Result<Claimed, String>> {
    let asked = Instant::now();
    if let Some(workers) = workers_of(link, client, name).await {
        return Ok(Err(workers));
    }
    let answered = asked.elapsed();
    let failed = || format!("failed to ask for the name {name:?}");
    let subject = subject_of(name);
    let mut listening = client.subscribe(subject.clone()).await.with_context(failed)?;
    let own = client.new_inbox();
    let say = async || {
        let payload = serde_json::to_vec(&Request::Claim { id: own.clone() }).expect("a request is JSON");
        client
            .publish(subject.clone(), payload.into())
            .await
            .with_context(failed)
    };
    say().await?;
    let until = Instant::now() + (answered * ANSWERS).clamp(WINDOW.0, WINDOW.1);
    while let Ok(Some(message)) = timeout_at(until, listening.next()).await {
        match serde_json::from_slice(&message.payload) {
            Ok(Request::Claim { id }) if id < own => {
                return Ok(Err("workers that are about to start".to_owned()));
            }
            // It did not listen yet when we said it.
            Ok(Request::Claim { id }) if id > own => say().await?,
            _ => {}
        }
    }
    Ok(Ok(Claimed {
        name: name.to_owned(),
        _listening: listening,
    }))
}

/// Which workers the process of this name has; `None` where there is none.
async fn workers_of(link: &Link, client: &Client, name: &str) -> Option<String> {
    let subject = subject_of(name);
    let payload = serde_json::to_vec(&Request::Status).expect("a request is JSON");
    let asking = client.request(subject.clone(), payload.into());
    let mut link = link.clone();
    let answer = tokio::select! {
        answer = timeout(PATIENCE, asking) => answer,
        // Whoever may not ask cannot know.
        () = link.failed_or_refused(&subject) => return None,
    };
    let unknown = || "workers that do not answer".to_owned();
    match answer {
        // No process listens there.
        Ok(Err(_)) => None,
        Err(_) => Some(unknown()),
        Ok(Ok(message)) => Some(match serde_json::from_slice(&message.payload) {
            Ok(Answer::Done(status)) => {
                let workers = counted(status.workers_up + status.workers_down, "worker");
                format!("{workers} of {}", status.path)
            }
            _ => unknown(),
        }),
    }
}
