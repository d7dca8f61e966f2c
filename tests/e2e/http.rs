//! The page where the network is not to be trusted: attacks on the real program, by clients that we did not write.

mod attacks;
mod large_pages;
mod listening;
mod secured;

use std::path::Path;

use tests::{Finished, finish};
use tokio::process::Command;

/// What `curl` gets: its exit code, the status, and the headers and the body as text.
#[derive(Debug)]
struct Curled {
    exit: Option<i32>,
    status: u16,
    text: String,
}

/// Asks for a page with `curl`.
async fn curl(url: &str, arguments: &[&str]) -> Curled {
    let mut command = Command::new("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--include",
            "--max-time",
            "20",
            "--noproxy",
            "*",
        ])
        .args(["--write-out", "\n%{http_code}"])
        .args(arguments)
        .arg(url);
    let Finished { code, stdout, stderr } = finish(command).await;
    let (text, status) = stdout.rsplit_once('\n').unwrap_or((&stdout, "0"));
    Curled {
        exit: code,
        status: status.parse().unwrap_or(0),
        text: format!("{text}\n{stderr}"),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}
