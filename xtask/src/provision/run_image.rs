//! A tag of the NATS image for one run of the tests.
//!
//! Containers belong to the daemon: those of tests that are interrupted outlive them. The tag marks those that
//! this run has started, so that it removes its own and no others.

use anyhow::{Context, Result};

use super::docker::{ANSWER, docker};
use crate::process::Processes;

/// The tag; dropping it removes it, the containers that were started from it, and their networks.
#[derive(Debug)]
pub(crate) struct RunImage {
    name: String,
}

impl RunImage {
    pub(crate) fn tag(image: &str, processes: &Processes) -> Result<Self> {
        let name = format!("{image}-run-{}", std::process::id());
        processes.capture(&mut docker(["tag", image, &name]), ANSWER)?;
        Ok(Self { name })
    }

    /// As `name:tag`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn remove(&self) -> Result<()> {
        // An interruption is why there may be containers left, so it must not cut this short.
        let processes = Processes::uninterrupted();
        let mut list = docker(["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Image}}"]);
        let listed = processes.capture(&mut list, ANSWER)?;
        let left = containers_of(&self.name, &listed);
        if !left.is_empty() {
            eprintln!(
                "xtask: Docker: removing what the tests left: {} containers",
                left.len()
            );
            let mut remove = docker(["rm", "--force", "--volumes"]);
            processes.capture(remove.args(&left), ANSWER)?;
        }
        let networks = processes.capture(&mut docker(["network", "ls", "--format", "{{.Name}}"]), ANSWER)?;
        let left = networks_of(&self.name, &networks);
        if !left.is_empty() {
            let mut remove = docker(["network", "rm"]);
            processes.capture(remove.args(&left), ANSWER)?;
        }
        processes.capture(&mut docker(["rmi", "--no-prune", &self.name]), ANSWER)?;
        Ok(())
    }
}

impl Drop for RunImage {
    fn drop(&mut self) {
        if let Err(error) = self.remove().context("failed to clean up after the tests") {
            eprintln!("xtask: {error:#}");
        }
    }
}

/// The ids in a list of `id image`, of those whose image it is.
fn containers_of<'a>(image: &str, list: &'a str) -> Vec<&'a str> {
    let of_image = |line: &'a str| line.split_once(' ').filter(|(_, its)| *its == image);
    list.lines().filter_map(of_image).map(|(id, _)| id).collect()
}

/// The networks that the tests named after this image, each with a number.
fn networks_of<'a>(image: &str, list: &'a str) -> Vec<&'a str> {
    let prefix = format!("{}-", image.replace(['/', ':'], "-"));
    list.lines().filter(|name| name.starts_with(&prefix)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_containers_of_another_run_are_left_alone() {
        let list = "a1 nats:2-run-7\nb2 nats:2\nc3 nats:2-run-77\nd4 nats:2-run-7\n";
        assert_eq!(containers_of("nats:2-run-7", list), ["a1", "d4"]);
        assert!(containers_of("nats:2-run-8", list).is_empty());
    }

    #[test]
    fn the_networks_of_another_run_are_left_alone() {
        let list = "bridge\nw-nats-2-run-7-20001\nw-nats-2-run-77-20002\nw-nats-2-run-7-20003\n";
        let own = ["w-nats-2-run-7-20001", "w-nats-2-run-7-20003"];
        assert_eq!(networks_of("w/nats:2-run-7", list), own);
    }
}
