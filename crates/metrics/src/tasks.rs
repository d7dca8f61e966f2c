//! [`Tasks`]: the tasks of the program. Each is owned, and one that ends unexpectedly ends the program.

use std::future::Future;

use anyhow::anyhow;
use tokio::task::JoinSet;

/// Owned tasks. Dropping them ends them.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<(&'static str, anyhow::Result<()>)>);

impl Tasks {
    /// Starts a task that runs as long as the program.
    pub(crate) fn start(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.0.spawn(async move { (name, task.await) });
    }

    /// Waits until a task ends, which none should, and returns why.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match self.0.join_next().await {
            Some(Ok((name, Ok(())))) => anyhow!("the task for {name} ended unexpectedly"),
            Some(Ok((name, Err(reason)))) => reason.context(format!("the task for {name} ended")),
            Some(Err(reason)) => anyhow::Error::new(reason).context("a task ended"),
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended, which they were asked to.
    pub(crate) async fn all_ended(&mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use protocol::text::causes;

    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_is_reported_with_its_name_and_its_reason() {
        let mut tasks = Tasks::default();
        tasks.start("waiting", std::future::pending());
        tasks.start("asking", async { Err(anyhow!("the client is closed")) });
        let reason = causes(tasks.ended().await.as_ref());
        assert_eq!(reason, "the task for asking ended: the client is closed");
        tasks.start("describing", async { Ok(()) });
        assert!(
            tasks
                .ended()
                .await
                .to_string()
                .contains("describing ended unexpectedly")
        );
    }
}
