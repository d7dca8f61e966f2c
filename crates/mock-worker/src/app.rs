//! Puts a stage on NATS: connects, answers, lets time pass, and stops in order.

mod batch;
mod callers;
mod clock;
mod connection;
mod line;
mod page;
mod show;
mod telling;

use std::future::Future;
use std::time::Duration;

use anyhow::Context;
use async_nats::Message;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, timeout_at};
use tracing::{info, warn};

use crate::args::Config;
use crate::control::{Answer, Request, subject_of};
use connection::Connection;
use show::Show;

pub use batch::Batch;
pub use line::{Line, Out};

/// How often the simulation catches up with the clock; tokens for callers go out in this step.
const TICK: Duration = Duration::from_millis(20);

/// What is handled before anything else is looked at again.
const AT_ONCE: usize = 256;

/// Runs the workers until `shutdown` is ready, or for the time that was asked for, then stops them in order.
///
/// # Errors
/// Where NATS refuses to let us in, or what was asked for cannot be had.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    tokio::pin!(shutdown);
    let (hear, mut heard) = mpsc::channel(1024);
    let start = async {
        let control = Connection::open(&config.servers).await?;
        let show = Show::open(&config, hear).await?;
        let page = page::serve(config.metrics_port).await?;
        let calls = control
            .client
            .subscribe(subject_of(&config.name))
            .await
            .context("failed to subscribe to the subject of control")?;
        control
            .client
            .flush()
            .await
            .context("failed to subscribe to the subject of control")?;
        anyhow::Ok((control, show, page, calls))
    };
    let (control, mut show, mut page, mut calls) = tokio::select! {
        started = start => started?,
        () = &mut shutdown => {
            info!("stopped before NATS was reached");
            return Ok(());
        }
    };
    show.announce();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let ended = loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            refused = control.refused() => break Err(refused),
            // What comes seldom comes first, so that a flood of requests holds nothing else up.
            Some(call) = calls.next() => answer(&control, &mut show, &call).await,
            Some(ask) = page.next() => ask.answer(show.page()),
            _ = ticks.tick() => show.tick().await?,
            Some(one) = heard.recv() => {
                show.hear(one).await?;
                for _ in 1..AT_ONCE {
                    let Ok(one) = heard.try_recv() else { break };
                    show.hear(one).await?;
                }
            }
        }
        if show.is_over() {
            info!(duration = ?config.duration.map(|duration| duration.to_string()), "the time is over");
            break Ok(());
        }
    };
    info!(grace = ?config.grace, "stopping");
    let deadline = Instant::now() + config.grace;
    show.begin_stop();
    let finished = timeout_at(deadline, async {
        // Callers get what they were promised, while nothing new is taken.
        while show.has_callers() {
            ticks.tick().await;
            show.tick().await?;
        }
        anyhow::Ok(())
    });
    if finished.await.is_err() {
        warn!(
            callers = show.callers(),
            "requests were abandoned after the grace"
        );
    }
    show.stop(deadline).await?;
    control.close().await;
    info!("stopped");
    ended.map_err(Into::into)
}

/// Does what is asked by control, as a whole or not at all, and answers.
async fn answer(control: &Connection, show: &mut Show, call: &Message) {
    let answer = match serde_json::from_slice::<Request>(&call.payload) {
        Ok(request) => match show.control(request).await {
            Ok(status) => Answer::Done(status),
            Err(reason) => Answer::Refused(reason),
        },
        Err(error) => Answer::Refused(format!("it is no request: {error}")),
    };
    if let Answer::Refused(reason) = &answer {
        warn!(%reason, "a request to control is refused");
    }
    let payload = serde_json::to_vec(&answer).expect("an answer is JSON");
    if let Some(reply) = &call.reply
        && let Err(error) = control.client.publish(reply.clone(), payload.into()).await
    {
        warn!(%error, "control could not be answered");
    }
}
