//! [`Window`]: the page of a pool in a real browser, whose own clock measures.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::browser::{Browser, Size};
use crate::process::Processes;
use crate::workspace::Workspace;

/// How long a page may take to show all workers.
const SHOWN: Duration = Duration::from_secs(60);

const SIZE: Size = Size {
    width: 1280,
    height: 900,
};

/// Notes when the first row and the last cell are painted, in milliseconds from when the page was asked for.
const MARKS: &str = r"
    const marks = window.marks = {}, seen = new Set();
    const mark = (name, is) => {
        if (!is || seen.has(name)) return;
        seen.add(name);
        requestAnimationFrame(() => setTimeout(() => { marks[name] = performance.now(); }));
    };
    new MutationObserver(() => {
        mark('row', document.querySelector('#rows tr[data-id]'));
        mark('cells', (document.getElementById('strip') || {}).childElementCount >= WORKERS);
    }).observe(document, { childList: true, subtree: true });";

/// Milliseconds from frame to frame while the table is scrolled for four seconds.
const SCROLL: &str = r"
    return new Promise((done) => {
        const times = [], end = performance.now() + 4000;
        let last = null;
        const step = (now) => {
            if (last !== null) times.push(now - last);
            last = now;
            if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1) scrollTo(0, 0);
            scrollBy(0, 250);
            if (now < end) requestAnimationFrame(step);
            else { scrollTo(0, 0); done(times); }
        };
        requestAnimationFrame(step);
    });";

/// Milliseconds from a word in the filter until the rows that match are painted; the filter is empty afterwards.
const FILTER: &str = r"
    const filter = document.getElementById('filter'), matching = document.getElementById('matching');
    const all = matching.textContent;
    const type = (text) => {
        filter.value = text;
        filter.dispatchEvent(new Event('input', { bubbles: true }));
        return performance.now();
    };
    const until = (is) => new Promise((done) => {
        const look = () => (is() ? setTimeout(() => done(performance.now())) : requestAnimationFrame(look));
        requestAnimationFrame(look);
    });
    const from = type('0x1f');
    return until(() => matching.textContent !== all).then((at) => {
        type('');
        return until(() => matching.textContent === all).then(() => at - from);
    });";

/// Milliseconds from a click on a heading until the rows are painted in their new order.
const SORT: &str = r"
    return new Promise((done) => {
        const from = performance.now();
        document.querySelector('[data-sort=waiting]').click();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - from)));
    });";

/// What the browser measured, in seconds.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) row: f64,
    pub(super) row_of_all: f64,
    pub(super) cells: f64,
    pub(super) frames: Vec<f64>,
    pub(super) filter: f64,
    pub(super) sort: f64,
}

#[derive(Debug)]
pub(super) struct Window<'a> {
    browser: Browser,
    port: u16,
    processes: &'a Processes,
}

impl<'a> Window<'a> {
    pub(super) fn open(
        port: u16,
        workers: u32,
        workspace: &Workspace,
        processes: &'a Processes,
    ) -> Result<Self> {
        let browser = Browser::open(SIZE, &workspace.bench(), workspace, processes)?;
        browser.run_first(&MARKS.replace("WORKERS", &workers.to_string()))?;
        Ok(Self {
            browser,
            port,
            processes,
        })
    }

    /// Opens the page of a pool, with a hundred rows and with all, scrolls, filters and sorts.
    pub(super) fn look(&self, pool: &str) -> Result<Look> {
        let (row, cells) = self.load(pool, "")?;
        let (row_of_all, _) = self.load(pool, "&top=all")?;
        let frames = self.browser.run(SCROLL)?;
        let frames = frames.as_array().context("the browser has drawn no frames")?;
        Ok(Look {
            row,
            row_of_all,
            cells,
            frames: frames.iter().map(in_seconds).collect::<Result<_>>()?,
            filter: in_seconds(&self.browser.run(FILTER)?)?,
            sort: in_seconds(&self.browser.run(SORT)?)?,
        })
    }

    /// When the page shows its first row, and when a cell for each worker.
    fn load(&self, pool: &str, more: &str) -> Result<(f64, f64)> {
        self.browser.go("about:blank")?;
        self.browser
            .go(&format!("http://127.0.0.1:{}/?pool={pool}{more}", self.port))?;
        self.browser
            .shows("marks.row && marks.cells", SHOWN, self.processes)?;
        let marks = self.browser.run("return marks")?;
        Ok((in_seconds(&marks["row"])?, in_seconds(&marks["cells"])?))
    }
}

/// Seconds of a time that the browser gives.
fn in_seconds(value: &Value) -> Result<f64> {
    match value.as_f64() {
        Some(milliseconds) => Ok(milliseconds / 1000.0),
        None => bail!("the browser gives {value}, which is no time"),
    }
}
