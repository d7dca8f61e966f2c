//! Screens: made once for each snapshot and address, as JSON or as a page.

use std::sync::Arc;

use super::answers::{Form, What};
use super::{Encoding, Page, PageError, Pages, Source};
use crate::html;
use crate::live::Live;
use crate::published::Published;
use crate::view::{Ask, CollectorScreen, Inside, Kind, Moment, Screen, WhyFacts, WhyScreen};

/// A screen that cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScreenError {
    /// What it is about is not there.
    #[error("{0}")]
    Missing(String),
    /// It cannot be made.
    #[error(transparent)]
    Page(#[from] PageError),
}

/// What a screen is made of.
pub(super) struct Maker {
    ask: Ask,
    published: Published,
    live: Live,
    source: Arc<Source>,
    /// For the screen that needs them.
    facts: Option<Arc<WhyFacts>>,
    streams: u64,
}

impl Pages {
    /// A screen of the latest snapshot.
    ///
    /// # Errors
    /// [`ScreenError`] where it is about what is not there.
    pub async fn screen(&self, ask: Ask, form: Form, encoding: Encoding) -> Result<Page, ScreenError> {
        let edition = self.edition();
        let published = edition.published.clone();
        if let Some(missing) = ask.missing(&published.snapshot) {
            return Err(ScreenError::Missing(missing));
        }
        let what = What::Screen(ask.clone(), form);
        let slots = edition.answers.slots(what, published.at.elapsed());
        let maker = self.maker(ask, published).await;
        let write = move || vec![maker.write(form).into()].into();
        Ok(self.made(&edition, &slots, encoding, write).await?)
    }

    /// What makes a screen of a snapshot.
    pub(super) async fn maker(&self, ask: Ask, published: Published) -> Maker {
        let facts = match ask.kind {
            Kind::Why => Some(self.source.looker.look().await),
            _ => None,
        };
        Maker {
            ask,
            published,
            live: self.live(),
            source: Arc::clone(&self.source),
            facts,
            streams: self.topics.followers(),
        }
    }
}

impl Maker {
    /// The screen with all its rows; `None` where what it is about went meanwhile.
    pub(super) fn make(&self) -> Option<Screen> {
        let source = &self.source;
        source.history.read(&self.published, |history| {
            let moment = Moment {
                published: &self.published,
                history,
                round_limit: self.live.round_limit,
            };
            match self.ask.kind {
                Kind::Why => {
                    let facts = self.facts.as_deref()?;
                    Some(Screen::Why(Box::new(WhyScreen::new(facts, &moment))))
                }
                Kind::Collector => {
                    let inside = Inside {
                        process: &(source.process)(),
                        settings: &source.settings.borrow(),
                        history_bytes: history.bytes(),
                        streams: self.streams,
                    };
                    Some(Screen::Collector(Box::new(CollectorScreen::new(
                        &inside, &moment,
                    ))))
                }
                Kind::Overview | Kind::Pool | Kind::Worker => self.ask.screen(&moment),
            }
        })
    }

    fn write(&self, form: Form) -> Vec<u8> {
        let screen = self.make();
        match (form, screen) {
            (_, None) => Vec::new(),
            (Form::Html, Some(screen)) => html::page(&screen, &self.ask).into_bytes(),
            (Form::Json, Some(mut screen)) => {
                screen.arrange(&self.ask);
                let mut json = serde_json::to_vec(&screen).expect("every key of a screen is text");
                json.push(b'\n');
                json
            }
        }
    }
}
