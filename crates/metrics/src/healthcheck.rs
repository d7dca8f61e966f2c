//! `metrics healthcheck`: whether the collector that runs on this machine is alive.

use std::time::Duration;

use program::Exit;
use program::output::print_text;
use protocol::text::Shown;
use web::{Address, ask};

use crate::args::HealthcheckArgs;
use crate::cli::security;
use crate::config::addresses;
use crate::config_file::{LoadError, Loaded};

/// How long the collector may take to answer. It answers at once, unless the machine is very busy.
const LIMIT: Duration = Duration::from_secs(5);

/// Characters of an answer that are shown.
const LONGEST: usize = 2000;

/// What is asked, and where.
#[derive(Debug)]
pub(crate) struct Question {
    address: Address,
    path: &'static str,
    tls: bool,
}

/// # Errors
/// Where the web configuration file, which says whether there is TLS, cannot be used.
pub(crate) fn prepare(args: &HealthcheckArgs, loaded: &Loaded) -> Result<Question, LoadError> {
    let collect = &loaded.cli.collect;
    let security = security(collect.page.web.web_config_file.as_ref(), loaded)?;
    let first = addresses(collect).into_iter().next();
    Ok(Question {
        address: first.expect("there is an address without any flag"),
        path: if args.ready { "/readyz" } else { "/healthz" },
        tls: security.scheme() == "https",
    })
}

impl Question {
    /// Prints what the collector answers, in one line.
    ///
    /// # Errors
    /// Where it does not answer.
    pub(crate) async fn ask(&self) -> anyhow::Result<Exit> {
        let answer = ask(&self.address, self.path, self.tls, LIMIT).await?;
        let text = answer.text.trim();
        if answer.status == 200 {
            print_text(&format!("{}\n", Shown(text).up_to(LONGEST)))?;
            return Ok(Exit::Done);
        }
        let Self { address, path, .. } = self;
        let text = Shown(text).up_to(LONGEST);
        anyhow::bail!("{address} answers {path} with {}: {text}", answer.status)
    }
}
