//! The file as it is on disk, and the error that shows what is wrong with it.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use program::source::{Problem, render};

/// The longest file that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// Problems that are shown at most.
const MAX_SHOWN: usize = 20;

/// The text of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
    /// The same for people, without secrets.
    pub(super) shown: String,
}

/// What reading a file comes to.
pub type FileText = Result<Text, ReadError>;

impl Text {
    pub(super) fn new(path: &Path, text: String) -> Self {
        Self {
            path: path.to_owned(),
            text,
            shown: String::new(),
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    path: PathBuf,
    reason: String,
}

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    /// It cannot be read.
    Unreadable(ReadError),
    /// Its text is wrong.
    Wrong {
        /// The text.
        text: Text,
        /// What is wrong.
        problems: Vec<Problem>,
    },
}

/// Reads a file.
///
/// # Errors
/// [`ReadError`] names the file and the reason.
pub fn read_text(path: &Path) -> FileText {
    let read = || -> io::Result<String> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() > MAX_BYTES {
            let reason = format!("it is longer than {MAX_BYTES} bytes");
            return Err(io::Error::new(ErrorKind::FileTooLarge, reason));
        }
        String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
    };
    match read() {
        Ok(text) => Ok(Text::new(path, text)),
        Err(error) => Err(ReadError {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

impl FileError {
    /// What is wrong, for people.
    pub fn render(&self, has_colours: bool) -> String {
        let (text, problems) = match self {
            Self::Unreadable(error) => return format!("error: {error}\n"),
            Self::Wrong { text, problems } => (text, problems),
        };
        let shown = &problems[..problems.len().min(MAX_SHOWN)];
        let mut rendered = render(&text.path.to_string_lossy(), &text.shown, shown, has_colours);
        let more = problems.len() - shown.len();
        if more > 0 {
            rendered.push_str(&format!("error: {more} more problems\n"));
        }
        rendered
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "failed to read the configuration file {}: {}",
            self.path.display(),
            self.reason
        )
    }
}
