//! The name of a process, which no other one on the same server has.

use std::time::Duration;

use async_nats::Client;
use link::Link;
use tokio::time::timeout;

use super::{Answer, Request, counted, subject_of};

/// How long a process that has a name may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes `name` for this process, or where it may be `numbered` the first of `name`, `name-2`, `name-3` that is free.
///
/// # Errors
/// Says which workers the process has that has this name.
pub(crate) async fn claim(
    link: &Link,
    client: &Client,
    name: &str,
    numbered: bool,
) -> Result<String, String> {
    let Some(workers) = workers_of(link, client, name).await else {
        return Ok(name.to_owned());
    };
    let mut number = 2;
    loop {
        let next = format!("{name}-{number}");
        if workers_of(link, client, &next).await.is_none() {
            return match numbered {
                true => Ok(next),
                false => Err(format!(
                    "another process on this server is named {name:?}, with {workers}; give this one another --name, or let it \
                     be {next:?} with --share-name"
                )),
            };
        }
        number += 1;
    }
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
