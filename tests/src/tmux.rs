//! [`Tmux`]: a program in a real terminal multiplexer, with keys that are typed and a screen that is read.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use crate::eventually;

/// A terminal in tmux, in which a shell runs one program. All of it is gone when this is dropped.
#[derive(Debug)]
pub struct Tmux {
    program: PathBuf,
    folder: TempDir,
}

/// What the program left behind.
#[derive(Debug)]
pub struct Left {
    /// What is on the terminal.
    pub screen: String,
    /// Whether the terminal's settings are what they were before.
    pub has_settings: bool,
    /// Whether its cursor is seen, and it shows what the shell wrote.
    pub is_ordinary: bool,
}

impl Tmux {
    /// Starts a program in a terminal of this many columns and rows, by a tmux at this path.
    ///
    /// # Panics
    /// When tmux cannot be started.
    pub async fn start(tmux: &Path, command: &Command, size: (u16, u16)) -> Self {
        let this = Self {
            program: tmux.to_owned(),
            folder: tempfile::tempdir().expect("a folder"),
        };
        let command = command.as_std();
        let mut words = vec![quoted(&command.get_program().to_string_lossy())];
        words.extend(command.get_args().map(|word| quoted(&word.to_string_lossy())));
        let folder = quoted(&this.folder.path().to_string_lossy());
        // The shell is there before and after the program, as a person's is.
        let script = format!(
            "cd {folder}; echo written before; stty -g > before; \
             sh -c 'echo $$ > pid; exec \"$@\"' sh {}; echo ended with $?; stty -g > after; read end",
            words.join(" ")
        );
        let (columns, rows) = (size.0.to_string(), size.1.to_string());
        let arguments = [
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
        ];
        this.tmux(&[&arguments[..], &[&script]].concat()).await;
        this
    }

    /// Types keys: characters, or names as tmux has them, e.g. `Enter`.
    pub async fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat()).await;
    }

    /// Changes the size of the terminal.
    pub async fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]).await;
    }

    /// What is on the terminal.
    pub async fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).await
    }

    /// Waits until what is on the terminal fulfils a condition, and returns it.
    pub async fn shows(&self, promise: &str, condition: impl Fn(&str) -> bool) -> String {
        eventually(promise, async || {
            let screen = self.screen().await;
            match condition(&screen) {
                true => Ok(screen),
                false => Err(screen),
            }
        })
        .await
    }

    /// The process of the program.
    pub fn pid(&self) -> i32 {
        let text = std::fs::read_to_string(self.folder.path().join("pid")).expect("it has begun");
        text.trim().parse().expect("a number")
    }

    /// Waits until the program has ended, and looks at what it left.
    pub async fn ended(&self) -> Left {
        let screen = self
            .shows("the program in tmux ended", |screen| {
                screen.contains("ended with ")
            })
            .await;
        let settings = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).ok();
        eventually("the settings are written", async || match settings("after") {
            Some(text) if !text.is_empty() => Ok(()),
            text => Err(format!("{text:?}")),
        })
        .await;
        let flags = [
            "display-message",
            "-p",
            "#{cursor_flag} #{alternate_on} #{mouse_any_flag}",
        ];
        let flags = self.tmux(&flags).await;
        Left {
            has_settings: settings("before") == settings("after"),
            is_ordinary: flags.trim() == "1 0 0" && screen.contains("written before"),
            screen,
        }
    }

    async fn tmux(&self, arguments: &[&str]) -> String {
        let socket = self.folder.path().join("socket");
        let mut command = Command::new(&self.program);
        command.arg("-u").arg("-S").arg(socket).args(arguments);
        command.env_clear().envs([
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("SHELL", "/bin/sh"),
        ]);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let output = command.stdin(Stdio::null()).output().await;
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "tmux {arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut command = std::process::Command::new(&self.program);
        command
            .arg("-S")
            .arg(self.folder.path().join("socket"))
            .arg("kill-server");
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
