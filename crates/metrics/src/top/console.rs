//! [`Console`]: the terminal of a person. Whatever ends the program, it is as it was before.

#[cfg(test)]
mod tests;

use std::io::{self, Stdout, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::{Hide, Show};
use ratatui_crossterm::crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event};
use ratatui_crossterm::crossterm::execute;
use ratatui_crossterm::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use tokio::sync::mpsc;

/// Whether the terminal is ours.
static IS_OPEN: AtomicBool = AtomicBool::new(false);

static HOOK: Once = Once::new();

/// A terminal that is ours until this is dropped.
pub(super) struct Console {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
    has_mouse: bool,
}

impl Console {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where there is none, or it does not do what it is asked to.
    pub(super) fn open(has_mouse: bool) -> io::Result<Self> {
        // A panic is to be read on the terminal as it was before.
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                report(panic);
            }));
        });
        let terminal = take(has_mouse)?;
        Ok(Self { terminal, has_mouse })
    }

    /// Gives the terminal back to the shell until the program is continued.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        restore();
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        self.terminal = take(self.has_mouse)?;
        Ok(())
    }
}

/// Takes the terminal. Nothing is asked of it: not every terminal answers, and an answer would come between the keys.
fn take(has_mouse: bool) -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    IS_OPEN.store(true, SeqCst);
    let taken = enable_raw_mode().and_then(|()| {
        execute!(stdout(), EnterAlternateScreen, Clear(ClearType::All), Hide)?;
        match has_mouse {
            true => execute!(stdout(), EnableMouseCapture),
            false => Ok(()),
        }
    });
    if taken.is_err() {
        restore();
    }
    taken.map(|()| terminal)
}

impl Drop for Console {
    fn drop(&mut self) {
        restore();
    }
}

/// Makes the terminal as it was before. Nothing can be done where that fails: the terminal is gone.
fn restore() {
    if IS_OPEN.swap(false, SeqCst) {
        execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show).ok();
        disable_raw_mode().ok();
    }
}

/// What a person does, read by a thread of its own: reading waits. The thread ends with the program.
pub(super) fn events() -> mpsc::Receiver<io::Result<Event>> {
    let (events, receiver) = mpsc::channel(64);
    std::thread::spawn(move || {
        loop {
            let event = event::read();
            let is_over = event.is_err();
            if events.blocking_send(event).is_err() || is_over {
                return;
            }
        }
    });
    receiver
}
