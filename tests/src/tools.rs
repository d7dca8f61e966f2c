//! What a test may need from outside, handed over by environment variables.
//!
//! | variable | what it names |
//! |---|---|
//! | `E2E_NATS_IMAGE` | an image, as `name:tag`, whose entrypoint is nats-server |
//! | `E2E_NATS_SERVER_BIN` | a nats-server program, used where there is no image |
//! | `E2E_NATS_SERVER_OLDEST` | a nats-server of the oldest version that is supported |
//! | `E2E_PYTHON` | a Python that has `nats-py` |
//! | `E2E_PROMTOOL`, `E2E_PROMETHEUS` | Prometheus' programs |
//! | `E2E_PUSHGATEWAY` | a Prometheus Pushgateway |
//! | `E2E_ROTEL` | a collector of OpenTelemetry |
//! | `E2E_ETCD` | an etcd server |
//! | `E2E_CHROMIUM`, `E2E_CHROMEDRIVER` | Chromium and its WebDriver |
//! | `E2E_KUBECTL` | Kubernetes' client, for its kustomize |
//! | `E2E_KUBERNETES_SCHEMAS` | a folder with a folder of JSON schemas for each release of Kubernetes |
//! | `E2E_IMAGE`, `E2E_ARTIFACTS` | the image that `cargo xtask dist` builds, and the folder of its files |
//! | `E2E_TMUX` | a tmux |
//! | `E2E_DYNAMO_PYTHON` | a Python with a real Dynamo, whose version `E2E_DYNAMO_VERSION` is |

use std::io::Write;
use std::path::PathBuf;

/// The program that `variable` names.
///
/// Without it the test that asks is left out, which is said on stderr; `cargo xtask e2e --require-tools` makes
/// that an error before any test runs.
pub fn program(variable: &str, test: &str) -> Option<PathBuf> {
    let path = variable_text(variable).map(PathBuf::from);
    if path.is_none() {
        // Not by a macro, whose text the test runner would keep to itself when the test passes.
        let message =
            format!("LEFT OUT: `{test}` needs {variable}, which `cargo xtask e2e` sets after `.ci/setup`\n");
        std::io::stderr().write_all(message.as_bytes()).ok();
    }
    path
}

/// The text of an environment variable, unless it is absent or empty.
pub fn variable_text(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|text| !text.is_empty())
}
