//! What `metrics` says when it is to watch nothing: how to say what, and what there is.

use std::time::Duration;

use fleet::Settings;
use protocol::text::causes;
use tokio::time::timeout;

use super::Looking;
use super::list::Report;

/// How long replies and events are waited for.
const LOOK: Duration = Duration::from_millis(500);

/// How long all of it may take.
const LIMIT: Duration = Duration::from_millis(1500);

/// How to say what to watch, and what there is on NATS if it answers soon.
pub async fn nothing_to_watch(looking: &Looking) -> String {
    let servers = &looking.nats.servers;
    let there = match timeout(LIMIT, look(looking)).await {
        Ok(Ok(report)) if report.is_empty() => {
            format!("Nothing answers at {servers} now: {}.\n", report.round())
        }
        Ok(Ok(report)) => format!("This is at {servers} now:\n\n{report}"),
        Ok(Err(error)) => format!("What is there cannot be shown: {}.\n", causes(error.as_ref())),
        Err(_) => format!("What is there cannot be shown: NATS at {servers} did not answer in time.\n"),
    };
    format!(
        "error: nothing to watch. Name it with one or more of\n
  --target NAMESPACE/COMPONENT/ENDPOINT   a pool of workers; `*` in a name matches any text
  --service NAME                          a NATS service of any kind, by its name
  --all-services                          every NATS service
  --config FILE                           what a configuration file names\n
`{}` shows what there is, and `metrics --help` all flags.\n\n{there}",
        looking.copied.command(&["list"])
    )
}

async fn look(looking: &Looking) -> anyhow::Result<Report> {
    let settings = Settings {
        poll_interval: LIMIT * 2,
        round_timeout: LOOK,
        ..Settings::default()
    };
    let mut engine = looking.engine(&[], settings)?;
    engine.look(LOOK).await?;
    engine.has_asked()?;
    let link = engine.link().clone();
    let (denials, grants) = (link.denials(), link.grants());
    Ok(Report::new(&engine.inspect(None), (&denials, grants)))
}
