//! What keys and the mouse do.

use ratatui_crossterm::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use super::order::{after, before};
use super::state::{Act, State};
use crate::view::{Ask, HeatKey, Kind, Sort};

/// The longest filter.
const FILTER: usize = 100;

/// Rows that a turn of the wheel moves.
const WHEEL: isize = 3;

impl State {
    /// Takes in what a person did.
    pub(super) fn event(&mut self, event: &Event) -> Act {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            Event::Mouse(mouse) => self.mouse(*mouse),
            _ => Act::Nothing,
        }
    }

    fn mouse(&mut self, mouse: MouseEvent) -> Act {
        match mouse.kind {
            MouseEventKind::ScrollDown => self.step(WHEEL),
            MouseEventKind::ScrollUp => self.step(-WHEEL),
            MouseEventKind::Down(MouseButton::Left) if self.point_at(mouse.row.into()) => {
                return self.enter();
            }
            MouseEventKind::Down(MouseButton::Right) => return self.back(),
            _ => {}
        }
        Act::Nothing
    }

    fn key(&mut self, key: KeyEvent) -> Act {
        self.hint = None;
        let has_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if has_control => return Act::Quit,
            KeyCode::Char('z') if has_control => return Act::Suspend,
            _ if self.has_help => {
                self.has_help = false;
                return Act::Nothing;
            }
            _ if self.is_typing => {
                self.typed(key.code);
                return Act::Nothing;
            }
            _ => {}
        }
        let page = isize::try_from(self.room.0.saturating_sub(1)).unwrap_or(1);
        match key.code {
            KeyCode::Char('f') if has_control => self.step(page),
            KeyCode::Char('b') if has_control => self.step(-page),
            KeyCode::Char('q') => return Act::Quit,
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown => self.step(page),
            KeyCode::PageUp => self.step(-page),
            KeyCode::Home | KeyCode::Char('g') => self.step(isize::MIN / 2),
            KeyCode::End | KeyCode::Char('G') => self.step(isize::MAX / 2),
            KeyCode::Enter => return self.enter(),
            KeyCode::Esc if !self.look.filter.is_empty() => self.filter(String::new()),
            KeyCode::Esc | KeyCode::Backspace => return self.back(),
            KeyCode::Tab => return self.show_kind(after(self.ask.kind, &Kind::ALL)),
            KeyCode::BackTab => return self.show_kind(before(self.ask.kind, &Kind::ALL)),
            KeyCode::Char(digit @ '1'..='5') => {
                let place = digit as usize - '1' as usize;
                return self.show_kind(Kind::ALL[place]);
            }
            KeyCode::Char('?') => self.has_help = true,
            KeyCode::Char('!') => self.look.has_all_problems = !self.look.has_all_problems,
            KeyCode::Char('w') => return self.open(Ask::of(Kind::Why)),
            code => return self.table_key(code),
        }
        Act::Nothing
    }

    /// Keys of screens that have a table.
    fn table_key(&mut self, code: KeyCode) -> Act {
        if !matches!(self.ask.kind, Kind::Overview | Kind::Pool) {
            return Act::Nothing;
        }
        match code {
            KeyCode::Char('s') if self.ask.kind == Kind::Pool => {
                self.look.sort = after(self.look.sort, &Sort::ALL);
            }
            KeyCode::Char('s') => self.look.pools = self.look.pools.next(),
            KeyCode::Char('r') => self.look.is_reversed = !self.look.is_reversed,
            KeyCode::Char('p') => self.pause(),
            KeyCode::Char('/') => self.is_typing = true,
            code if self.ask.kind == Kind::Pool => self.heat_key(code),
            _ => {}
        }
        if matches!(code, KeyCode::Char('s' | 'r')) {
            // A new order begins at its first row.
            self.look.kept = None;
            self.look.selected = None;
        }
        self.settle();
        Act::Nothing
    }

    fn heat_key(&mut self, code: KeyCode) {
        let known = self.look.key.unwrap_or(HeatKey::Kv);
        self.look.key = match code {
            KeyCode::Right => Some(after(known, &HeatKey::ALL)),
            KeyCode::Left => Some(before(known, &HeatKey::ALL)),
            KeyCode::Char('K') => Some(HeatKey::Kv),
            KeyCode::Char('W') => Some(HeatKey::Waiting),
            KeyCode::Char('S') => Some(HeatKey::Slots),
            KeyCode::Char('R') => Some(HeatKey::Requests),
            KeyCode::Char('E') => Some(HeatKey::Errors),
            KeyCode::Char('H') => Some(HeatKey::Hits),
            KeyCode::Char('A') => Some(HeatKey::Age),
            _ => self.look.key,
        };
    }

    fn enter(&mut self) -> Act {
        match self.selected() {
            Some(ask) => self.open(ask),
            None => Act::Nothing,
        }
    }

    fn typed(&mut self, code: KeyCode) {
        let mut filter = self.look.filter.clone();
        match code {
            KeyCode::Char(character) if filter.chars().count() < FILTER => filter.push(character),
            KeyCode::Backspace => drop(filter.pop()),
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                filter.clear();
                self.is_typing = false;
            }
            _ => {}
        }
        self.filter(filter);
    }

    fn filter(&mut self, filter: String) {
        if self.look.filter != filter {
            self.look.filter = filter;
            self.look.selected = None;
            self.look.first = 0;
        }
        self.settle();
    }
}
