//! [`Looker`]: what is on NATS, for the screen that says why a worker is not seen. It is asked of the engine when a person
//! looks, however many of them do, and never between two rounds more than once.

use std::sync::Arc;
use std::time::Duration;

use link::Link;
use protocol::text::Shown;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use crate::engine::Report;
use crate::view::WhyFacts;

/// What was seen is shown for so long.
const KEPT: Duration = Duration::from_secs(2);

/// How long the engine may take: a round may be under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// Denied subjects that are named.
const NAMED: usize = 5;

/// Asks the engine what is on NATS.
#[derive(Debug)]
pub struct Looker {
    engine: Option<(mpsc::Sender<Report>, Link)>,
    seen: Mutex<Option<(Instant, Arc<WhyFacts>)>>,
}

impl Looker {
    /// Asks this engine.
    pub(crate) fn new(engine: mpsc::Sender<Report>, link: Link) -> Self {
        Self {
            engine: Some((engine, link)),
            seen: Mutex::default(),
        }
    }

    /// Sees nothing.
    pub fn blind() -> Self {
        Self {
            engine: None,
            seen: Mutex::default(),
        }
    }

    /// What is on NATS now, or was a moment ago. When the engine has no time, it is what was seen last.
    pub async fn look(&self) -> Arc<WhyFacts> {
        let mut seen = self.seen.lock().await;
        if let Some((at, facts)) = &*seen
            && at.elapsed() < KEPT
        {
            return Arc::clone(facts);
        }
        match self.census().await {
            Some(facts) => {
                let facts = Arc::new(facts);
                *seen = Some((Instant::now(), Arc::clone(&facts)));
                facts
            }
            None => seen
                .as_ref()
                .map(|(_, facts)| Arc::clone(facts))
                .unwrap_or_default(),
        }
    }

    async fn census(&self) -> Option<WhyFacts> {
        let (engine, link) = self.engine.as_ref()?;
        let (wanted, census) = oneshot::channel();
        engine.send(Report::Census(wanted)).await.ok()?;
        let census = tokio::time::timeout(PATIENCE, census).await.ok()?.ok()?;
        Some(WhyFacts::new(&census, denied(link)))
    }
}

/// What NATS denies to this user, and the lines of its configuration that allow it.
fn denied(link: &Link) -> Vec<String> {
    let denials = link.denials();
    let publish = denials.publish.iter().map(|subject| ("publish to", subject));
    let subscribe = denials.subscribe.iter().map(|subject| ("subscribe to", subject));
    let mut lines: Vec<String> = publish
        .chain(subscribe)
        .take(NAMED)
        .map(|(verb, subject)| format!("NATS does not let this user {verb} {}", Shown(subject)))
        .collect();
    if !lines.is_empty() {
        let needed: Vec<String> = link.grants().lines().into();
        lines.push(format!("give it these permissions: {}", needed.join(" ")));
    }
    lines
}
