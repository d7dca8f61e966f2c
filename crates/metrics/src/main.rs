//! The collector's command line: flags to configuration, configuration to a run, a run to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads and a poll");
    let code = runtime.block_on(metrics::cli::main());
    // A name that is still looked up would keep a program from its end that has nothing more to do.
    runtime.shutdown_background();
    code
}
