//! Whether a worker that is stopped loses a request: its operator stops it while requests are sent.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, interval};

use super::asking::{Answer, Asking};
use super::checks::Subjects;
use super::found::Worker;
use super::report::{Check, Finding};

/// How often a request is sent.
const EVERY: Duration = Duration::from_millis(20);

/// Sends requests until the worker serves no longer, and looks what became of each.
pub(super) async fn watch(
    asking: &Asking,
    worker: &Worker,
    payload: &str,
    patience: Duration,
) -> anyhow::Result<Finding> {
    let subject = Some(worker.subject.as_str());
    eprintln!(
        "stop the worker {} now, with SIGTERM; requests are sent meanwhile",
        worker.subject
    );
    let deadline = Instant::now() + patience;
    let mut every = interval(EVERY);
    let mut pending = FuturesUnordered::new();
    let (mut answered, mut lost, mut is_gone) = (0_u64, 0_u64, false);
    while !(is_gone && pending.is_empty()) {
        tokio::select! {
            _ = every.tick(), if !is_gone => {
                if Instant::now() > deadline {
                    let text = format!("the worker was not stopped within {} s", patience.as_secs());
                    return Ok(Finding::skipped(Check::Drain, subject, text));
                }
                pending.push(asking.serve(worker.subject.clone(), payload));
            }
            Some(answer) = pending.next() => match answer? {
                Answer::Message(_) => answered += 1,
                Answer::NobodyThere => is_gone = true,
                Answer::Silence => lost += 1,
            },
        }
    }
    if lost > 0 {
        let text = format!(
            "{lost} of {} requests were lost while it stopped",
            answered + lost
        );
        let remedy = "at the end drain the subscription, finish the requests that came, and only then close the connection";
        return Ok(Finding::fail(Check::Drain, subject, text, remedy));
    }
    // It stays in discovery for as long as it works, and leaves after that.
    let stats = Subjects::of(asking, worker).stats();
    let deadline = Instant::now() + patience;
    while !matches!(asking.one(stats.clone()).await?, Answer::NobodyThere) {
        if Instant::now() > deadline {
            let text = "it no longer serves requests, but still answers STATS";
            let remedy = "stop the service, or end the process, when the last request is finished";
            return Ok(Finding::fail(Check::Drain, subject, text, remedy));
        }
        every.tick().await;
    }
    Ok(Finding::pass(
        Check::Drain,
        subject,
        format!("it stopped without losing one of {answered} requests"),
    ))
}
