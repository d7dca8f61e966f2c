//! [`Access`]: how a program gets into NATS, given to it by flags or by environment variables.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::process::Command;

/// The variables of flags, as the `nats` CLI has them where it has the flag; one that is absent here has none.
const VARIABLES: [(&str, &str); 14] = [
    ("--server", "NATS_URL"),
    ("--user", "NATS_USER"),
    ("--password", "NATS_PASSWORD"),
    ("--token", "NATS_TOKEN"),
    ("--creds", "NATS_CREDS"),
    ("--nkey", "NATS_NKEY"),
    ("--jwt", "NATS_JWT"),
    ("--seed", "NATS_SEED"),
    ("--tlscert", "NATS_CERT"),
    ("--tlskey", "NATS_KEY"),
    ("--tlsca", "NATS_CA"),
    ("--timeout", "NATS_TIMEOUT"),
    ("--context", "NATS_CONTEXT"),
    ("--service-prefix", "NATS_SRV_PREFIX"),
];

/// An address and what a program says to be let in.
#[derive(Debug, Clone, Default)]
pub struct Access {
    flags: Vec<(&'static str, Option<String>)>,
}

impl Access {
    /// At this address, and with nothing else.
    pub fn at(url: &str) -> Self {
        Self::default().with("--server", url)
    }

    /// The same with a flag and its value.
    #[must_use]
    pub fn with(mut self, flag: &'static str, value: impl AsRef<str>) -> Self {
        self.flags.push((flag, Some(value.as_ref().to_owned())));
        self
    }

    /// The same with a flag that takes no value.
    #[must_use]
    pub fn switch(mut self, flag: &'static str) -> Self {
        self.flags.push((flag, None));
        self
    }

    /// The same with another name for a flag.
    #[must_use]
    pub fn renamed(mut self, flag: &str, name: &'static str) -> Self {
        for (known, _) in self.flags.iter_mut().filter(|(known, _)| *known == flag) {
            *known = name;
        }
        self
    }

    /// Gives a program all of it by flags.
    pub fn by_flags(&self, command: &mut Command) {
        for (flag, value) in &self.flags {
            command.arg(flag).args(value);
        }
    }

    /// Gives a program by environment variables what has one, and the rest by flags.
    pub fn by_environment(&self, command: &mut Command) {
        for (flag, value) in &self.flags {
            let variable = VARIABLES.iter().find(|(known, _)| known == flag);
            match (variable, value) {
                (Some((_, variable)), Some(value)) => command.env(variable, value),
                _ => command.arg(flag).args(value),
            };
        }
    }
}

/// A folder of small files that a test gives to programs.
#[derive(Debug)]
pub struct Files(TempDir);

impl Files {
    /// An empty folder, which is gone when this is dropped.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Writes a file, or replaces it in one step, and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        let next = self.path(&format!("{name}.next"));
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("makes a folder");
        std::fs::write(&next, content).expect("writes a file");
        std::fs::rename(&next, &path).expect("renames a file");
        path.to_str().expect("a path of UTF-8").to_owned()
    }

    /// The path of a file, or of the folder itself if the name is empty.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Default for Files {
    fn default() -> Self {
        Self::new()
    }
}
