//! What is drawn of a seeded fleet, and what keys do.

mod seeded;

use std::time::Duration;

use ratatui_core::backend::TestBackend;
use ratatui_core::style::{Color, Modifier};
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tokio::time::Instant;

use super::draw::draw;
use super::feed::Update;
use super::once::Once;
use super::paint::Paint;
use super::state::{Act, State};
use crate::view::{Ask, Delta, Kind, Screen};

use seeded::{BUSY, Fleet};

/// A terminal on which a fleet is looked at.
struct Seen {
    fleet: Fleet,
    state: State,
    now: Instant,
    size: (u16, u16),
    paint: Paint,
}

impl Seen {
    fn new(size: (u16, u16)) -> Self {
        let mut seen = Self {
            fleet: Fleet::of_two_pools(),
            state: State::new("collector http://metrics:9091".to_owned()),
            now: Instant::now(),
            size,
            paint: Paint { has_colours: true },
        };
        seen.answer();
        seen
    }

    /// The screen that the terminal asks for arrives.
    fn answer(&mut self) {
        let ask = self.state.ask.clone();
        let update = match self.fleet.screen(&ask) {
            Some(screen) => Update::Screen(ask, screen.into()),
            None => Update::Gone(ask),
        };
        self.state.update(update, self.now);
    }

    fn press(&mut self, code: KeyCode) -> Act {
        let key = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
        let act = self.state.event(&key);
        if act == Act::Follow {
            self.answer();
        }
        // The next key goes by the rows that were drawn.
        self.drawn();
        act
    }

    fn keys(&mut self, keys: &str) {
        for key in keys.chars() {
            self.press(KeyCode::Char(key));
        }
    }

    fn terminal(&mut self) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).expect("infallible");
        let (state, paint, now) = (&mut self.state, self.paint, self.now);
        let drawn = terminal.draw(|frame| {
            let area = frame.area();
            draw(state, area, frame.buffer_mut(), paint, now);
        });
        drawn.expect("infallible");
        terminal
    }

    /// What is on the terminal, without the spaces at the ends of lines.
    fn drawn(&mut self) -> String {
        let terminal = self.terminal();
        let buffer = terminal.backend().buffer();
        let line = |y: u16| {
            let cells = (0..self.size.0).map(|x| buffer[(x, y)].symbol());
            cells.collect::<String>().trim_end().to_owned()
        };
        (0..self.size.1).map(line).collect::<Vec<_>>().join("\n")
    }

    /// The row that the cursor is on.
    fn chosen(&mut self) -> String {
        let drawn = self.drawn();
        let line = drawn.lines().find(|line| line.starts_with('>'));
        line.unwrap_or_default().to_owned()
    }
}

const NARROW: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (140, 40);

#[test]
fn every_screen_at_80_and_140_columns() {
    for (width, size) in [("narrow", NARROW), ("wide", WIDE)] {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            let mut seen = Seen::new(size);
            if kind == Kind::Worker {
                // The busiest worker.
                seen.press(KeyCode::Enter);
                seen.keys("jj");
                seen.press(KeyCode::Enter);
            } else {
                seen.keys(&(index + 1).to_string());
            }
            assert_eq!(seen.state.ask.kind, kind);
            insta::assert_snapshot!(format!("{}_{width}", kind.name()), seen.drawn());
        }
        let mut seen = Seen::new(size);
        seen.keys("?");
        insta::assert_snapshot!(format!("help_{width}"), seen.drawn());
    }
}

#[test]
fn the_table_that_is_printed_once_has_all_columns() {
    let Some(Screen::Overview(overview)) = Fleet::of_two_pools().screen(&Ask::of(Kind::Overview)) else {
        panic!("no overview");
    };
    let once = |room| Once {
        overview: &overview,
        room,
    };
    insta::assert_snapshot!(once(None).to_string());
    let narrow = once(Some(80)).to_string();
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
}

#[test]
fn enter_goes_down_and_escape_goes_back_to_the_same_row() {
    let mut seen = Seen::new(WIDE);
    assert!(seen.chosen().contains(BUSY), "{}", seen.drawn());
    seen.keys("j");
    let second = seen.chosen();
    assert!(!second.contains(BUSY), "{second}");
    assert_eq!(seen.press(KeyCode::Enter), Act::Follow);
    assert_eq!(seen.state.ask.kind, Kind::Pool);
    let pool = seen.state.ask.pool.clone();
    assert_eq!(seen.press(KeyCode::Enter), Act::Follow);
    assert_eq!((seen.state.ask.kind, &seen.state.ask.pool), (Kind::Worker, &pool));
    seen.press(KeyCode::Esc);
    seen.press(KeyCode::Backspace);
    assert_eq!(seen.chosen(), second);
    assert_eq!(seen.press(KeyCode::Esc), Act::Nothing, "it is the first screen");
    assert_eq!(seen.press(KeyCode::Char('q')), Act::Quit);
}

#[test]
fn a_filter_and_an_order_apply_to_the_rows_and_are_shown() {
    let mut seen = Seen::new(WIDE);
    seen.keys("2");
    seen.keys("/");
    assert!(seen.drawn().contains("filter: _"));
    seen.keys("stale");
    seen.press(KeyCode::Enter);
    assert!(
        seen.drawn().contains("filter \"stale\": 1 of 12"),
        "{}",
        seen.drawn()
    );
    assert!(seen.chosen().contains("6d00000000000003"), "{}", seen.drawn());
    seen.press(KeyCode::Esc);
    assert_eq!(seen.state.ask.kind, Kind::Pool, "Escape clears the filter first");
    seen.keys("s");
    assert!(seen.drawn().contains("by id"));
    assert!(seen.chosen().contains("6d00000000000001"), "{}", seen.drawn());
    seen.keys("r");
    assert!(seen.chosen().contains("6d0000000000000c"), "{}", seen.drawn());
    seen.keys("/zzz");
    assert!(seen.drawn().contains("no worker matches the filter"));
}

#[test]
fn a_kept_order_stays_while_figures_change() {
    let mut seen = Seen::new(WIDE);
    seen.keys("p");
    let drawn = seen.drawn();
    let order = |drawn: &str| -> Vec<String> {
        let rows = drawn
            .lines()
            .filter(|line| line.contains("/generate") && !line.contains("warning"));
        let names = rows.map(|row| {
            row.split_whitespace()
                .find(|word| word.contains('/'))
                .map(str::to_owned)
        });
        names.flatten().collect()
    };
    let before = order(&drawn);
    seen.fleet.turn_around();
    seen.answer();
    assert!(seen.drawn().contains("ORDER KEPT"));
    assert_eq!(order(&seen.drawn()), before);
    seen.keys("p");
    assert_ne!(order(&seen.drawn()), before);
}

#[test]
fn old_figures_are_grey_under_a_banner_with_their_age() {
    let check = |seen: &mut Seen, banner: &str| {
        let terminal = seen.terminal();
        let buffer = terminal.backend().buffer();
        let drawn = seen.drawn();
        assert!(drawn.contains("OLD: ") && drawn.contains(banner), "{drawn}");
        for y in 5..20 {
            for x in 0..seen.size.0 {
                let colour = buffer[(x, y)].fg;
                assert!(
                    matches!(colour, Color::DarkGray | Color::Reset),
                    "{x},{y}: {colour:?}"
                );
            }
        }
    };
    let mut seen = Seen::new(NARROW);
    assert!(!seen.drawn().contains("OLD"));
    seen.now += Duration::from_secs(60);
    check(&mut seen, "the last round ended 60 s ago");

    let mut seen = Seen::new(NARROW);
    seen.fleet.lose_nats();
    seen.answer();
    check(&mut seen, "the connection to NATS is lost");

    let mut seen = Seen::new(NARROW);
    seen.state
        .update(Update::Silent("connection refused".to_owned()), seen.now);
    seen.now += Duration::from_secs(3);
    check(&mut seen, "no answer from collector http://metrics:9091 for 3 s");
    seen.answer();
    assert!(!seen.drawn().contains("OLD"));
}

#[test]
fn without_colours_every_level_is_still_seen() {
    let mut seen = Seen::new(WIDE);
    seen.paint.has_colours = false;
    seen.keys("2");
    let terminal = seen.terminal();
    let cells = terminal.backend().buffer().content();
    assert!(
        cells
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    assert!(
        cells
            .iter()
            .any(|cell| cell.modifier.contains(Modifier::REVERSED))
    );
    let drawn = seen.drawn();
    for mark in [
        "! 6d00000000000007",
        "? 6d00000000000003",
        "+ 6d00000000000005",
        "97%!",
    ] {
        assert!(drawn.contains(mark), "{mark} in {drawn}");
    }
}

#[test]
fn the_cursor_stays_in_sight_and_a_heading_with_it() {
    let mut seen = Seen::new((80, 12));
    seen.keys("2");
    seen.press(KeyCode::End);
    let drawn = seen.drawn();
    assert!(seen.chosen().contains("6d00000000000001"), "{drawn}");
    assert!(drawn.contains("WORKER"), "{drawn}");
    seen.size = (80, 9);
    let drawn = seen.drawn();
    assert!(drawn.contains("> "), "{drawn}");
    seen.size = (30, 8);
    seen.drawn();
    seen.size = (10, 3);
    assert!(seen.drawn().contains("too small"));
}

#[test]
fn text_from_outside_is_escaped() {
    let mut seen = Seen::new(WIDE);
    seen.fleet.rename_service("or\u{1b}[2Jders");
    seen.answer();
    let drawn = seen.drawn();
    assert!(drawn.contains("or\\u{1b}[2Jders"), "{drawn}");
    assert!(!drawn.contains('\u{1b}'));
}

#[test]
fn a_delta_of_the_stream_makes_the_screen_before_the_screen_now() {
    let mut fleet = Fleet::of_two_pools();
    for kind in Kind::ALL {
        let ask = match kind {
            Kind::Overview => Ask::of(kind),
            Kind::Pool => Ask {
                pool: BUSY.to_owned(),
                ..Ask::of(kind)
            },
            _ => continue,
        };
        let before = fleet.screen(&ask).expect("it is there");
        fleet.turn_around();
        let now = fleet.screen(&ask).expect("it is there");
        let json = serde_json::to_vec(&now.since(&before)).expect("JSON");
        let delta = kind.read_delta(&json).expect("a delta");
        assert_eq!(before.with(delta).as_ref(), Some(&now), "{kind:?}");
        let late = Delta {
            since: 99,
            ..now.since(&before)
        };
        assert_eq!(before.with(late), None);
        let whole = kind
            .read(&serde_json::to_vec(&now).expect("JSON"))
            .expect("a screen");
        assert_eq!(whole, now);
    }
}

#[test]
fn what_is_gone_says_so() {
    let mut seen = Seen::new(WIDE);
    seen.keys("2");
    let ask = seen.state.ask.clone();
    seen.state.update(Update::Gone(ask), seen.now);
    assert!(
        seen.drawn().contains("there is no such pool now"),
        "{}",
        seen.drawn()
    );
    seen.keys("1");
    assert!(seen.chosen().contains(BUSY));
    let mut nothing = State::new("collector http://metrics:9091".to_owned());
    nothing.update(Update::Silent("connection refused".to_owned()), seen.now);
    seen.state = nothing;
    assert!(
        seen.drawn().contains("no answer from collector"),
        "{}",
        seen.drawn()
    );
}
