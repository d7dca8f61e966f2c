//! [`Release`]: the Dynamo to test with, and what it publishes.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Once;

use tests::tools::variable_text;

/// An installed release.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) python: PathBuf,
    /// Major and minor version.
    version: (u32, u32),
}

impl Release {
    /// The release that was handed over. Without one the test is left out, which is said once.
    ///
    /// # Panics
    /// When only one of its variables is set, or the version is none.
    pub(crate) fn provided() -> Option<Self> {
        static SAID: Once = Once::new();
        let Some(python) = variable_text("E2E_DYNAMO_PYTHON") else {
            SAID.call_once(|| {
                // Not by a macro, whose text the test runner would keep to itself.
                let message: &[u8] =
                    b"LEFT OUT: the tests with a real Dynamo; `cargo xtask e2e --dynamo` runs them\n";
                std::io::stderr().write_all(message).ok();
            });
            return None;
        };
        let version = variable_text("E2E_DYNAMO_VERSION").expect("E2E_DYNAMO_VERSION comes with it");
        let mut numbers = version
            .split('.')
            .map(|number| number.parse().expect("a version"));
        let version = (
            numbers.next().expect("a major version"),
            numbers.next().expect("a minor version"),
        );
        Some(Self {
            python: python.into(),
            version,
        })
    }

    /// Whether the subjects of worker events name the endpoint.
    pub(crate) fn names_endpoints(&self) -> bool {
        self.version >= (1, 4)
    }

    /// Whether the frontend publishes a record of each request.
    pub(crate) fn traces_requests(&self) -> bool {
        self.version >= (1, 4)
    }

    /// Whether the mocker's own page counts tokens, and names the worker.
    pub(crate) fn shows_own_numbers(&self) -> bool {
        self.version >= (1, 6)
    }

    /// Whether these records have workers, latencies and the tokens of the prompt.
    pub(crate) fn traces_latencies(&self) -> bool {
        self.version >= (1, 5)
    }
}
