//! The task that finds out for silent rounds whether the server answers at all.

use std::time::Duration;

use anyhow::Context;
use link::Link;
use tokio::sync::mpsc;

use crate::engine::Report;

/// Checks the link for each round that it is given, for at most so long, and reports what it found.
pub(crate) async fn run(
    link: Link,
    mut checks: mpsc::Receiver<(u64, Duration)>,
    reports: mpsc::Sender<Report>,
) -> anyhow::Result<()> {
    while let Some((round, limit)) = checks.recv().await {
        let is_alive = link.check(limit).await;
        let report = Report::LinkChecked { round, is_alive };
        reports.send(report).await.context("nothing takes reports")?;
    }
    Ok(())
}
