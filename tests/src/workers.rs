//! [`Workers`]: the program `mock-worker`.

use rustix::process::Signal;
use tokio::process::Command;

use crate::{Finished, NatsServer, Program, built, finish};

/// A running `mock-worker` process.
#[derive(Debug)]
pub struct Workers {
    program: Program,
    server: String,
    name: String,
}

impl Workers {
    /// Starts it with `arguments` and waits until its workers are ready.
    pub async fn start(server: &NatsServer, arguments: &[&str]) -> Self {
        let mut command = built("mock-worker");
        // By environment, so that a command may come first.
        command.args(arguments).env("NATS_URL", server.url());
        Self::launch(server.url(), command).await
    }

    /// Starts it by a command of the test's own, and waits until its workers are ready; `server` is for `ctl`.
    pub async fn launch(server: &str, mut command: Command) -> Self {
        // Tests have several processes on one server; each is reached by the name that it has got.
        command.env("MOCK_WORKER_SHARE_NAME", "true");
        let mut program = Program::start("mock-worker", command);
        let ready = program.says(&[" ready", "name="]).await;
        let name = ready
            .split("name=")
            .nth(1)
            .and_then(|rest| rest.split('"').nth(1));
        Self {
            program,
            server: server.to_owned(),
            name: name.expect("a name in quotes").to_owned(),
        }
    }

    /// Its process.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// The name by which `ctl` reaches it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the engines' own page is, with `--metrics-port`.
    ///
    /// # Panics
    /// When its address is not in the log.
    pub async fn engines_page(&mut self) -> String {
        let line = self.program.says(&["engines' own metrics", "url="]).await;
        let url = line.split("url=").nth(1).expect("a url follows");
        url.trim_matches('"').to_owned()
    }

    /// Reaches into it by `mock-worker ctl`.
    pub async fn try_ctl(&self, arguments: &[&str]) -> Finished {
        let mut command = built("mock-worker");
        command
            .arg("ctl")
            .args(arguments)
            .env("MOCK_WORKER_NAME", &self.name)
            .env("NATS_URL", &self.server);
        finish(command).await
    }

    /// Reaches into it by `mock-worker ctl`, and returns the status after that.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn ctl(&self, arguments: &[&str]) -> serde_json::Value {
        let done = self.try_ctl(&[arguments, &["--json"]].concat()).await;
        assert_eq!(done.code, Some(0), "ctl {arguments:?}: {}", done.stderr);
        serde_json::from_str(&done.stdout).expect("the answer is JSON")
    }

    /// Ends it as `kill -9` does, without a farewell.
    pub async fn kill(mut self) {
        self.program.signal(Signal::KILL);
        self.program.ended().await;
    }

    /// Asks it to stop, and returns its exit code.
    pub async fn stop(mut self) -> Option<i32> {
        self.program.signal(Signal::TERM);
        self.program.ended().await.code()
    }
}
