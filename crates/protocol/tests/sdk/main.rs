//! The worker SDK on a real NATS server: what a worker promises, and what cannot harm it.
//!
//! `cargo xtask test` says where the server's program is, in `E2E_NATS_SERVER_BIN`. Without it these tests say that
//! they are skipped.

mod bench;
mod connecting;
mod discovery;
mod ending;
mod limits;
mod passes;
mod requests;

use std::path::PathBuf;

/// The server's program, or a loud word that the test is skipped.
fn server_program(test: &str) -> Option<PathBuf> {
    let program = std::env::var_os("E2E_NATS_SERVER_BIN").map(PathBuf::from);
    if program.is_none() {
        eprintln!("SKIPPED {test}: E2E_NATS_SERVER_BIN names no nats-server; run `cargo xtask test`");
    }
    program
}

/// An async test with a [`bench::Bench`] of its own.
macro_rules! on_nats {
    ($(async fn $name:ident($bench:ident: Bench) $body:block)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(program) = crate::server_program(stringify!($name)) else { return };
                let $bench = crate::bench::Bench::start(&program).await;
                tokio::time::timeout(crate::bench::PATIENCE, async $body)
                    .await
                    .expect("the test should be over by now");
            }
        )*
    };
}
pub(crate) use on_nats;
