//! [`Workers`]: the program `mock-worker`.

use rustix::process::Signal;

use crate::{NatsServer, Program, built};

/// A running `mock-worker` process.
#[derive(Debug)]
pub struct Workers {
    program: Program,
}

impl Workers {
    /// Starts it with `arguments` and waits until its workers are ready.
    pub async fn start(server: &NatsServer, arguments: &[&str]) -> Self {
        let mut command = built("mock-worker");
        command.args(["--server", server.url()]).args(arguments);
        let mut program = Program::start("mock-worker", command);
        program.says(&["ready"]).await;
        Self { program }
    }

    /// Its process.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
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
