//! [`Browser`]: a window of a real Chromium, driven by WebDriver.
//!
//! WebDriver is JSON over HTTP, of which the tests need five commands, and two that are Chromium's own: the console, and what
//! is emulated. So it is spoken here, and no client library is built for it.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{Program, eventually, free_port, tools};

/// A window, which is closed when this is dropped.
#[derive(Debug)]
pub struct Browser {
    _driver: Program,
    http: reqwest::Client,
    session: String,
}

impl Browser {
    /// Opens a window of this size in CSS pixels; `None` where there is no browser, which is said on stderr.
    ///
    /// # Panics
    /// When there is one that does not start.
    pub async fn open(test: &str, width: u32, height: u32) -> Option<Self> {
        let browser = tools::program("E2E_CHROMIUM", test)?;
        let driver = tools::program("E2E_CHROMEDRIVER", test)?;
        let port = free_port();
        let mut command = Command::new(driver);
        command.arg(format!("--port={port}"));
        let driver = Program::start_leashed("chromedriver", command);
        let http = crate::http_client().build().expect("a client can be made");
        let url = format!("http://127.0.0.1:{port}");
        eventually("the driver answers", async || {
            let reply = http.get(format!("{url}/status")).send().await;
            reply.map(drop).map_err(|error| error.to_string())
        })
        .await;
        let arguments = [
            "--headless=new",
            // The tests may run as root, and in containers with a small /dev/shm.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            // The browser ends when its driver does.
            "--remote-debugging-pipe",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": browser, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let reply = http.post(format!("{url}/session")).body(wanted.to_string());
        let reply = reply.send().await.expect("the driver answers");
        let reply: Value = serde_json::from_str(&reply.text().await.expect("an answer")).expect("JSON");
        let id = reply["value"]["sessionId"].as_str();
        let id = id.unwrap_or_else(|| panic!("the browser does not start: {reply}; {}", driver.log_tail()));
        let this = Self {
            session: format!("{url}/session/{id}"),
            _driver: driver,
            http,
        };
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        this.emulate("setDeviceMetricsOverride", size).await;
        Some(this)
    }

    /// Shows the page in dark or light colours, as if the system were set so.
    pub async fn prefers(&self, colours: &str) {
        let feature = json!([{ "name": "prefers-color-scheme", "value": colours }]);
        self.emulate("setEmulatedMedia", json!({ "features": feature }))
            .await;
    }

    async fn emulate(&self, what: &str, parameters: Value) {
        let command = json!({ "cmd": format!("Emulation.{what}"), "params": parameters });
        self.command(Method::POST, "/goog/cdp/execute", Some(command))
            .await;
    }

    /// Goes to an address, and waits until its page is loaded.
    pub async fn go(&self, url: &str) {
        self.command(Method::POST, "/url", Some(json!({ "url": url })))
            .await;
    }

    /// Goes back.
    pub async fn back(&self) {
        self.command(Method::POST, "/back", Some(json!({}))).await;
    }

    /// What a function body returns in the page.
    pub async fn run(&self, script: &str) -> Value {
        let call = json!({ "script": script, "args": [] });
        self.command(Method::POST, "/execute/sync", Some(call)).await
    }

    /// Waits until an expression is true in the page.
    pub async fn shows(&self, promise: &str, expression: &str) {
        eventually(promise, async || {
            let script = format!("return [{expression}, document.body.innerText.slice(0, 3000)]");
            let seen = self.run(&script).await;
            match seen[0].as_bool() {
                Some(true) => Ok(()),
                _ => Err(format!("{}: {}", seen[0], seen[1].as_str().unwrap_or_default())),
            }
        })
        .await;
    }

    /// Clicks on the first element of a selector, as a person does. A live page may replace the element between the moment
    /// it is found and the click; then the new one is clicked on.
    pub async fn click(&self, selector: &str) {
        let using = json!({ "using": "css selector", "value": selector });
        eventually(&format!("{selector} was clicked on"), async || {
            let found = self.command(Method::POST, "/element", Some(using.clone())).await;
            let id = found
                .as_object()
                .and_then(|found| found.values().next()?.as_str());
            let id = id.unwrap_or_else(|| panic!("there is no {selector}: {found}"));
            let path = format!("/element/{id}/click");
            match self.reply(Method::POST, &path, Some(json!({}))).await {
                Err(error) if error.contains("stale element reference") => Err(error),
                Err(error) => panic!("{path}: {error}"),
                Ok(_) => Ok(()),
            }
        })
        .await;
    }

    /// Types into whatever has the focus.
    pub async fn types(&self, text: &str) {
        let keys = text.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": keys.collect::<Vec<_>>() });
        let actions = json!({ "actions": [keyboard] });
        self.command(Method::POST, "/actions", Some(actions)).await;
    }

    /// What the console has had since this was last asked, with violations of the page's policy.
    pub async fn console(&self) -> Vec<String> {
        let log = self
            .command(Method::POST, "/se/log", Some(json!({ "type": "browser" })))
            .await;
        let entries = log.as_array().cloned().unwrap_or_default();
        let texts = entries.iter().filter_map(|entry| entry["message"].as_str());
        texts.map(str::to_owned).collect()
    }

    /// Hosts that the page has loaded anything from.
    pub async fn hosts(&self) -> Vec<String> {
        let script = "return [...new Set(performance.getEntries().filter(e => e.name.includes('://')) \
                      .map(e => new URL(e.name).host))]";
        let hosts = self.run(script).await;
        let hosts = hosts.as_array().cloned().unwrap_or_default();
        hosts
            .iter()
            .filter_map(|host| host.as_str().map(str::to_owned))
            .collect()
    }

    async fn command(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let reply = self.reply(method, path, body).await;
        reply.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// What the driver answers, or the error that it answers with.
    async fn reply(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, String> {
        let mut request = self.http.request(method, format!("{}{path}", self.session));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let reply = request.send().await.expect("the driver answers");
        let is_fine = reply.status().is_success();
        let text = reply.text().await.expect("an answer");
        let mut reply: Value = serde_json::from_str(&text).expect("JSON");
        match is_fine {
            true => Ok(reply["value"].take()),
            false => Err(format!("{reply:#}")),
        }
    }
}
