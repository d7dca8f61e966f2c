//! Commands that look once: `explain` and `list`.

mod explain;
mod list;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use protocol::service::Servers;
use protocol::{EndpointPath, StatsReply};

use crate::args::SharedArgs;
use crate::connect::{self, Link};
use crate::descriptions::Descriptions;
use crate::gather::{Finish, Gatherer, Round};
use crate::matching::Target;

/// How long a look takes at most, unless `--round-timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long a pause between replies ends a look: longer than in the collector, for there is no second round to make
/// up for a service that was slow in the first.
const PATIENCE: Duration = Duration::from_secs(1);

/// Everything that answered one request.
struct Look {
    round: Round,
    descriptions: Descriptions,
}

impl Look {
    async fn take(servers: &Servers, shared: &SharedArgs) -> anyhow::Result<Self> {
        let (reporter, link) = Link::new();
        let client = connect::connect_now(servers, reporter).await?;
        link.clone().connected().await;
        let mut gatherer = Gatherer::new(
            client.clone(),
            link,
            shared.round_timeout.unwrap_or(TIMEOUT),
            PATIENCE,
        );
        let round = gatherer.round(Default::default()).await;
        if let Some(violation) = &round.error {
            bail!("{}: {violation}", connect::refusal(violation));
        }
        if round.finish == Finish::Error {
            bail!("the connection to NATS was lost while asking; try again");
        }
        let mut descriptions = Descriptions::default();
        descriptions
            .learn(&client, round.replies.iter().flatten(), |_| true, false)
            .await;
        Ok(Self { round, descriptions })
    }

    fn replies(&self) -> impl Iterator<Item = &Arc<StatsReply>> {
        self.round.replies.iter().flatten()
    }

    fn unreadable(&self) -> usize {
        self.round.replies.iter().filter(|reply| reply.is_none()).count()
    }

    /// How the round went, in words.
    fn summary(&self) -> String {
        let (count, ms) = (self.round.replies.len(), self.round.duration.as_millis());
        match (self.round.finish, count) {
            (Finish::NoResponders, _) => format!(
                "nobody answered at all: no service on this NATS server (in this account) listens on {}",
                protocol::subject::STATS
            ),
            (_, 0) => format!("silence: someone listens, but no reply came in {ms} ms"),
            (_, 1) => format!("1 reply in {ms} ms"),
            (_, n) => format!("{n} replies in {ms} ms"),
        }
    }
}

/// Says of every service whether it is a worker of the target, and why. Returns whether the target has workers.
///
/// # Errors
/// Where NATS cannot be reached or asked.
pub async fn explain(
    path: EndpointPath,
    servers: &Servers,
    shared: &SharedArgs,
    json: bool,
) -> anyhow::Result<bool> {
    let look = Look::take(servers, shared).await?;
    let report = explain::Report::new(&Target::new(path, &shared.subject_pattern), &look);
    print(&report, report.to_string(), json)?;
    Ok(report.has_workers())
}

/// Prints every pool. Returns whether there is one.
///
/// # Errors
/// Where NATS cannot be reached or asked.
pub async fn list(servers: &Servers, shared: &SharedArgs, json: bool) -> anyhow::Result<bool> {
    let look = Look::take(servers, shared).await?;
    let report = list::Report::new(&look, &shared.subject_pattern);
    print(&report, report.to_string(), json)?;
    Ok(report.has_workers())
}

fn print(report: &impl serde::Serialize, text: String, json: bool) -> anyhow::Result<()> {
    use std::io::Write;
    let text = if json {
        serde_json::to_string_pretty(report).context("failed to write JSON")? + "\n"
    } else {
        text
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough, e.g. `head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("failed to write the report"),
    }
}
