//! `metrics top`: the screens of the web page in a terminal. They come from a running collector, or from NATS itself, by the
//! same state machine.

mod attach;
mod body;
mod columns;
mod console;
mod draw;
mod events;
mod feed;
mod figures;
mod help;
mod keys;
mod once;
mod order;
mod own;
mod paint;
mod remote;
mod screens;
mod state;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use program::output::print_text;
use program::terminal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::args::TopArgs;
use crate::probe::Looking;
use crate::tasks::Tasks;
use crate::view::{Ask, Kind, Overview, Screen, SettingRow};

pub use attach::Attach;

use console::Console;
use feed::Feed;
use once::Once;
use own::Own;
use paint::Paint;
use remote::Remote;
use state::{Act, State};

/// How often ages are drawn anew while nothing comes.
const TICK: Duration = Duration::from_secs(1);

/// Updates that wait for the terminal. A slow terminal holds up its own feed and nothing else.
const WAITING: usize = 4;

/// How long one table listens: in that time there are two rounds at the default interval, of which rates are made.
const LOOK: Duration = Duration::from_secs(3);

/// What a terminal needs to know.
#[derive(Debug)]
pub struct Top {
    /// Its flags.
    pub args: TopArgs,
    /// The collector that is asked for.
    pub attach: Option<Attach>,
    /// The page of this machine, which is asked first where nothing else is said; `None` where NATS is.
    pub local: Option<Attach>,
    /// How to gather without a collector.
    pub looking: Looking,
    /// The configuration, for the screen of the collector.
    pub settings: Arc<[SettingRow]>,
}

/// Shows what there is, until a person quits or a signal comes; or prints it once. Returns whether there was anything.
///
/// # Errors
/// Where neither a collector nor NATS can be reached, or the terminal cannot be used.
pub async fn top(top: Top) -> anyhow::Result<bool> {
    let (feed, origin) = connect(&top).await?;
    match top.args.once {
        true => print(feed, top.args.json).await,
        false => show(feed, origin, top.args.mouse).await.map(|()| true),
    }
}

/// Whether stdout is a terminal that a screen can be drawn on.
pub fn has_screen() -> bool {
    terminal::has_cursor(&stdout())
}

/// Where screens come from, and what the header says of it.
async fn connect(top: &Top) -> anyhow::Result<(Feed, String)> {
    if let Some(attach) = &top.attach {
        let remote = Remote::new(attach.clone()).context("failed to make an HTTP client")?;
        let address = remote.address();
        remote
            .overview()
            .await
            .map_err(|reason| anyhow!("failed to read the collector at {address}: {reason}"))?;
        return Ok((Feed::Remote(Box::new(remote)), format!("collector {address}")));
    }
    let mut tried = None;
    if let Some(attach) = &top.local {
        let remote = Remote::new(attach.clone()).context("failed to make an HTTP client")?;
        let address = remote.address();
        match remote.overview().await {
            Ok(_) => return Ok((Feed::Remote(Box::new(remote)), format!("collector {address}"))),
            Err(reason) => tried = Some(format!("no collector answers at {address} ({reason})")),
        }
    }
    let look = match top.args.once {
        true => LOOK.max(top.args.interval * 2),
        false => Duration::ZERO,
    };
    let own = Own::start(&top.looking, Arc::clone(&top.settings), top.args.interval, look);
    let own = own.await.map_err(|error| match tried {
        Some(tried) => error.context(format!(
            "{tried}, so NATS is asked; name a collector with --attach, or NATS with --server"
        )),
        None => error,
    })?;
    let origin = format!("without a collector, from {}", top.looking.nats.servers);
    Ok((Feed::Own(Box::new(own)), origin))
}

async fn print(feed: Feed, is_json: bool) -> anyhow::Result<bool> {
    let overview = match feed {
        Feed::Remote(remote) => remote.overview().await?,
        Feed::Own(mut own) => match own.view(&Ask::of(Kind::Overview)).await? {
            Some(Screen::Overview(overview)) => *overview,
            _ => return Err(anyhow!("failed to make the overview")),
        },
    };
    let text = match is_json {
        true => serde_json::to_string_pretty(&overview).context("failed to write JSON")? + "\n",
        false => {
            let overview = &overview;
            let room = room();
            Once { overview, room }.to_string()
        }
    };
    print_text(&text)?;
    let Overview { pools, services, .. } = &overview;
    Ok(!pools.is_empty() || !services.is_empty())
}

/// Columns that the table has: those of the terminal, or what `COLUMNS` says for a program that shows it on one.
fn room() -> Option<usize> {
    let of_terminal = || ratatui_crossterm::crossterm::terminal::size().ok();
    let columns = match stdout().is_terminal() {
        true => of_terminal().map(|(columns, _)| columns.into()),
        false => std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()),
    };
    columns.filter(|columns| *columns > 0)
}

async fn show(feed: Feed, origin: String, has_mouse: bool) -> anyhow::Result<()> {
    let mut signals = Vec::new();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        signals.push(signal(kind).context("failed to watch for signals")?);
    }
    let [interrupt, terminate, hangup] = &mut signals[..] else {
        unreachable!("there are three");
    };
    let mut state = State::new(origin);
    let (want, wanted) = watch::channel(state.ask.clone());
    let (sender, mut updates) = mpsc::channel(WAITING);
    let mut tasks = Tasks::default();
    tasks.start("following screens", feed.run(wanted, sender));
    let paint = Paint {
        has_colours: terminal::has_colours(&stdout()),
    };
    let mut console = Console::open(has_mouse).context("failed to use the terminal")?;
    let mut events = console::events();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let draw = |frame: &mut ratatui_core::terminal::Frame<'_>| {
            let area = frame.area();
            draw::draw(&mut state, area, frame.buffer_mut(), paint, Instant::now());
        };
        console.terminal.draw(draw).context("failed to draw")?;
        let act = tokio::select! {
            Some(update) = updates.recv() => {
                state.update(update, Instant::now());
                Act::Nothing
            }
            event = events.recv() => {
                let event = event.context("nothing reads the terminal any more")?;
                state.event(&event.context("failed to read the terminal")?)
            }
            _ = tick.tick() => Act::Nothing,
            _ = interrupt.recv() => Act::Quit,
            _ = terminate.recv() => Act::Quit,
            _ = hangup.recv() => Act::Quit,
            reason = tasks.ended() => return Err(reason),
        };
        match act {
            Act::Nothing => {}
            Act::Follow => drop(want.send(state.ask.clone())),
            Act::Suspend => console.suspend().context("failed to use the terminal")?,
            Act::Quit => return Ok(()),
        }
    }
}
