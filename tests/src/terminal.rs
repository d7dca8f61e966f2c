//! A program on a terminal: what a person would see, with every escape.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::{Child, Command};

use crate::eventually;

/// A running program whose stdin, stdout and stderr are a pseudo-terminal.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    text: Arc<Mutex<String>>,
}

impl Terminal {
    /// Starts a program on a terminal of 120 columns and 36 rows, of the kind `xterm`, unless the command names another `TERM`.
    ///
    /// # Panics
    /// When there are no pseudo-terminals, or the program cannot be started.
    pub fn start(mut command: Command) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo-terminal");
        grantpt(&controller).expect("its other end is granted");
        unlockpt(&controller).expect("its other end is unlocked");
        let size = Winsize {
            ws_col: 120,
            ws_row: 36,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&controller, size).expect("a terminal has a size");
        let name = ptsname(&controller, Vec::new()).expect("its other end has a name");
        let open = || {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            Stdio::from(open(&*name, flags, Mode::empty()).expect("its other end opens"))
        };
        let has_kind = command.as_std().get_envs().any(|(key, _)| key == "TERM");
        if !has_kind {
            command.env("TERM", "xterm");
        }
        let child = command
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let text = Arc::new(Mutex::new(String::new()));
        keep(File::from(controller), &text);
        Self { child, text }
    }

    /// All that it has shown so far.
    pub fn text(&self) -> String {
        self.text.lock().expect("no reader panics").clone()
    }

    /// Waits until it has shown `part`, and returns all that it has shown.
    pub async fn shows(&self, part: &str) -> String {
        eventually(&format!("the terminal shows {part:?}"), async || {
            let text = self.text();
            match text.contains(part) {
                true => Ok(text),
                false => Err(text),
            }
        })
        .await
    }

    /// Waits until the program has ended, and returns all that it has shown.
    pub async fn ended(mut self) -> String {
        eventually("the program on the terminal ended", async || {
            match self.child.try_wait() {
                // The reader has the other end of what was shown, and drops its clone at the end.
                Ok(Some(_)) if Arc::strong_count(&self.text) == 1 => Ok(()),
                found => Err(format!("{found:?}: {}", self.text())),
            }
        })
        .await;
        self.text()
    }
}

/// Reads until the last process with the other end is gone: then reading fails.
fn keep(mut controller: File, text: &Arc<Mutex<String>>) {
    let kept = Arc::clone(text);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = controller.read(&mut buffer) {
            let part = String::from_utf8_lossy(&buffer[..count]).into_owned();
            kept.lock().expect("no test panics here").push_str(&part);
        }
    });
}
