//! `cargo xtask docs --screenshots`: pictures of the pages, of scenarios whose seed is fixed.
//!
//! No two runs give the same pixels, because times are on the pages. So pictures are taken when asked for, and what is
//! checked of them is that they are there, small, and shown by the documents.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::super::build_programs;
use super::super::parts::{Parts, Programs};
use super::SEED;
use crate::browser::{Browser, Size};
use crate::process::Processes;
use crate::provision::nats_server;
use crate::workspace::Workspace;

const FOLDER: &str = "docs/images";
/// The document that shows all of them.
const SHOWN_IN: &str = "docs/web.md";
/// The most that one may have, so that the repository stays small.
const LARGEST: usize = 120_000;
/// What a PNG begins with.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A page: what its pictures are called, its address, and what it has to show.
struct Scene {
    name: &'static str,
    path: &'static str,
    shows: &'static str,
}

static SCENES: [Scene; 3] = [
    Scene {
        name: "pools",
        path: "/",
        shows: "document.querySelector('#part-problems').innerText.includes('saturated')",
    },
    Scene {
        name: "pool",
        path: "/?pool=dynamo/backend/generate",
        shows: "document.querySelector('#rows tr').classList.contains('lv-bad') \
                && document.querySelector('#strip .lv-bad') != null",
    },
    Scene {
        name: "why",
        path: "/why",
        shows: "document.body.innerText.includes('dynamo/decoder/generate')",
    },
];

/// Windows, by what is added to the name of a picture. A picture ends where its page does.
static WINDOWS: [(&str, Size); 2] = [
    (
        "",
        Size {
            width: 1280,
            height: 900,
        },
    ),
    (
        "-phone",
        Size {
            width: 390,
            height: 844,
        },
    ),
];
static COLOURS: [&str; 2] = ["light", "dark"];

/// What runs: the scenario of mock-worker, the component of its pool, and more flags. One worker of the first is much
/// busier than the others, and the last is called nearly as a pool that is watched.
const FLEETS: [(&str, &str, &[&str]); 3] = [
    ("imbalance", "backend", &[]),
    ("steady", "prefill", &["--workers", "6"]),
    ("steady", "decoder", &["--workers", "2"]),
];
const TARGETS: [&str; 3] = [
    "dynamo/backend/generate",
    "dynamo/prefill/generate",
    "dynamo/decode/generate",
];

/// Where a page ends, in pixels.
const BOTTOM: &str = "return Math.ceil(document.querySelector('footer').getBoundingClientRect().bottom)";

/// How long everything runs before: no worker is new any more, and charts have lines.
const BEFORE: Duration = Duration::from_secs(120);
/// How long a page may take to show what it has to.
const SHOWN: Duration = Duration::from_secs(30);

/// Takes all pictures and writes them.
pub(super) fn take(workspace: &Workspace, processes: &Processes) -> Result<()> {
    let server = nats_server::server(workspace, processes)?;
    build_programs(&[], workspace, processes)?;
    let mut parts = Parts::new(workspace.target().join("screenshots"), Programs::Built)?;
    let taken = start(&server, workspace, processes, &mut parts)
        .and_then(|url| photograph(&url, workspace, processes, &mut parts));
    eprintln!("xtask: stopping ...");
    taken.and(parts.stop())
}

/// Starts what the pages show, and gives their address.
fn start(
    server: &nats_server::Server,
    workspace: &Workspace,
    processes: &Processes,
    parts: &mut Parts,
) -> Result<String> {
    let url = parts.start_nats(server, processes)?;
    for (scenario, component, more) in FLEETS {
        let line = [
            "run",
            scenario,
            "--seed",
            SEED,
            "--component",
            component,
            "--name",
            component,
        ];
        let line = [&line[..], &["--endpoint", "generate"], more].concat();
        parts.start("mock-worker", &url, &line, workspace, processes)?;
    }
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .context("failed to find a free port")?
        .port()
        .to_string();
    let mut line = vec!["--host", "127.0.0.1", "--metrics-port", &port];
    line.extend(TARGETS.iter().flat_map(|target| ["--target", target]));
    parts.start("metrics", &url, &line, workspace, processes)?;
    Ok(format!("http://127.0.0.1:{port}"))
}

fn photograph(url: &str, workspace: &Workspace, processes: &Processes, parts: &mut Parts) -> Result<()> {
    eprintln!("xtask: the fleets run for {} s before ...", BEFORE.as_secs());
    processes.wait(Some(BEFORE), || parts.check().map(|()| None::<()>))?;
    let logs = workspace.target().join("screenshots");
    let browser = Browser::open(WINDOWS[0].1, &logs, workspace, processes)?;
    let folder = workspace.root().join(FOLDER);
    for (suffix, size) in WINDOWS {
        for colours in COLOURS {
            browser.prefers(colours)?;
            for scene in &SCENES {
                browser.resize(size)?;
                browser.go(&format!("{url}{}", scene.path))?;
                let is_live = "document.documentElement.dataset.live === 'true'";
                browser.shows(&format!("{is_live} && {}", scene.shows), SHOWN, processes)?;
                let bottom = browser.run(BOTTOM)?.as_f64().context("the page has no end")?;
                let height = size.height.min(bottom as u32);
                browser.resize(Size { height, ..size })?;
                let path = folder.join(name(scene, suffix, colours));
                fs::write(&path, browser.picture()?)
                    .with_context(|| format!("failed to write {}", path.display()))?;
                eprintln!("xtask: wrote {}", path.display());
            }
        }
    }
    check(workspace.root())
}

fn name(scene: &Scene, suffix: &str, colours: &str) -> String {
    format!("page-{}{suffix}-{colours}.png", scene.name)
}

fn names() -> impl Iterator<Item = String> {
    SCENES.iter().flat_map(|scene| {
        WINDOWS
            .iter()
            .flat_map(move |(suffix, _)| COLOURS.iter().map(move |colours| name(scene, suffix, colours)))
    })
}

/// Checks that all pictures are there, small, and shown.
///
/// # Errors
/// What is wrong with which of them, and the remedy.
pub(super) fn check(root: &Path) -> Result<()> {
    let document = root.join(SHOWN_IN);
    let text =
        fs::read_to_string(&document).with_context(|| format!("failed to read {}", document.display()))?;
    let wrong: Vec<String> = names()
        .filter_map(|name| {
            let fault = fault(
                fs::read(root.join(FOLDER).join(&name)).ok().as_deref(),
                &name,
                &text,
            )?;
            Some(format!("{FOLDER}/{name}: {fault}"))
        })
        .collect();
    if !wrong.is_empty() {
        bail!(
            "failed to find the pictures of the pages in order:\n{}",
            wrong.join("\n")
        );
    }
    Ok(())
}

/// What is wrong with a picture.
fn fault(picture: Option<&[u8]>, name: &str, document: &str) -> Option<String> {
    const REMEDY: &str = "`cargo xtask docs --screenshots` takes it";
    match picture {
        None => Some(format!("it is not there; {REMEDY}")),
        Some(bytes) if !bytes.starts_with(SIGNATURE) => Some(format!("it is no PNG; {REMEDY}")),
        Some(bytes) if bytes.len() > LARGEST => Some(format!(
            "it has {} bytes, and may have {LARGEST}: make its window smaller",
            bytes.len()
        )),
        Some(_) if !document.contains(&format!("(images/{name})")) => {
            Some(format!("{SHOWN_IN} does not show it: name it there"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_picture_of_each_page_in_each_window_and_colours() {
        let names: Vec<String> = names().collect();
        assert_eq!(names.len(), 12);
        assert_eq!(names[..2], ["page-pools-light.png", "page-pools-dark.png"]);
        assert_eq!(names[11], "page-why-phone-dark.png");
    }

    #[test]
    fn a_picture_is_there_is_small_and_is_shown() {
        let check = |picture: Option<&[u8]>, document: &str, expected: Option<&str>| {
            let fault = fault(picture, "a.png", document);
            match (&fault, expected) {
                (Some(fault), Some(expected)) => assert!(fault.contains(expected), "{fault}"),
                _ => assert_eq!(fault.as_deref(), expected),
            }
        };
        let shown = "![a](images/a.png)";
        let large = [SIGNATURE, &[0; LARGEST]].concat();
        check(Some(SIGNATURE), shown, None);
        check(None, shown, Some("--screenshots"));
        check(Some(b"<svg>"), shown, Some("no PNG"));
        check(Some(&large), shown, Some("make its window smaller"));
        check(
            Some(SIGNATURE),
            "![b](images/b.png)",
            Some("docs/web.md does not show it"),
        );
    }
}
