//! Puts a stage on NATS: connects, answers, lets time pass, and stops in order.

mod batch;
mod board;
mod callers;
mod clock;
mod events;
mod line;
mod page;
mod show;

use std::future::Future;
use std::time::Duration;

use anyhow::Context;
use async_nats::{Client, Message};
use futures_util::StreamExt;
use futures_util::stream::select;
use link::{Grants, Link, Options};
use program::nats::Nats;
use protocol::text::causes;
use protocol::{ServiceName, subject};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, timeout_at};
use tracing::{info, warn};
use web::Server;

use crate::args::Config;
use crate::control::{self, Answer, Request, subject_of};
use line::Heard;
use show::Show;

pub use batch::Batch;
pub use board::Board;
pub use line::{Line, Out};

/// How often the simulation catches up with the clock; tokens for callers go out in this step.
const TICK: Duration = Duration::from_millis(20);

/// How often what the workers do is reported: in a line of the log, or in a table on a terminal.
const REPORT: Duration = Duration::from_secs(10);
const REDRAW: Duration = Duration::from_secs(1);

/// What is handled before anything else is looked at again.
const AT_ONCE: usize = 256;

/// Workers that have all that they need of this machine, and have not looked for NATS yet.
pub struct App {
    config: Config,
    show: Show,
    heard: mpsc::Receiver<Heard>,
    page: Option<Server>,
    /// Where a table of the pool is shown, and its place among those of other pools.
    board: Option<(Board, usize)>,
}

impl App {
    /// Opens all files and takes the port of the page. What the workers do is shown on `board`, else in the log.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::args::InvalidInput) where a file cannot be had; else where the port is in use.
    pub async fn open(config: Config, board: Option<(Board, usize)>) -> anyhow::Result<Self> {
        let page = page::bind(&config).await?;
        let (hear, heard) = mpsc::channel(1024);
        let show = Show::open(&config, hear)?;
        Ok(Self {
            config,
            show,
            heard,
            page,
            board,
        })
    }

    /// Runs the workers until `shutdown` is ready, or for the time that was asked for, then stops them in order.
    ///
    /// # Errors
    /// Where NATS refuses to let us in, or the truth cannot be written.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self {
            config,
            mut show,
            mut heard,
            page,
            board,
        } = self;
        tokio::pin!(shutdown);
        let start = async {
            let link = show.new_link();
            let control = link.connect().await?;
            // Before any worker is there, for they would stay without control.
            let claimed = control::claim(&link, &control, &config.name, config.share_name).await?;
            let calls = control
                .queue_subscribe(subject_of(&claimed.name), control::GROUP.to_owned())
                .await
                .context("failed to subscribe to the subject of control")?;
            show.set_name(claimed.name.clone());
            drop(claimed);
            show.connect(&config).await?;
            let page = page::serve(page);
            let everybody = control
                .subscribe(control::ALL)
                .await
                .context("failed to subscribe to the subject of control")?;
            control
                .flush()
                .await
                .context("failed to subscribe to the subject of control")?;
            anyhow::Ok((link, control, page, select(calls, everybody)))
        };
        let (link, control, mut page, mut calls) = tokio::select! {
            started = start => started?,
            () = &mut shutdown => {
                info!("stopped before NATS was reached");
                return Ok(());
            }
        };
        show.announce();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut reports = match &board {
            Some(_) => tokio::time::interval(REDRAW),
            None => tokio::time::interval_at(Instant::now() + REPORT, REPORT),
        };
        let ended = loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break Ok(()),
                refused = link.refused() => break Err(refused),
                // What comes seldom comes first, so that a flood of requests holds nothing else up.
                Some(call) = calls.next() => answer(&control, &mut show, &call).await,
                Some(ask) = page.next() => {
                    let text = show.page(ask.format);
                    ask.answer(text);
                }
                _ = ticks.tick() => {
                    show.tick().await?;
                    // Where each tick lasts until the next one is due, nothing else would be heard.
                    hear(&mut show, &mut heard).await?;
                }
                _ = reports.tick(), if !config.quiet => match &board {
                    Some((board, place)) => board.show(*place, &show.glance()),
                    None => show.glance().report(),
                },
                Some(one) = heard.recv() => {
                    show.hear(one).await?;
                    hear(&mut show, &mut heard).await?;
                }
            }
            if show.is_over() {
                info!(duration = ?config.duration.map(|duration| duration.to_string()), "the duration is over");
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
                "requests were abandoned after the grace period"
            );
        }
        show.stop(deadline).await?;
        link.close(line::CLOSING).await;
        info!("stopped");
        ended.map_err(Into::into)
    }
}

/// Takes in what waits, as much as is handled at once.
async fn hear(show: &mut Show, heard: &mut mpsc::Receiver<Heard>) -> anyhow::Result<()> {
    for _ in 0..AT_ONCE {
        let Ok(one) = heard.try_recv() else { break };
        show.hear(one).await?;
    }
    Ok(())
}

/// A link as all connections of this program are: with the permissions that the workers need, to be asked, to answer, and
/// to publish events.
fn link_of(config: &Config, service: &ServiceName) -> Link {
    let Nats {
        servers,
        auth_patience,
        service_prefix,
        ..
    } = &config.nats;
    let own_inbox = format!("{}.>", servers.inbox_prefix());
    let name = match config.share_name {
        true => "*",
        false => &config.name,
    };
    let answers = [
        own_inbox.clone(),
        subject::EVENTS.to_owned(),
        config.request_trace_subject.clone(),
        // To ask whether another process has the name.
        subject_of(name),
    ];
    let heard = [
        service_prefix.all(),
        subject::endpoints_of(service),
        subject_of(name),
        control::ALL.to_owned(),
        own_inbox,
    ];
    let options = Options {
        auth_patience: *auth_patience,
        grants: Grants::new(answers, heard),
        ..Options::named("mock-worker")
    };
    Link::new(servers.clone(), options)
}

/// Does what is asked by control, as a whole or not at all, and answers.
async fn answer(control: &Client, show: &mut Show, call: &Message) {
    let answer = match serde_json::from_slice::<Request>(&call.payload) {
        Ok(request) => match show.control(request).await {
            Ok(status) => Answer::Done(status),
            Err(reason) => Answer::Refused(reason),
        },
        Err(error) => Answer::Refused(format!("it is not a request: {error}")),
    };
    if let Answer::Refused(reason) = &answer {
        warn!(%reason, "a request to control is refused");
    }
    let payload = serde_json::to_vec(&answer).expect("an answer is JSON");
    if let Some(reply) = &call.reply
        && let Err(error) = control.publish(reply.clone(), payload.into()).await
    {
        warn!(error = causes(&error), "control could not be answered");
    }
}
