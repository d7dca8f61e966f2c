//! The task that asks services for their statistics. Only this task waits while the client's queue is full.

use anyhow::Context;
use async_nats::Client;
use protocol::text::causes;
use tokio::sync::mpsc;

use crate::engine::Report;

/// A request for statistics.
#[derive(Debug)]
pub(crate) struct Request {
    /// The number of the round.
    pub(crate) round: u64,
    /// Where the replies go.
    pub(crate) reply_to: String,
    /// The subjects to ask.
    pub(crate) subjects: Vec<String>,
}

/// Sends requests until no more come.
pub(crate) async fn run(
    client: Client,
    mut requests: mpsc::Receiver<Request>,
    reports: mpsc::Sender<Report>,
) -> anyhow::Result<()> {
    while let Some(request) = requests.recv().await {
        for asked in request.subjects {
            // Workers built on old runtimes lose their statistics for good when they are asked without a reply subject.
            let sent = client.publish_with_reply(asked, request.reply_to.clone(), "".into());
            if let Err(reason) = sent.await {
                let round = request.round;
                let reason = causes(&reason);
                let report = Report::AskFailed { round, reason };
                reports.send(report).await.context("nothing takes reports")?;
                break;
            }
        }
    }
    Ok(())
}
