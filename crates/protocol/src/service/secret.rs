//! [`Secret`]: a password, token or key that no output shows, given as it is or by a file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file with a secret is never longer; a device or a wrong file is not read without end.
const MAX_BYTES: u64 = 1 << 20;

/// A password, token or key. `Debug` shows where it comes from, and never what it is.
///
/// A secret from a file is read again at each attempt to connect, so a rotated secret needs no restart.
///
/// ```
/// use protocol::service::Secret;
/// assert_eq!(format!("{:?}", Secret::text("hunter2")), "***");
/// assert_eq!(format!("{:?}", Secret::file("/run/secrets/nats")), "*** of /run/secrets/nats");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    Text(String),
    File(PathBuf),
}

impl Secret {
    /// A secret that is known.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Source::Text(text.into()))
    }

    /// A secret that a file holds. Line breaks at its end do not belong to the secret.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// The file that holds the secret, if it comes from one.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Source::Text(_) => None,
            Source::File(path) => Some(path),
        }
    }

    /// The secret as it is now.
    pub(super) fn read(&self) -> io::Result<String> {
        match &self.0 {
            Source::Text(text) => Ok(text.clone()),
            Source::File(path) => {
                let text = read_file(path)?;
                let length = text.trim_end_matches(['\r', '\n']).len();
                Ok(text[..length].to_owned())
            }
        }
    }
}

/// Reads a small text file. The error names neither the file nor anything that it holds.
pub(super) fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    match read as u64 > MAX_BYTES {
        true => Err(io::Error::other("it is longer than 1 MiB")),
        false => Ok(text),
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Text(_) => f.write_str("***"),
            Source::File(path) => write!(f, "*** of {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_at_the_end_of_a_file_do_not_belong_to_its_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        let check = |content: &str, expected: &str| {
            std::fs::write(&path, content).expect("a file");
            assert_eq!(Secret::file(&path).read().expect(content), expected);
        };
        check("s3cret", "s3cret");
        check("s3cret\n", "s3cret");
        check("s3cret\r\n\n", "s3cret");
        check(" s3cret \n", " s3cret ");
    }

    #[test]
    fn a_file_is_read_anew_each_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let secret = Secret::file(&path);
        assert!(secret.read().is_err());
        for content in ["one", "two"] {
            std::fs::write(&path, content).expect("a file");
            assert_eq!(secret.read().expect("a secret"), content);
        }
        assert!(Secret::file("/dev/zero").read().is_err());
    }
}
