//! [`Browser`]: a window of a real Chromium, driven by WebDriver, which is JSON over HTTP.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use ureq::{Agent, Body, http};

use crate::process::{Processes, Running};
use crate::provision::debian;
use crate::workspace::Workspace;

/// How long the driver may take to start.
const START: Duration = Duration::from_secs(30);
/// How long a command may take: a page of many workers is one.
const ANSWER: Duration = Duration::from_secs(60);
/// The most that a reply may have, in bytes.
const LARGEST: u64 = 64 << 20;
/// What the driver writes before its port.
const PORT: &str = "started successfully on port ";

/// A window, which is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    agent: Agent,
    session: String,
    _driver: Running,
}

/// A window's size in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Browser {
    /// Opens a window; the driver's log is in `logs`.
    ///
    /// # Errors
    /// When there is no Chromium or no driver of it, and when one of them does not start.
    pub(crate) fn open(
        size: Size,
        logs: &Path,
        workspace: &Workspace,
        processes: &Processes,
    ) -> Result<Self> {
        let program = |name, package| {
            debian::program(name, package, workspace).context("a browser is needed; `.ci/setup` installs it")
        };
        let chromium = program("chromium", "chromium")?;
        // The driver takes a free port itself, so that no other program can take it in between.
        let mut command = Command::new(program("chromedriver", "chromium-driver")?);
        command.arg("--port=0");
        let mut driver =
            processes.start_logged("chromedriver", &mut command, logs.join("chromedriver.log"))?;
        let port = processes.wait(Some(START), || {
            if let Some(status) = driver.ended()? {
                bail!("chromedriver has ended: {status}: {}", driver.last_lines());
            }
            Ok(port_in(&driver.output()?))
        })?;
        let port = port.with_context(|| format!("chromedriver names no port: {}", driver.last_lines()))?;
        let agent = Agent::config_builder()
            .timeout_global(Some(ANSWER))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        let mut this = Self {
            agent: agent.into(),
            session: format!("http://127.0.0.1:{port}/session"),
            _driver: driver,
        };
        let arguments = [
            "--headless=new",
            // This may run as root, and in containers with a small /dev/shm.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            // The browser ends when its driver does.
            "--remote-debugging-pipe",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": chromium, "args": arguments },
        } } });
        let session = this.post("", &wanted)?;
        let id = session["sessionId"]
            .as_str()
            .context("chromedriver gives no session")?;
        this.session = format!("{}/{id}", this.session);
        this.resize(size)?;
        Ok(this)
    }

    pub(crate) fn resize(&self, size: Size) -> Result<()> {
        let Size { width, height } = size;
        let parameters = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &parameters)
    }

    /// Shows pages in `light` or `dark` colours, as if the system were set so.
    pub(crate) fn prefers(&self, colours: &str) -> Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": colours }]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }))
    }

    /// Runs a script in each page before anything of it is loaded.
    pub(crate) fn run_first(&self, script: &str) -> Result<()> {
        self.devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            &json!({ "source": script }),
        )
    }

    /// Goes to an address, and waits until its page is loaded.
    pub(crate) fn go(&self, url: &str) -> Result<()> {
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// What a function body returns in the page; of a promise, what it resolves to.
    pub(crate) fn run(&self, script: &str) -> Result<Value> {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Errors
    /// When it is not within `limit`: what the page shows instead.
    pub(crate) fn shows(&self, expression: &str, limit: Duration, processes: &Processes) -> Result<()> {
        let script = format!("return Boolean({expression})");
        let shown = processes.wait(Some(limit), || Ok((self.run(&script)? == true).then_some(())))?;
        if shown.is_none() {
            let text = self.run("return document.body.innerText.slice(0, 2000)")?;
            bail!(
                "the page does not come to {expression} within {limit:?}; it shows {}",
                text.as_str().unwrap_or_default()
            );
        }
        Ok(())
    }

    /// The window as a PNG.
    pub(crate) fn picture(&self) -> Result<Vec<u8>> {
        let picture = reply(
            "/screenshot",
            self.agent.get(format!("{}/screenshot", self.session)).call(),
        )?;
        let text = picture.as_str().context("chromedriver gives no picture")?;
        BASE64_STANDARD
            .decode(text)
            .context("failed to read the picture of chromedriver")
    }

    fn devtools(&self, name: &str, parameters: &Value) -> Result<()> {
        let command = json!({ "cmd": name, "params": parameters });
        self.post("/goog/cdp/execute", &command).map(drop)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.session));
        reply(path, request.send(body.to_string()))
    }
}

/// The value of a reply, which has the same form whether a command succeeded or failed.
fn reply(path: &str, response: Result<http::Response<Body>, ureq::Error>) -> Result<Value> {
    let asked = || format!("failed to run {path} of chromedriver");
    let mut response = response.with_context(asked)?;
    let is_fine = response.status().is_success();
    // A picture may be larger than what ureq reads otherwise.
    let body = response.body_mut().with_config().limit(LARGEST).read_to_string();
    let mut reply: Value = serde_json::from_str(&body.with_context(asked)?).with_context(asked)?;
    if !is_fine {
        bail!("{}: {}", asked(), reply["value"]["message"]);
    }
    Ok(reply["value"].take())
}

/// The port in the driver's log; `None` while it is half written.
fn port_in(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once(PORT)?;
    let (port, _) = rest.split_once('.')?;
    port.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_a_whole_line_only() {
        let check = |log: &str, expected: Option<u16>| assert_eq!(port_in(log), expected, "{log}");
        check(
            "ChromeDriver was started successfully on port 38427.\n",
            Some(38427),
        );
        check("ChromeDriver was started successfully on port 384", None);
        check("Starting ChromeDriver 156.0.8078.108 on port 0\n", None);
    }
}
