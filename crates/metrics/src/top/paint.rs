//! [`Paint`]: how a level looks. Every level has a mark as well, so nothing is said by a colour alone.

use ratatui_core::style::{Color, Modifier, Style};

use crate::view::Level;

/// Whether there are colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) has_colours: bool,
}

impl Paint {
    /// The style of a figure of this level.
    pub(super) fn level(self, level: Level) -> Style {
        let colour = match level {
            Level::None => return Style::new(),
            Level::Ok => Color::Green,
            Level::New => Color::Blue,
            Level::Warn => Color::Yellow,
            Level::Bad => Color::Red,
            Level::Stale => Color::DarkGray,
        };
        let style = self.coloured(colour);
        match level {
            Level::Bad => style.add_modifier(Modifier::BOLD),
            _ => style,
        }
    }

    /// What is no longer current.
    pub(super) fn old(self) -> Style {
        match self.has_colours {
            true => Style::new().fg(Color::DarkGray).remove_modifier(Modifier::BOLD),
            false => Style::new().add_modifier(Modifier::DIM),
        }
    }

    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn cursor(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What must not be overlooked.
    pub(super) fn alarm(self) -> Style {
        self.coloured(Color::Red)
            .add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    fn coloured(self, colour: Color) -> Style {
        match self.has_colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }
}
