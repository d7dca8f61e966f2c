//! What the tests and the demo need from outside, and where it comes from.
//!
//! The hand-over to the tests is a set of environment variables; a test whose variable is absent is left out, and
//! says so. Here it is said beforehand, with the reason and the remedy.

pub(crate) mod checksum;
pub(crate) mod debian;
pub(crate) mod docker;
pub(crate) mod dynamo;
mod kubernetes;
pub(crate) mod nats_server;
pub(crate) mod python;
mod rotel;
mod run_image;
mod venv;
pub(crate) mod wheel;

use std::ffi::{OsStr, OsString};
use std::process::Command;

use anyhow::{Error, Result, bail};

use self::dynamo::{Choice, Release};
use self::run_image::RunImage;
use crate::commands::dist;
use crate::process::{Interrupted, Processes};
use crate::workspace::Workspace;

/// What must not be absent.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Requirements {
    /// Fail, rather than leave tests out, when promtool, prometheus, its Pushgateway, etcd, tmux, Debian's nats-server,
    /// kubectl, the schemas of Kubernetes, Python's nats-py or Rotel is absent
    #[arg(long = "require-tools")]
    pub(crate) tools: bool,
    /// Fail, rather than use a local NATS server, when Docker or its NATS image is absent
    #[arg(long = "require-docker")]
    pub(crate) docker: bool,
    /// Run the tests with a real Dynamo too, with every pinned release, and fail when one cannot be installed from PyPI
    #[arg(long = "require-dynamo")]
    pub(crate) dynamo: bool,
    /// Run the tests of packages and image too, and fail when `cargo xtask dist` cannot make them
    #[arg(long = "require-dist")]
    pub(crate) dist: bool,
}

/// The environment of the tests.
#[derive(Debug, Default)]
pub(crate) struct TestEnvironment {
    variables: Vec<(&'static str, Option<OsString>)>,
    missed: Vec<&'static str>,
    /// What is otherwise than with everything there.
    effects: Vec<String>,
    /// Held for as long as the tests run.
    images: Vec<RunImage>,
    /// The newest first; none if the tests with a real Dynamo are left out.
    pub(crate) dynamos: Vec<Dynamo>,
}

/// A release of Dynamo that is installed.
#[derive(Debug)]
pub(crate) struct Dynamo {
    pub(crate) release: &'static Release,
    python: OsString,
}

impl Dynamo {
    /// The variables that hand a release over.
    const VARIABLES: [&'static str; 2] = ["E2E_DYNAMO_PYTHON", "E2E_DYNAMO_VERSION"];

    /// Makes `command` test with this release.
    pub(crate) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let values = [&self.python, OsStr::new(self.release.version)];
        command.envs(Self::VARIABLES.into_iter().zip(values))
    }
}

impl TestEnvironment {
    /// Provides everything the tests can use and reports what came from where.
    ///
    /// # Errors
    /// When something is absent that `required` names, or no NATS server of any kind is to be had.
    pub(crate) fn provide(
        required: Requirements,
        workspace: &Workspace,
        processes: &Processes,
    ) -> Result<Self> {
        let mut this = Self::provide_nats(required, workspace, processes)?;
        let python = python::interpreter(workspace, processes).map(Into::into);
        this.add(
            "E2E_PYTHON",
            python,
            required.tools,
            "the tests of a service in Python are left out",
        )?;
        let promtool = debian::program("promtool", "prometheus", workspace).map(Into::into);
        this.add(
            "E2E_PROMTOOL",
            promtool,
            required.tools,
            "the check of the page by promtool is left out",
        )?;
        let prometheus = debian::program("prometheus", "prometheus", workspace).map(Into::into);
        this.add(
            "E2E_PROMETHEUS",
            prometheus,
            required.tools,
            "the scrape by a real Prometheus, and the remote write into one, are left out",
        )?;
        let pushgateway = "prometheus-pushgateway";
        let pushgateway = debian::program(pushgateway, pushgateway, workspace).map(Into::into);
        this.add(
            "E2E_PUSHGATEWAY",
            pushgateway,
            required.tools,
            "the push to a real Pushgateway is left out",
        )?;
        let rotel = rotel::program(workspace, processes).map(Into::into);
        this.add(
            "E2E_ROTEL",
            rotel,
            required.tools,
            "the export to a real collector of OpenTelemetry is left out",
        )?;
        this.provide_etcd(required, workspace)?;
        this.provide_browser(required, workspace)?;
        let tmux = debian::program("tmux", "tmux", workspace).map(Into::into);
        this.add(
            "E2E_TMUX",
            tmux,
            required.tools,
            "the tests of `metrics top` in a terminal are left out",
        )?;
        let oldest = nats_server::oldest(workspace, processes).map(Into::into);
        this.add(
            "E2E_NATS_SERVER_OLDEST",
            oldest,
            required.tools,
            "the test of the oldest NATS server is left out",
        )?;
        this.provide_kubernetes(required, workspace, processes)?;
        if required.dist {
            this.provide_release(workspace, processes)?;
        } else {
            this.variables
                .extend([("E2E_IMAGE", None), ("E2E_ARTIFACTS", None)]);
            let effect =
                "the tests of packages and image are left out; `cargo xtask e2e --require-dist` runs them";
            this.effects.push(effect.into());
        }
        if required.dynamo {
            this.provide_dynamo(Choice::All, workspace, processes)?;
        } else {
            let effect = "the tests with a real Dynamo are left out; `cargo xtask e2e --dynamo` runs them";
            this.effects.push(effect.into());
        }
        this.checked()
    }

    /// Provides what the tests with a real Dynamo use: a NATS server, etcd, and the releases of `choice`.
    ///
    /// # Errors
    /// When one of them cannot be had.
    pub(crate) fn provide_for_dynamo(
        choice: Choice,
        required: Requirements,
        workspace: &Workspace,
        processes: &Processes,
    ) -> Result<Self> {
        let mut this = Self::provide_nats(required, workspace, processes)?;
        this.provide_etcd(required, workspace)?;
        this.provide_browser(required, workspace)?;
        this.provide_dynamo(choice, workspace, processes)?;
        this.checked()
    }

    fn provide_nats(required: Requirements, workspace: &Workspace, processes: &Processes) -> Result<Self> {
        let mut this = Self::default();
        let image = docker::image(workspace, processes).and_then(|name| RunImage::tag(&name, processes));
        let image = image.map(|image| this.hold(image));
        this.add(
            "E2E_NATS_IMAGE",
            image,
            required.docker,
            "the tests run on local NATS servers, not in containers",
        )?;
        let binary = nats_server::binary(workspace, processes).map(Into::into);
        this.add(
            "E2E_NATS_SERVER_BIN",
            binary,
            false,
            "the tests run in containers alone",
        )?;
        if this.variables.iter().all(|(_, value)| value.is_none()) {
            bail!("failed to provide a NATS server for the tests, by Docker or otherwise");
        }
        Ok(this)
    }

    /// Keeps an image until the tests have run, and gives its name.
    fn hold(&mut self, image: RunImage) -> OsString {
        let name = image.name().into();
        self.images.push(image);
        name
    }

    fn provide_etcd(&mut self, required: Requirements, workspace: &Workspace) -> Result<()> {
        let etcd = debian::program("etcd", "etcd-server", workspace).map(Into::into);
        self.add(
            "E2E_ETCD",
            etcd,
            required.tools,
            "the tests of capacities that are read from etcd are left out",
        )
    }

    fn provide_browser(&mut self, required: Requirements, workspace: &Workspace) -> Result<()> {
        let reason = "the tests of the page in a browser are left out";
        let browser = debian::program("chromium", "chromium", workspace).map(Into::into);
        self.add("E2E_CHROMIUM", browser, required.tools, reason)?;
        let driver = debian::program("chromedriver", "chromium-driver", workspace).map(Into::into);
        self.add("E2E_CHROMEDRIVER", driver, required.tools, reason)
    }

    /// What `cargo xtask dist` makes.
    fn provide_release(&mut self, workspace: &Workspace, processes: &Processes) -> Result<()> {
        let (folder, image) = dist::all(workspace, processes)?;
        self.add("E2E_ARTIFACTS", Ok(folder.into()), true, "")?;
        let image = RunImage::tag(&image, processes)?;
        let image = self.hold(image);
        self.add("E2E_IMAGE", Ok(image), true, "")
    }

    fn provide_kubernetes(
        &mut self,
        required: Requirements,
        workspace: &Workspace,
        processes: &Processes,
    ) -> Result<()> {
        let effect = "the check of the Kubernetes manifests is left out";
        let kubectl = debian::program("kubectl", "kubernetes-client", workspace).map(Into::into);
        self.add("E2E_KUBECTL", kubectl, required.tools, effect)?;
        let schemas = kubernetes::schemas(workspace, processes).map(Into::into);
        self.add("E2E_KUBERNETES_SCHEMAS", schemas, required.tools, effect)
    }

    fn provide_dynamo(&mut self, choice: Choice, workspace: &Workspace, processes: &Processes) -> Result<()> {
        for release in choice.releases() {
            let python = release.interpreter(workspace, processes)?.into();
            eprintln!("xtask: {release} is installed");
            self.dynamos.push(Dynamo { release, python });
        }
        Ok(())
    }

    fn checked(self) -> Result<Self> {
        if !self.missed.is_empty() {
            bail!(
                "failed to provide what is required: {}; `.ci/setup` installs it",
                self.missed.join(", ")
            );
        }
        Ok(self)
    }

    /// Says again, after the tests, what was otherwise: what was said before them is out of sight by then.
    pub(crate) fn remind(&self) {
        for effect in &self.effects {
            eprintln!("xtask: {effect}");
        }
    }

    /// Hands the variables over, with those of the newest release of Dynamo; those of absent things are taken away, lest
    /// an old value be believed.
    pub(crate) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        match self.dynamos.first() {
            Some(dynamo) => dynamo.apply(&mut *command),
            None => Dynamo::VARIABLES.iter().fold(&mut *command, Command::env_remove),
        };
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    fn add(
        &mut self,
        variable: &'static str,
        provided: Result<OsString>,
        required: bool,
        effect: &str,
    ) -> Result<()> {
        match provided {
            Ok(value) => {
                eprintln!("xtask: {variable}={}", value.to_string_lossy());
                self.variables.push((variable, Some(value)));
            }
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => {
                eprintln!("{}", absence(variable, &error, required, effect));
                self.variables.push((variable, None));
                self.effects.push(format!("without {variable}: {effect}"));
                if required {
                    self.missed.push(variable);
                }
            }
        }
        Ok(())
    }
}

fn absence(variable: &str, error: &Error, required: bool, effect: &str) -> String {
    let effect = if required { "it is required" } else { effect };
    format!("xtask: no {variable}: {effect}\n       reason: {error:#}\n       remedy: run .ci/setup")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_is_absent_is_taken_out_of_the_environment_and_what_is_required_is_remembered() {
        let mut environment = TestEnvironment::default();
        environment.add("E2E_ONE", Ok("1".into()), true, "").unwrap();
        environment
            .add("E2E_TWO", Err(anyhow!("not here")), false, "two is left out")
            .unwrap();
        environment
            .add("E2E_THREE", Err(anyhow!("nor here")), true, "")
            .unwrap();

        let mut command = Command::new("true");
        let handed_over: Vec<_> = environment.apply(&mut command).get_envs().collect();

        assert!(handed_over.contains(&("E2E_ONE".as_ref(), Some("1".as_ref()))));
        assert!(handed_over.contains(&("E2E_TWO".as_ref(), None)));
        assert_eq!(environment.missed, ["E2E_THREE"]);
        assert_eq!(environment.effects[0], "without E2E_TWO: two is left out");
    }

    #[test]
    fn an_absence_is_explained_with_effect_reason_and_remedy() {
        let message = absence(
            "E2E_PROMTOOL",
            &anyhow!("no promtool on PATH"),
            false,
            "the check is left out",
        );
        for part in [
            "E2E_PROMTOOL",
            "the check is left out",
            "no promtool on PATH",
            ".ci/setup",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
