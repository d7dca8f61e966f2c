//! [`Follower`]: a screen as it changes. All that follow one screen share each rendering: the first of them that wants the
//! next snapshot makes it. One that was too slow for a snapshot gets the whole screen again, so nothing is kept for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Form, PageError, Pages};
use crate::html::Drawn;
use crate::published::Published;
use crate::view::{Ask, Screen};

/// Time from one rendering to the next: a person sees no more, and events may publish many snapshots in a second.
const REST: Duration = Duration::from_millis(500);

/// The same after a large one. It has thousands of rows, and to take all of them in twice a second would leave a browser
/// no time to scroll.
const LONG_REST: Duration = Duration::from_secs(2);

/// Bytes of an event from which on the time to the next grows.
const LARGE: usize = 400 << 10;

/// A client or a proxy that hears nothing for long may think that the connection is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A comment, which clients ignore.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// Screens that are followed.
#[derive(Debug, Default)]
pub(super) struct Topics {
    topics: StdMutex<HashMap<(Ask, Form), Weak<Topic>>>,
    followers: Arc<AtomicU64>,
}

/// A screen that is followed.
#[derive(Debug)]
struct Topic {
    ask: Ask,
    form: Form,
    latest: Mutex<Latest>,
}

/// The latest rendering.
#[derive(Debug, Default)]
struct Latest {
    /// The number of its snapshot; 0 before the first.
    number: u64,
    /// That of the rendering before.
    since: Option<u64>,
    /// When the next may be made.
    due: Option<Instant>,
    /// `None` where what it is about is not there.
    screen: Option<Arc<Rendered>>,
    whole: Option<Bytes>,
    delta: Option<Bytes>,
}

/// A screen in the form in which it is followed.
#[derive(Debug)]
enum Rendered {
    Data(Screen),
    Page(Drawn),
}

/// One client that follows a screen.
pub struct Follower {
    pages: Arc<Pages>,
    topic: Arc<Topic>,
    snapshots: watch::Receiver<Published>,
    seen: u64,
    followers: Arc<AtomicU64>,
}

impl Pages {
    /// Follows a screen from now on.
    pub fn follow(self: &Arc<Self>, ask: &Ask, form: Form) -> Follower {
        let followers = Arc::clone(&self.topics.followers);
        followers.fetch_add(1, Relaxed);
        Follower {
            pages: Arc::clone(self),
            topic: self.topics.of(ask.subject(form == Form::Html), form),
            snapshots: self.snapshots(),
            seen: 0,
            followers,
        }
    }
}

impl Topics {
    fn of(&self, ask: Ask, form: Form) -> Arc<Topic> {
        let key = (ask, form);
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics.get(&key).and_then(Weak::upgrade) {
            return topic;
        }
        topics.retain(|_, topic| topic.strong_count() > 0);
        let topic = Arc::new(Topic {
            ask: key.0.clone(),
            form,
            latest: Mutex::default(),
        });
        topics.insert(key, Arc::downgrade(&topic));
        topic
    }

    /// How many clients follow a screen.
    pub(super) fn followers(&self) -> u64 {
        self.followers.load(Relaxed)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.followers.fetch_sub(1, Relaxed);
    }
}

impl Follower {
    /// The next event, or a comment where there is none for long; `None` when no more snapshots are published.
    ///
    /// # Errors
    /// When rendering ended unexpectedly.
    pub async fn next(&mut self) -> Option<Result<Bytes, PageError>> {
        let quiet_until = Instant::now() + KEEP_ALIVE;
        loop {
            let published = self.snapshots.borrow_and_update().clone();
            let topic = Arc::clone(&self.topic);
            let mut latest = topic.latest.lock().await;
            if latest.number < published.snapshot.sequence {
                match latest.due {
                    Some(due) if due > Instant::now() => {
                        if latest.number > self.seen {
                            return Some(self.event(&mut latest).await);
                        }
                        drop(latest);
                        sleep_until(due).await;
                        continue;
                    }
                    _ => {
                        if let Err(error) = self.render(&mut latest, published).await {
                            return Some(Err(error));
                        }
                    }
                }
            }
            if latest.number > self.seen {
                return Some(self.event(&mut latest).await);
            }
            drop(latest);
            let rest = quiet_until.saturating_duration_since(Instant::now());
            match timeout(rest, self.snapshots.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some(Ok(COMMENT)),
            }
        }
    }

    async fn render(&self, latest: &mut Latest, published: Published) -> Result<(), PageError> {
        let number = published.snapshot.sequence;
        let maker = self.pages.maker(self.topic.ask.clone(), published).await;
        let before = latest.screen.clone();
        let (ask, form) = (self.topic.ask.clone(), self.topic.form);
        let work = move || {
            let screen = maker.make().map(|screen| match form {
                Form::Json => Rendered::Data(screen),
                Form::Html => Rendered::Page(Drawn::new(screen, &ask)),
            });
            let delta = match (before.as_deref(), &screen) {
                (Some(Rendered::Data(before)), Some(Rendered::Data(now))) => {
                    Some(event("delta", number, &now.since(before)))
                }
                (Some(Rendered::Page(before)), Some(Rendered::Page(now))) => {
                    Some(event("delta", number, &now.since(Some(before))))
                }
                _ => None,
            };
            (screen.map(Arc::new), delta)
        };
        let (screen, delta) = self.pages.jobs.run(work).await?;
        let bytes = delta.as_ref().map_or(0, Bytes::len);
        *latest = Latest {
            number,
            since: (latest.number > 0).then_some(latest.number),
            due: Some(Instant::now() + rest(bytes)),
            screen,
            whole: None,
            delta,
        };
        Ok(())
    }

    /// What brings this client to the latest rendering.
    async fn event(&mut self, latest: &mut Latest) -> Result<Bytes, PageError> {
        let seen = std::mem::replace(&mut self.seen, latest.number);
        if let (Some(delta), true) = (&latest.delta, latest.since == Some(seen)) {
            return Ok(delta.clone());
        }
        if let Some(whole) = &latest.whole {
            return Ok(whole.clone());
        }
        let number = latest.number;
        let whole = match &latest.screen {
            Some(screen) => {
                let screen = Arc::clone(screen);
                let write = move || match &*screen {
                    Rendered::Data(screen) => event("view", number, screen),
                    Rendered::Page(drawn) => event("view", number, &drawn.since(None)),
                };
                self.pages.jobs.run(write).await?
            }
            None => event("gone", number, &Gone { snapshot: number }),
        };
        latest.whole = Some(whole.clone());
        Ok(whole)
    }
}

/// How long to rest after an event of so many bytes.
fn rest(bytes: usize) -> Duration {
    REST.mul_f64(bytes as f64 / LARGE as f64).clamp(REST, LONG_REST)
}

/// What a screen is about is not there, or not any more.
#[derive(Serialize)]
struct Gone {
    snapshot: u64,
}

/// A server-sent event. JSON has no line breaks of its own.
fn event(name: &str, number: u64, data: &impl Serialize) -> Bytes {
    let mut text = format!("event: {name}\nid: {number}\ndata: ").into_bytes();
    serde_json::to_writer(&mut text, data).expect("every key of a screen is text");
    text.extend_from_slice(b"\n\n");
    text.into()
}
